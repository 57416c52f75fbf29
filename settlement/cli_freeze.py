"""Which commands freeze a merchant, a shop, a serial number, a person or the programme, and lift it?"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection, select

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, one_line, run
from settlement.db import tables
from settlement.db.connection import reading
from settlement.decisions import at_once, by_two, who
from settlement.funds import read_freezings
from settlement.funds.freezings import ImposeFreeze, Kind, LiftFreeze, serial_name
from settlement.funds.read_freezings import SHOWN_OF_INDEX, FreezingShown
from subsidy import calendar
from subsidy.codes import BadCode, resident_id, serial_no
from subsidy.ids import is_record_id
from subsidy.masking import scrub

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
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a merchant with all its shops, at once.

    Example:

        settlement freeze merchant M001 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.MERCHANT, name, config, reason, set_, json, dry_run)


@freeze.command("shop")
def freeze_shop(
    name: Annotated[str, typer.Argument(metavar="SHOP")],
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a shop, at once.

    Example:

        settlement freeze shop S0031 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.SHOP, name, config, reason, set_, json, dry_run)


@freeze.command("serial")
def freeze_serial(
    name: Annotated[str, typer.Argument(metavar="BRAND/SERIAL")],
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a serial number of a brand, at once, whether or not it was sold.

    Example:

        settlement freeze serial 示例牌/SN-00001 --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.SERIAL, name, config, reason, set_, json, dry_run)


@freeze.command("person")
def freeze_person(
    name: Annotated[str, typer.Argument(metavar="RECORD_ID", help="A sale of the person, or - for stdin.")],
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a person, at once: named by a sale, or with - by an identity number read from stdin.

    An identity number is never written on the command line, where others can read it, and never stored.

    Example:

        settlement freeze person RECORD_ID --config settlement.yaml --reason "case 7"
    """
    _freeze(Kind.PERSON, name, config, reason, set_, json, dry_run)


@freeze.command("programme")
def freeze_programme(
    name: Annotated[str, typer.Argument(metavar="PROGRAMME", help="Its name, to be sure that it is meant.")],
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze the whole programme, at once: no hold is placed, nothing is claimed or paid.

    Example:

        settlement freeze programme JS-321200 --config settlement.yaml --reason "bureau's order 3"
    """
    _freeze(Kind.PROGRAMME, name, config, reason, set_, json, dry_run)


@freeze.command("lift")
def lift(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    name: Annotated[str, typer.Argument(help="As `freeze ls` shows it.")],
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Lift a freeze: holds are placed again, and what was left out can be claimed and paid.

    Example:

        settlement freeze lift merchant M001 --config settlement.yaml --reason "case 7 cleared"
    """
    why = scrub(one_line(reason, "--reason"))

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with reading(centre.engine) as connection:
            meant = _meant(centre, connection, kind, name, standing=True)
        by_two(centre, LiftFreeze(kind, meant[0], why, who()), dry_run)
        return _done("lifted", kind, meant[0], dry_run)

    run(work, json)


@freeze.command("ls")
def ls(
    config: Config,
    with_lifted: Annotated[bool, typer.Option("--all", help="Also what was lifted.")] = False,
    set_: Set = None,
    json: Json = False,
) -> None:
    """List what is frozen, by whom and why.

    Example:

        settlement freeze ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with reading(centre.engine) as connection:
            found = read_freezings.freezings(connection, with_lifted)
        lines = [_line(one) for one in found] or ["nothing is frozen"]
        return Shown({"freezes": msgspec.to_builtins(found)}, lines)

    run(work, json)


def _freeze(
    kind: Kind, name: str, config: Path, reason: str, set_: list[str] | None, json: bool, dry_run: bool
) -> None:
    why = scrub(one_line(reason, "--reason"))

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with reading(centre.engine) as connection:
            meant, of_record = _meant(centre, connection, kind, name, standing=False)
        at_once(centre, ImposeFreeze(kind, meant, why, who(), of_record), dry_run)
        return _done("frozen", kind, meant, dry_run)

    run(work, json)


def _done(word: str, kind: Kind, meant: str, dry_run: bool) -> Shown:
    shown = meant[:SHOWN_OF_INDEX] if kind is Kind.PERSON else meant
    document = {"dry_run": dry_run, word: {"kind": kind.value, "name": shown}}
    prefix = "dry run, nothing was changed; it would be: " if dry_run else ""
    return Shown(document, [f"{prefix}{kind.value} {shown} {word}"])


def _meant(centre: Centre, connection: Connection, kind: Kind, name: str, standing: bool) -> tuple[str, str]:
    """Return the name as it is stored, and the record by which a person was named. Raises Refused."""
    if kind is Kind.SERIAL:
        stands = standing and (kind, name) in read_freezings.standing(connection)
        return name if stands else _serial(connection, name), ""
    if kind is not Kind.PERSON:
        return name, ""
    if name == STDIN:
        return centre.keys.person_index(_identity_no(centre)), ""
    if is_record_id(name):
        return _person_of(connection, name), name
    shown = read_freezings.person_called(connection, name) if standing else None
    if shown is None:
        raise Refused(
            "a person is named by a record id, or with - by an identity number read from stdin"
            + (", or as `settlement freeze ls` shows it" if standing else ""),
            2,
        )
    return shown, ""


def _person_of(connection: Connection, record_id: str) -> str:
    c = tables.record.c
    found = connection.execute(select(c.person).where(c.record_id == record_id)).scalar_one_or_none()
    if found is None:
        raise Refused("no record with this id is here. Check the id", 2)
    if not found:
        raise Refused(f"{record_id} does not say who bought. Name the person by the identity number", 2)
    return str(found)


def _identity_no(centre: Centre) -> str:
    piped = typer.get_text_stream("stdin")
    text = typer.prompt("identity number", hide_input=True, err=True) if piped.isatty() else piped.readline()
    today = calendar.business_day(calendar.from_ms(centre.now_ms()))
    try:
        return resident_id.read(text, today)
    except BadCode as wrong:
        raise Refused(f"{wrong}. Give one on the first line of stdin", 2) from None


def _serial(connection: Connection, name: str) -> str:
    """Return BRAND/SERIAL as it is stored. Both may have slashes: the library says where the brand ends."""
    brands = set(connection.execute(select(tables.product.c.brand).distinct()).scalars())
    for at, character in enumerate(name):
        if character == "/" and name[:at] in brands:
            try:
                return serial_name(name[:at], serial_no.read(name[at + 1 :]))
            except BadCode as wrong:
                raise Refused(f"{wrong}. Write BRAND/SERIAL", 2) from None
    raise Refused("no brand of the product library stands before the slash. Write BRAND/SERIAL", 2)


def _line(one: FreezingShown) -> str:
    at = calendar.from_ms(one.frozen_ms).isoformat(" ", "minutes")
    of_record = f", of record {one.of_record}" if one.of_record else ""
    lifted = ""
    if one.lifted_ms is not None:
        until = calendar.from_ms(one.lifted_ms).isoformat(" ", "minutes")
        lifted = f"; lifted {until} by {one.lifted_by}: {one.lifted_why}"
    return f"{one.kind:<10} {one.name}{of_record}  since {at} by {one.frozen_by}: {one.why}{lifted}"
