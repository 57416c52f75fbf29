"""How does an integrator have a link tried from the command line?

The command `terminal-agent certify`. Exit codes: 0 all passed and the books agree, 1 something failed,
2 usage, 3 configuration invalid, 4 what was tried passed, but not all was tried or the other side's books
were not seen, 5 the other side does not answer, 6 refused.
"""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from subsidy.strict.yaml_text import FileError
from terminal_agent import system
from terminal_agent.certify.at_the_terminal import EmulatedKeypad, StandingAtIt
from terminal_agent.certify.control import Control
from terminal_agent.certify.counterparts import Counterpart
from terminal_agent.certify.link_side import LinkSide, People
from terminal_agent.certify.links import CannotBeCertified, LinkUnderTest, links_of
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.certify.people import MadeUp, Standing
from terminal_agent.certify.plan import Means, Trial, trials_of
from terminal_agent.certify.run import Result, Verdict, run_all
from terminal_agent.certify.side import Keypad, NotThere
from terminal_agent.config import Config, read_config
from terminal_agent.journal.connection import JournalDown
from terminal_agent.journal.hold import held
from terminal_agent.till.local import AgentStatus, ask_agent

_FAILED, _USAGE, _CONFIG_INVALID, _LOOK_AT_IT, _DOWN, _REFUSED = 1, 2, 3, 4, 5, 6
_FEN = 101
_SIGNS = {
    Verdict.PASSED: "ok  ",
    Verdict.FAILED: "FAIL",
    Verdict.NOT_TRIED: "?   ",
    Verdict.DOES_NOT_APPLY: "-   ",
}


