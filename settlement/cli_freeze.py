"""Which commands freeze a merchant, a shop, a serial number, a person or the programme, and lift it?"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.cli_proposals import ask, propose_it, refused
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.funds import name_freezing, read_freezings
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, name_shown
from settlement.funds.name_freezing import Meant
from settlement.funds.read_freezings import FreezingShown
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.words import words
from settlement.writer.step import Denied
from subsidy import calendar
from subsidy.codes import BadCode, resident_id

freeze = typer.Typer(
    help="What is frozen: it gets no hold and is not paid, and nothing of it is lost.", no_args_is_help=True
)

Reason = Annotated[str, typer.Option("--reason", help="Why, in a line. It is kept for good.")]
STDIN = "-"


@freeze.command("merchant")
def freeze_merchant(
    name: Annotated[str, typer.Argument(metavar="MERCHANT")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a merchant with all its shops, at once.

    Example:

        settlement freeze merchant M001 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.MERCHANT, name, config, reason, token_file, set_, json, dry_run)


@freeze.command("shop")
def freeze_shop(
    name: Annotated[str, typer.Argument(metavar="SHOP")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a shop, at once.

    Example:

        settlement freeze shop S0031 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.SHOP, name, config, reason, token_file, set_, json, dry_run)


@freeze.command("serial")
def freeze_serial(
    name: Annotated[str, typer.Argument(metavar="BRAND/SERIAL")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a serial number of a brand, at once, whether or not it was sold.

    Example:

        settlement freeze serial 示例牌/SN-00001 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.SERIAL, name, config, reason, token_file, set_, json, dry_run)


@freeze.command("person")
def freeze_person(
    name: Annotated[str, typer.Argument(metavar="RECORD_ID", help="A sale of the person, or - for stdin.")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a person, at once: named by a sale, or with - by an identity number read from stdin.

    An identity number is never written on the command line, where others can read it, and never stored.

    Example:

        settlement freeze person RECORD_ID --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.PERSON, name, config, reason, token_file, set_, json, dry_run)


@freeze.command("programme")
def freeze_programme(
    name: Annotated[str, typer.Argument(metavar="PROGRAMME", help="Its name, to be sure that it is meant.")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze the whole programme, at once: no hold is placed, nothing is claimed or paid.

    Example:

        settlement freeze programme JS-321200 --config settlement.yaml --reason "bureau's order 3"
    """
    _freeze(Kind.PROGRAMME, name, config, reason, token_file, set_, json, dry_run)


@freeze.command("lift")
def lift(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Annotated[str, typer.Argument(help="As `freeze ls` shows it.")],
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to lift a freeze: holds are placed again, and what was left out can be claimed and paid.

    Another person approves it.

    Example:

        settlement freeze lift merchant M001 --config settlement.yaml --reason "case 7 cleared"
    """
    why = words(reason, "--reason")

    def command(centre: Centre) -> LiftFreeze:
        return LiftFreeze(kind, _meant(centre, kind, name, is_lifted=True).name, why)

    propose_it(command, f"freeze lift {kind.value} {name}", config, token_file, set_, json, dry_run)


@freeze.command("ls")
def ls(
    config: Config,
    with_lifted: Annotated[bool, typer.Option("--all", help="Also what was lifted.")] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """List what is frozen, by whom and why.

    Example:

        settlement freeze ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "freeze ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_freezings.freezings(connection, with_lifted)
        lines = [_line(one) for one in found] or ["nothing is frozen"]
        return Shown({"freezes": msgspec.to_builtins(found)}, lines)

    run(work, json)


def _freeze(
    kind: Kind,
    name: str,
    config: Path,
    reason: str,
    token_file: Path | None,
    set_: list[str] | None,
    json: bool,
    dry_run: bool,
) -> None:
    why = words(reason, "--reason")

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        task = Task(Permission.FREEZE, f"freeze {kind.value}", name, dry_run)
        with centre.acting(task, token_file) as actor:
            meant = _meant(centre, kind, name, is_lifted=False)
            ask(centre, ImposeFreeze(kind, meant.name, why, actor.name, meant.of_record), dry_run)
        shown = name_shown(kind, meant.name)
        document = {"dry_run": dry_run, "frozen": {"kind": kind.value, "name": shown}}
        prefix = "dry run, nothing was changed; it would be: " if dry_run else ""
        return Shown(document, [f"{prefix}{kind.value} {shown} frozen"])

    run(work, json)


def _meant(centre: Centre, kind: Kind, name: str, is_lifted: bool) -> Meant:
    """Return what is meant by a name on the command line. Raises Refused."""
    if kind is Kind.PERSON and name == STDIN:
        return Meant(centre.keys.person_index(_identity_no(centre)))
    with reading(centre.engine) as connection:
        look = name_freezing.to_lift if is_lifted else name_freezing.to_freeze
        meant = look(connection, kind, name)
    if isinstance(meant, Denied):
        raise refused(meant)
    return meant


def _identity_no(centre: Centre) -> str:
    piped = typer.get_text_stream("stdin")
    text = typer.prompt("identity number", hide_input=True, err=True) if piped.isatty() else piped.readline()
    today = calendar.business_day(calendar.from_ms(centre.now_ms()))
    try:
        return resident_id.read(text, today)
    except BadCode as wrong:
        raise Refused(f"{wrong}. Give one on the first line of stdin", 2) from None


def _line(one: FreezingShown) -> str:
    at = calendar.from_ms(one.frozen_ms).isoformat(" ", "minutes")
    of_record = f", of record {one.of_record}" if one.of_record else ""
    lifted = ""
    if one.lifted_ms is not None:
        until = calendar.from_ms(one.lifted_ms).isoformat(" ", "minutes")
        lifted = f"; lifted {until} by {one.lifted_by}: {one.lifted_why}"
    return f"{one.kind:<10} {one.name}{of_record}  since {at} by {one.frozen_by}: {one.why}{lifted}"
