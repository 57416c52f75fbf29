"""What can shop IT do from the command line?

Exit codes: 0 done, 1 a bug of ours, 2 usage, 3 configuration or data file invalid, 4 done with
something to look at, 5 something needed is down, 6 refused by a rule or a lock.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from subsidy import __version__
from subsidy.strict.yaml_text import FileError
from terminal_agent import doctor as doctor_checks
from terminal_agent import system
from terminal_agent.app import Agent, NotEnrolled
from terminal_agent.certify.cli import certify
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable, Secret
from terminal_agent.checkout.supervisor import hash_of
from terminal_agent.cli_trace import app as trace_app
from terminal_agent.config import Config, read_config
from terminal_agent.emulators.cli import app as emulate_app
from terminal_agent.iso8583_cli import app as iso8583_app
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.mend import look as look_at_journal
from terminal_agent.journal.mend import mend as mend_journal
from terminal_agent.journal.open import JournalDown, open_journal
from terminal_agent.log import make_log
from terminal_agent.sync import device_key
from terminal_agent.sync.enrol import enrol as enrol_host
from terminal_agent.system import SystemClock
from terminal_agent.terminals.direct.closing import NotConfirmed, close_batches, words_on
from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.till.local import AgentOutbox, AgentStatus, ask_agent, lines_of, looks_of, port_problem

_CONFIG_INVALID, _LOOK_AT_IT, _DOWN, _REFUSED = 3, 4, 5, 6

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="The shop's agent.")
outbox_app = typer.Typer(no_args_is_help=True, help="What waits for the centre.")
app.add_typer(outbox_app, name="outbox")
app.add_typer(emulate_app, name="emulate")
app.add_typer(iso8583_app, name="iso8583")
app.add_typer(trace_app, name="trace")
app.command()(certify)

ConfigOption = Annotated[Path, typer.Option("--config", help="The agent's YAML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_DEFAULT = Path("agent.yaml")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"terminal-agent {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and stop."),
    ] = False,
) -> None:
    """The shop's agent."""


def main() -> None:
    """Run the command line."""
    app()


@app.command()
def run(config: ConfigOption = _DEFAULT, as_json: JsonOption = False) -> None:
    """Serve the tills until told to stop. Example: terminal-agent run --config agent.yaml"""
    with _explained(as_json):
        agent = _trusted_agent(config)
        if (why := port_problem(*_address(config))) is not None:
            _fail(why, _DOWN)
        agent.start()
        host, port = _address(config)
        _print({"till_api": f"http://{host}:{port}"}, as_json, f"the till API is at http://{host}:{port}")
        agent.serve()


@app.command()
def resume(
    config: ConfigOption = _DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is open.")] = False,
) -> None:
    """Finish what a power cut left open, then end. Example: terminal-agent resume --config agent.yaml"""
    with _explained(as_json):
        agent = _trusted_agent(config)
        if not dry_run:
            agent.resume()
        still_open = [sale.record_id for sale in agent.journal.unfinished()]
        _print(
            {"open": still_open, "outbox": agent.journal.numbers()["depth"]},
            as_json,
            f"open sales: {', '.join(still_open) or 'none'}",
        )
        raise typer.Exit(_LOOK_AT_IT if still_open else 0)


@app.command()
def settle(
    terminal: Annotated[str, typer.Argument(help="The terminal's number, as in the agent's YAML file.")],
    config: ConfigOption = _DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the open batch.")] = False,
) -> None:
    """Close a terminal's batch at its acquirer's host. Example: terminal-agent settle 12345678"""
    with _explained(as_json):
        settings = read_config(config)
        if terminal not in settings.terminals:
            _fail(f"{terminal} is not in the configuration. Name one of its terminals", _REFUSED)
        payment = settings.terminals[terminal].payment(SystemClock())
        if not isinstance(payment, DirectTerminal):
            _fail(f"{terminal} closes its batches itself. Settle it at the terminal", _REFUSED)
        if ask_agent(settings.host, settings.port, "/v1/status", AgentStatus) is not None:
            _fail("The agent runs. Stop it first", _REFUSED)
        journal = _journal(settings)
        if journal.open_attempts(terminal) or journal.open_returns(terminal):
            _fail(f"Money may still move on {terminal}. Run `terminal-agent resume` first", _REFUSED)
        try:
            settled = close_batches(terminal, payment, journal, dry_run=dry_run)
        except NotConfirmed as wrong:
            _fail(str(wrong), _DOWN)
        *earlier, now = [msgspec.to_builtins(one) for one in settled]
        document = now | {"dry_run": dry_run, "earlier": earlier}
        _print(document, as_json, "\n".join(words_on(one) for one in settled))
        if dry_run:
            return
        for one in settled:
            journal.closing_told(terminal, one.batch)
        raise typer.Exit(0 if all(one.balanced for one in settled) else _LOOK_AT_IT)