def certify(
    link: Annotated[
        str, typer.Option("--link", help="A terminal's number, a channel, or CHANNEL/shown for shown codes.")
    ] = "",
    config: Annotated[Path, typer.Option("--config", help="The agent's YAML file.")] = Path("agent.yaml"),
    control: Annotated[
        str, typer.Option("--control", help="The emulator's control address, as in 127.0.0.1:41327.")
    ] = "",
    terminal: Annotated[
        str,
        typer.Option(
            "--terminal", help="Control address of an emulated line-terminal, where one is only watched."
        ),
    ] = "",
    only: Annotated[str, typer.Option("--only", help="Only scenarios with these words in their name.")] = "",
    every_byte: Annotated[
        bool, typer.Option("--every-byte", help="Cut the power at every byte, not at some.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Make real payments: needed unless `training: true`.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Only list the links, or the scenarios of --link.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Try a link against its other side: what goes wrong, what had to be seen, what was seen.

    Takes about 1 yuan for each payment and gives it back. The agent must not be running; its journal is held
    meanwhile, and not changed.

    Example: terminal-agent certify --config agent.yaml --link wechat --control 127.0.0.1:41327
    """
    try:
        _certify(link, config, control, terminal, only, yes, listed, as_json, every_byte=every_byte)
    except FileError as wrong:
        _leave(str(wrong), _CONFIG_INVALID, as_json)
    except _Stopped as stopped:
        _leave(stopped.sentence, stopped.code, as_json)


def _certify(
    name: str,
    file: Path,
    address: str,
    keypad_at: str,
    only: str,
    yes: bool,
    listed: bool,
    as_json: bool,
    *,
    every_byte: bool,
) -> None:
    config = read_config(file)
    links = links_of(config)
    if not name:
        if not listed:
            raise _Stopped(f"Name a link with --link. There are: {', '.join(links)}", _USAGE)
        _print({"links": list(links)}, as_json, "\n".join(links))
        return
    link = _named(name, links)
    means = Means(our_end=True, control=bool(address), every_byte=every_byte)
    trials = _chosen(trials_of(link.counterpart, means), only)
    if listed:
        document = [{"name": one.name, "must": one.must, "why_not": _why_not(one)} for one in trials]
        lines = [f"{one.name}" + (f"  ({_why_not(one)})" if _why_not(one) else "") for one in trials]
        _print({"link": link.name, "scenarios": document}, as_json, "\n".join(lines))
        return
    _check_it_may_run(config, address, yes=yes)
    told = _control_of(address, link.counterpart) if address else None
    keypad = _keypad_of(keypad_at, link)
    try:
        with held(config.journal):
            _run(link, trials, told, keypad, as_json)
    except JournalDown as wrong:
        raise _Stopped(f"The link may be a running agent's: {wrong}", _REFUSED) from None


def _named(name: str, links: dict[str, LinkUnderTest | CannotBeCertified]) -> LinkUnderTest:
    link = links.get(name) or links.get(name.lower())
    if link is None:
        raise _Stopped(f"{name} is no link of this configuration. There are: {', '.join(links)}", _USAGE)
    if isinstance(link, CannotBeCertified):
        raise _Stopped(str(link), _REFUSED)
    return link


def _chosen(trials: list[Trial], only: str) -> list[Trial]:
    chosen = [one for one in trials if only.lower() in one.name.lower()]
    if not chosen:
        raise _Stopped(f"No scenario has {only!r} in its name. `--list` names them all", _USAGE)
    return chosen


def _check_it_may_run(config: Config, address: str, *, yes: bool) -> None:
    if ask_agent(config.host, config.port, "/v1/status", AgentStatus) is not None:
        raise _Stopped(
            "The agent runs, and the link is its own. Stop it, and look with "
            "`terminal-agent resume --dry-run` that nothing is open",
            _REFUSED,
        )
    if address and not config.training:
        raise _Stopped(
            "Only emulators have a control address, and without `training: true` none can be named", _REFUSED
        )
    if not config.training and not yes:
        raise _Stopped(
            f"This makes real payments of {_FEN} fen each and gives them back, but for a fen now and then. "
            "Use the configuration of a test environment, and say --yes",
            _REFUSED,
        )


def _control_of(address: str, one: Counterpart) -> Control:
    try:
        control = Control(address)
    except ValueError as wrong:
        raise _Stopped(f"--control: {wrong}", _USAGE) from None
    try:
        known = control.known()
    except NotThere as nobody:
        raise _Stopped(f"--control: {nobody}", _DOWN) from None
    needed = {made.name for made in one.by_emulator.values()}
    if not needed <= known:
        raise _Stopped("--control: it is the control address of another kind of emulator", _USAGE)
    return control


def _keypad_of(address: str, link: LinkUnderTest) -> Keypad:
    if not address:
        return StandingAtIt(link.name, typer.get_text_stream("stdin"))
    if link.line is None:
        raise _Stopped("--terminal: only a terminal that is only watched has a keypad of its own", _USAGE)
    try:
        return EmulatedKeypad(Control(address))
    except ValueError as wrong:
        raise _Stopped(f"--terminal: {wrong}", _USAGE) from None


def _run(
    link: LinkUnderTest, trials: list[Trial], control: Control | None, keypad: Keypad, as_json: bool
) -> None:
    clock = system.SystemClock()
    end = OurEnd(clock)
    people: People = Standing(link.name, typer.get_text_stream("stdin"))
    if control is not None:
        people = MadeUp(link.counterpart, control, system.random_bytes)

    def side_of() -> LinkSide:
        return LinkSide(
            link.counterpart,
            lambda: link.open(clock, end),
            clock,
            system.random_bytes,
            people,
            fen=_FEN,
            end=end,
            control=control,
            settles=dict(link.settles),
            watched=None if link.line is None else (link.line, keypad),
        )

    results = []
    for result in run_all(trials, side_of, control, lambda trial: _say(f"... {trial.name}")):
        results.append(result)
        if not as_json:
            typer.echo(_in_lines(result))
    if link.line is not None:
        link.line.close()
    _finish(link, results, control, as_json)


def _finish(link: LinkUnderTest, results: list[Result], control: Control | None, as_json: bool) -> None:
    counted = {verdict: sum(one.verdict is verdict for one in results) for verdict in Verdict}
    orders = [order for one in results for order in one.orders]
    text = ", ".join(f"{count} {verdict}" for verdict, count in counted.items())
    if control is None and orders and link.line is not None:
        text += (
            "\nThe acquirer's books were not seen, and no order number goes over this line. Compare with its "
            "list of the terminal: every charge went back whole, but for one fen of `and a part given back`."
        )
    elif control is None and orders:
        text += (
            "\nThe other side's books were not seen. Compare with its own list: each of these is given back "
            "whole, or was never taken; of `giving back a part` one fen stays.\n"
        ) + "\n".join(f"  {order}  {one.name}" for one in results for order in one.orders)
    document = {
        "link": link.name,
        "books_seen": control is not None,
        **{verdict.value.replace(" ", "_"): count for verdict, count in counted.items()},
        "scenarios": msgspec.to_builtins(results),
    }
    _print(document, as_json, text)
    if counted[Verdict.FAILED]:
        raise typer.Exit(_FAILED)
    if any(one.other_side_is_silent for one in results):
        raise typer.Exit(_DOWN)
    raise typer.Exit(_LOOK_AT_IT if counted[Verdict.NOT_TRIED] or control is None else 0)


def _in_lines(result: Result) -> str:
    head = f"{_SIGNS[result.verdict]} {result.name}"
    if result.verdict in (Verdict.NOT_TRIED, Verdict.DOES_NOT_APPLY):
        return f"{head}: {result.verdict}, {result.why}"
    lines = [head, f"       done: {result.done}", f"       must: {result.must}"]
    lines.append(f"       seen: {'; '.join(result.saw)}")
    if result.why:
        lines.append(f"       WRONG: {result.why}")
        lines.append(f"       look up: {', '.join(result.orders)}")
    return "\n".join(lines)


def _why_not(trial: Trial) -> str:
    if trial.does_not_apply:
        return f"does not apply: {trial.does_not_apply}"
    return f"not tried: {trial.not_tried}" if trial.not_tried else ""


class _Stopped(Exception):
    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _print(document: object, as_json: bool, text: str) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2) if as_json else text)


def _leave(sentence: str, code: int, as_json: bool) -> NoReturn:
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": code}, ensure_ascii=False))
    raise typer.Exit(code)
