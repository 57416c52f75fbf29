"""Which commands build and pay merchants' claims, book what comes back, and close a year?"""

import datetime
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import func, select

from settlement.app import Centre, open_centre
from settlement.claims import read_claims
from settlement.claims.build_day import build_day
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim, unknown
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.cli_proposals import More, ask, propose_it
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds.close_year import CloseYear
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.words import words
from settlement.writer.step import Claimed
from subsidy.money import yuan

claims = typer.Typer(help="Merchants' claims on the fund, and what comes back.", no_args_is_help=True)
year = typer.Typer(help="Programme years.", no_args_is_help=True)

Claim = Annotated[str, typer.Argument(help="The claim's name, as in C-M001-2026-03-01.")]
RecordId = Annotated[str, typer.Argument(help="The sale's record id.")]
Reference = Annotated[
    str, typer.Option("--reference", help="The document it rests on; for one claim or record it counts once.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a line.")]


@claims.command("build")
def build(
    config: Config,
    date: Annotated[str, typer.Option(help="The day up to whose end sales are claimed, as in 2026-03-01.")],
    merchant: Annotated[str | None, typer.Option(help="Only this merchant.")] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Build one claim for each merchant. Safe to repeat: what is claimed is not claimed again.

    Exit 4 when something was left out; it is listed with the reason.

    Example:

        settlement claims build --config settlement.yaml --date 2026-03-01
    """
    day = _day(date)

    def work() -> Shown:
        centre = _open(config, set_)
        with centre.acting(Task(Permission.BUILD_CLAIMS, "claims build", date, dry_run), token_file):
            built = build_day(
                centre.engine, day, merchant, lambda one: ask(centre, one, dry_run), again=not dry_run
            )
        document = {"dry_run": dry_run, "day": date, "claims": msgspec.to_builtins(built)}
        lines = [line for one in built for line in _built(one, dry_run)]
        if not any(one.claim for one in built):
            lines.append(f"nothing to claim up to {date}")
        return Shown(document, lines, 4 if any(one.left_out for one in built) else 0)

    run(work, json)


@claims.command("pay")
def pay(
    claim: Claim,
    config: Config,
    reference: Reference,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to book that the bank has paid a claim: every line that is not held back.

    Lines whose goods came back are withheld for good; others that are held back can be paid later, with
    another reference. Exit 4 when something would be withheld. Another person approves it.

    Example:

        settlement claims pay C-M001-2026-03-01 --config settlement.yaml --reference "示例行202603020001"
    """
    command = PayClaim(claim, words(reference, "--reference"))
    propose_it(lambda _centre: command, f"claims pay {claim}", config, token_file, set_, json, dry_run)


@claims.command("reject")
def reject(
    claim: Claim,
    record_id: RecordId,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to reject a line: the fund does not pay it, and its money is available again.

    Example:

        settlement claims reject C-M001-2026-03-01 RECORD_ID --config settlement.yaml --reason "no invoice"
    """
    command = SendBack(claim, record_id, words(reason, "--reason"), to_correct=False)
    propose_it(lambda _centre: command, f"claims reject {record_id}", config, token_file, set_, json, dry_run)


@claims.command("correct")
def correct(
    claim: Claim,
    record_id: RecordId,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to send a line back to be corrected: it is payable again, and goes into another claim.

    Example:

        settlement claims correct C-M001-2026-03-01 RECORD_ID --config settlement.yaml --reason "no photo"
    """
    command = SendBack(claim, record_id, words(reason, "--reason"), to_correct=True)
    propose_it(
        lambda _centre: command, f"claims correct {record_id}", config, token_file, set_, json, dry_run
    )


@claims.command("repaid")
def repaid(
    record_id: RecordId,
    config: Config,
    reference: Reference,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to book that a merchant has repaid a grant after payout, or that it was netted.

    Example:

        settlement claims repaid RECORD_ID --config settlement.yaml --reference "示例行202604010007"
    """
    command = Repay(record_id, words(reference, "--reference"))
    propose_it(lambda _centre: command, f"claims repaid {record_id}", config, token_file, set_, json, dry_run)


@claims.command("enter-late")
def enter_late(
    record_id: RecordId,
    config: Config,
    reference: Reference,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to let a late grant enter the pool, when its money, serial number and quota are there.

    Example:

        settlement claims enter-late RECORD_ID --config settlement.yaml --reference "示例商务局〔2026〕8号"
    """
    command = EnterLate(record_id, words(reference, "--reference"))
    propose_it(
        lambda _centre: command, f"claims enter-late {record_id}", config, token_file, set_, json, dry_run
    )


@claims.command("show")
def show(
    config: Config,
    claim: Annotated[str | None, typer.Argument(help="The claim's name; without it all are listed.")] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Print a claim with its lines, or all claims with their totals.

    Example:

        settlement claims show C-M001-2026-03-01 --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_CLAIMS, "claims show", claim or ""), token_file),
            reading(centre.engine) as connection,
        ):
            if claim is None:
                found = _all_claims(connection)
                lines = [line for one in found for line in _summary(one)] or ["no claim has been built yet"]
                return Shown({"claims": msgspec.to_builtins(found)}, lines)
            one = read_claims.claim(connection, claim)
        if one is None:
            raise Refused(unknown(claim).detail, 2)
        lines = [
            f"  {line.record_id}  {yuan(line.fen):>14}  {line.state}  "
            f"{line.reference or line.why or ', '.join(line.held_back)}".rstrip()
            for line in one.lines
        ]
        payments = [
            f"  paid by {payment.reference}: {payment.lines} lines, {yuan(payment.fen)}; "
            f"withheld {payment.withheld_lines} lines, {yuan(payment.withheld_fen)}"
            for payment in one.payments
        ]
        return Shown(msgspec.to_builtins(one), [*_summary(one), *payments, *lines])

    run(work, json)


@year.command("close")
def close(
    programme_year: Annotated[int, typer.Argument(metavar="YEAR", min=2024, max=2099)],
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to close a programme year for good: nothing of it is promised again.

    Open holds are carried, and listed. Exit 4 when there are any. A year is never opened again.

    Example:

        settlement year close 2026 --config settlement.yaml --dry-run
    """

    def carried(centre: Centre) -> More:
        record = tables.record.c
        query = (
            select(record.record_id, record.subsidy_fen)
            .where(record.state == "HELD", record.year == programme_year)
            .order_by(record.record_id)
        )
        with reading(centre.engine) as connection:
            holds = [(row.record_id, row.subsidy_fen) for row in connection.execute(query)]
        fen = sum(fen for _, fen in holds)
        document = {
            "year": programme_year,
            "open_holds": [{"record_id": record_id, "fen": fen} for record_id, fen in holds],
            "carried_fen": fen,
        }
        lines = [f"carried: {len(holds)} open holds, {yuan(fen)}"]
        lines += [f"  {record_id}  {yuan(fen):>14}" for record_id, fen in holds]
        return More(document, lines, look=bool(holds))

    command = CloseYear(programme_year)
    what = f"year close {programme_year}"
    propose_it(lambda _centre: command, what, config, token_file, set_, json, dry_run, carried)


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _built(one: Claimed, dry_run: bool) -> list[str]:
    head = f"{one.claim}  {one.lines} lines  {yuan(one.fen)}" if one.claim else f"{one.merchant}  no claim"
    return [head + ("  (dry run: not built)" if dry_run and one.claim else ""), *_left_out(one)]


def _left_out(one: Claimed) -> list[str]:
    return [f"  left out {left.record_id}  {yuan(left.fen):>14}  {left.why}" for left in one.left_out]


def _summary(one: read_claims.ClaimSummary) -> list[str]:
    totals = msgspec.to_builtins(one.totals)
    of_states = [
        f"{name} {total['lines']}/{yuan(total['fen'])}" for name, total in totals.items() if total["lines"]
    ]
    return [f"{one.claim}  {one.merchant}  up to {one.day}", f"  {'  '.join(of_states)}"]


def _all_claims(connection: Any) -> list[read_claims.ClaimSummary]:
    count = connection.execute(select(func.count()).select_from(tables.claim)).scalar_one()
    return read_claims.claims(connection, "", count)


def _day(text: str) -> datetime.date:
    # Python's own reading takes more spellings than one.
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            pass
    raise typer.BadParameter(
        "write a day of the calendar as YYYY-MM-DD, as in 2026-03-01", param_hint="--date"
    )