@app.command()
def enrol(
    code: Annotated[str, typer.Argument(help="The one-time code from the service platform.")],
    config: ConfigOption = _DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check configuration and code.")] = False,
) -> None:
    """Make this host a device of its centre. Example: terminal-agent enrol ABCD...-0123456789abcdef"""
    with _explained(as_json):
        settings = read_config(config)
        if dry_run:
            _print(
                {"centre": settings.centre, "enrolled": False}, as_json, f"would enrol at {settings.centre}"
            )
            return
        journal = _journal(settings)
        if journal.enrolled() is not None:
            _fail("This host is enrolled already. A journal belongs to one device for ever", _REFUSED)
        key = device_key.make_key(settings.device_key, system.random_bytes)
        device = enrol_host(
            settings.centre,
            code.strip(),
            key,
            system.host_name(),
            __version__,
            SystemClock(),
        )
        _check_training(settings, training=device.training)
        journal.enrol(device, settings.centre)
        _print(
            {"device": device.device, "shop": device.shop, "programme": device.programme},
            as_json,
            f"enrolled as {device.device} of shop {device.shop} ({device.shop_name}), {device.programme}",
        )


@app.command("pin-hash")
def pin_hash(
    config: Annotated[Path | None, typer.Option("--config", help="The agent's YAML file, to check.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a supervisor's PIN and print what stands for it. Example: terminal-agent pin-hash --json"""
    with _explained(as_json):
        if config is not None:
            read_config(config)
        try:
            made = hash_of(_typed_pin(), system.random_bytes)
        except ValueError as wrong:
            _fail(str(wrong), _REFUSED)
        _print({"pin_hash": made}, as_json, made)


@app.command()
def status(config: ConfigOption = _DEFAULT, as_json: JsonOption = False) -> None:
    """Show how the running agent is. Example: terminal-agent status --config agent.yaml"""
    with _explained(as_json):
        found = ask_agent(*_address(config), "/v1/status", AgentStatus)
        if found is None:
            _fail("The agent does not run. Start it with `terminal-agent run`", _DOWN)
        lines = (
            f"{'online' if found['online'] else 'offline'}, {found['outbox']['depth']} waiting "
            f"(oldest {found['outbox']['oldest_s']} s), {found['parked']} parked, "
            f"{found['returning']} returning"
        )
        for link in found["links_missing"]:
            lines += f"\n{link} is not in the configuration, and money may still move on it. Put it back"
        troubled = {number: problem for number, problem in lines_of(found).items() if problem}
        for number, problem in troubled.items():
            lines += f"\nterminal {number}: {problem}"
        looks = looks_of(found)
        for look in looks:
            lines += f"\nterminal {look.terminal_no}, {look.in_words}"
        for certificate in found.get("certificates", []):
            lines += f"\n{certificate}. Put the new one into its file; no restart is needed"
        # An agent of before this version says nothing of its disk.
        disk = found.get("disk", {"free_mib": 0, "least_free_mib": 0})
        is_full = disk["free_mib"] < disk["least_free_mib"]
        if is_full:
            lines += f"\n{disk['free_mib']} MiB free on the disk: no subsidised sale begins. Free space"
        _print(found, as_json, lines)
        undecided = found["parked"] or found["returning"] or found["links_missing"]
        told = troubled or looks or found.get("certificates", []) or found["outbox"]["quarantined"] or is_full
        worth_a_look = not found["online"] or undecided or told
        raise typer.Exit(_LOOK_AT_IT if worth_a_look else 0)


@app.command()
def doctor(config: ConfigOption = _DEFAULT, as_json: JsonOption = False) -> None:
    """Check whether this host is fit to sell. Example: terminal-agent doctor --config agent.yaml"""
    with _explained(as_json):
        settings = read_config(config)
        said = ask_agent(settings.host, settings.port, "/v1/status", AgentStatus)
        runs = said is not None
        findings = doctor_checks.examine(settings, agent_runs=runs, said=said)
        shown = [
            f"{'ok ' if one.well else 'NOT'} {one.check}: {one.found}"
            + ("" if one.well else f". {one.remedy}")
            for one in findings
        ]
        document = [
            {"check": o.check, "well": o.well, "found": o.found, "remedy": o.remedy} for o in findings
        ]
        _print({"agent_runs": runs, "checks": document}, as_json, "\n".join(shown))
        raise typer.Exit(0 if all(one.well for one in findings) else _LOOK_AT_IT)


@app.command()
def mend(
    config: ConfigOption = _DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look.")] = False,
) -> None:
    """Make a damaged journal anew from its black box, or the other way round. Example: terminal-agent mend"""
    with _explained(as_json):
        settings = read_config(config)
        if ask_agent(settings.host, settings.port, "/v1/status", AgentStatus) is not None:
            _fail("The agent runs. Stop it first", _REFUSED)
        found = look_at_journal(settings.journal) if dry_run else mend_journal(settings.journal)
        document = {"database": found.database, "black_box": found.black_box, "rows": found.rows}
        text = f"database: {found.database}\nblack box: {found.black_box}, {found.rows} rows"
        _print(document | {"dry_run": dry_run}, as_json, text)
        raise typer.Exit(0 if found.is_well else _LOOK_AT_IT)


@outbox_app.command("ls")
def outbox_ls(config: ConfigOption = _DEFAULT, as_json: JsonOption = False) -> None:
    """List what the centre has not acknowledged. Example: terminal-agent outbox ls --config agent.yaml"""
    with _explained(as_json):
        settings = read_config(config)
        found = ask_agent(settings.host, settings.port, "/v1/outbox", AgentOutbox)
        if found is None:
            waiting = _journal(settings).waiting(1000)
            found = {
                "waiting": [
                    {"seq": one.seq, "record_id": one.record_id, "kind": one.kind, "made_ms": one.made_ms}
                    for one in waiting
                ]
            }
        lines = [f"{one['seq']:>6}  {one['kind']:<10}  {one['record_id']}" for one in found["waiting"]]
        _print(found, as_json, "\n".join(lines) or "nothing waits")


@outbox_app.command("again")
def outbox_again(
    config: ConfigOption = _DEFAULT,
    as_json: JsonOption = False,
    after: Annotated[
        int,
        typer.Option("--after", min=0, help="Only entries after this one, up to which the centre has all."),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Report again what was acknowledged, after the centre was restored. What it has changes nothing there.

    Up to which entry the restored centre has all of this shop's, `settlement devices gaps` says there.

    Example: terminal-agent outbox again --after 1200 --config agent.yaml
    """
    with _explained(as_json):
        journal = _journal(read_config(config))
        last = journal.last_seq()
        if after > last:
            raise typer.BadParameter(
                f"this shop has made {last} entries so far. Ask the centre for this device's number",
                param_hint="--after",
            )
        count = journal.acknowledged_after(after)
        if not dry_run:
            journal.wait_again(after)
        words = f"{count} entries {'would wait' if dry_run else 'wait'} again: start the agent"
        _print({"again": count, "dry_run": dry_run}, as_json, words)


def _typed_pin() -> Secret:
    """Return a PIN that is typed twice without being shown, or the first line of what is piped in."""
    piped = typer.get_text_stream("stdin")
    if piped.isatty():
        return Secret(typer.prompt("PIN", hide_input=True, confirmation_prompt=True, err=True))
    return Secret(piped.readline().rstrip("\r\n"))


def _trusted_agent(config: Path) -> Agent:
    """Return the agent once its enrolment fits its configuration: a training device stays one."""
    settings = read_config(config)
    # Opened once: a journal with much in it takes its time to be checked.
    agent = Agent(settings, make_log())
    try:
        _check_training(settings, training=agent.device.training)
        if agent.enrolled_at != settings.centre:
            raise FileError(
                str(config),
                1,
                "centre",
                "is not the centre this host enrolled at",
                f"Write {agent.enrolled_at}",
            )
    except Exception:
        agent.journal.shut()
        raise
    return agent


def _address(config: Path) -> tuple[str, int]:
    settings = read_config(config)
    return settings.host, settings.port


def _check_training(settings: Config, *, training: bool) -> None:
    if training and not settings.training:
        _fail("The centre's programme is for training. Set `training: true` where no money moves", _REFUSED)


def _journal(settings: Config) -> SqliteJournal:
    return SqliteJournal(
        open_journal(settings.journal),
        system.new_lock(),
        SystemClock(),
        "",
        changed=lambda: None,
        entry_written=lambda: None,
    )


@contextmanager
def _explained(as_json: bool) -> Iterator[None]:
    """Turn faults that a person can mend into a sentence, an exit code, and a document if one is wanted."""
    try:
        yield
    except FileError as wrong:
        _leave(str(wrong), _CONFIG_INVALID, as_json)
    except (JournalDown, CentreUnreachable) as wrong:
        _leave(str(wrong), _DOWN, as_json)
    except (NotEnrolled, CentreDenied) as wrong:
        _leave(str(wrong), _REFUSED, as_json)
    except _Failed as wrong:
        _leave(wrong.sentence, wrong.code, as_json)


class _Failed(Exception):
    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def _print(document: object, as_json: bool, text: str) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2) if as_json else text)


def _fail(sentence: str, code: int) -> NoReturn:
    raise _Failed(sentence, code)


def _leave(sentence: str, code: int, as_json: bool) -> NoReturn:
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    raise typer.Exit(code)
