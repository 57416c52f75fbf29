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
from settlement.claims.build import BuildClaim
from settlement.claims.build_day import build_day
from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim, unknown
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, one_line, run
from settlement.db import tables
from settlement.db.connection import reading
from settlement.funds.close_year import CloseYear
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Claimed, Denied
from subsidy.masking import scrub
from subsidy.money import yuan

claims = typer.Typer(help="Merchants' claims on the fund, and what comes back.", no_args_is_help=True)
year = typer.Typer(help="Programme years.", no_args_is_help=True)

Claim = Annotated[str, typer.Argument(help="The claim's name, as in C-M001-2026-03-01.")]
RecordId = Annotated[str, typer.Argument(help="The sale's record id.")]
Reference = Annotated[str, typer.Option("--reference", help="The document it rests on; it counts once.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a line.")]


@claims.command("build")
def build(
    config: Config,
    date: Annotated[str, typer.Option(help="The day up to whose end sales are claimed, as in 2026-03-01.")],
    merchant: Annotated[str | None, typer.Option(help="Only this merchant.")] = None,
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

        def ask(command: BuildClaim) -> Answer:
            return _ask(centre, command, dry_run)

        built = build_day(centre.engine, day, merchant, ask, again=not dry_run)
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
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Book that the bank has paid a claim: every line that is not held back.

    Lines whose goods came back are withheld for good; others that are held back can be paid later, with
    another reference. Exit 4 when something was withheld.

    Example:

        settlement claims pay C-M001-2026-03-01 --config settlement.yaml --reference "示例行202603020001"
    """
    words = one_line(reference, "--reference")

    def work() -> Shown:
        paid = _ask(_open(config, set_), PayClaim(claim, words), dry_run)
        assert isinstance(paid, Claimed)
        withheld_fen = sum(one.fen for one in paid.left_out)
        document = {"dry_run": dry_run, "reference": words, **msgspec.to_builtins(paid)}
        document |= {"withheld_lines": len(paid.left_out), "withheld_fen": withheld_fen}
        lines = [
            f"{'would be paid' if dry_run else 'paid'}  {paid.lines:>6} lines {yuan(paid.fen):>16}",
            f"withheld  {len(paid.left_out):>6} lines {yuan(withheld_fen):>16}",
            *_left_out(paid),
        ]
        return Shown(document, lines, 4 if paid.left_out else 0)

    run(work, json)


@claims.command("reject")
def reject(
    claim: Claim,
    record_id: RecordId,
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Reject a line: the fund does not pay it, and its money is available again.

    Example:

        settlement claims reject C-M001-2026-03-01 RECORD_ID --config settlement.yaml --reason "no invoice"
    """
    command = SendBack(claim, record_id, scrub(one_line(reason, "--reason")), to_correct=False)
    _do(config, set_, command, dry_run, f"{record_id} rejected: its money is available again", json)


@claims.command("correct")
def correct(
    claim: Claim,
    record_id: RecordId,
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Send a line back to be corrected: it is payable again, and goes into another claim.

    Example:

        settlement claims correct C-M001-2026-03-01 RECORD_ID --config settlement.yaml --reason "no photo"
    """
    command = SendBack(claim, record_id, scrub(one_line(reason, "--reason")), to_correct=True)
    _do(config, set_, command, dry_run, f"{record_id} is payable again, to be claimed once more", json)


@claims.command("repaid")
def repaid(
    record_id: RecordId,
    config: Config,
    reference: Reference,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Book that a merchant has repaid the grant of goods returned after payout, or that it was netted.

    Example:

        settlement claims repaid RECORD_ID --config settlement.yaml --reference "示例行202604010007"
    """
    command = Repay(record_id, one_line(reference, "--reference"))
    _do(config, set_, command, dry_run, f"{record_id} repaid: the merchant owes nothing for it", json)


@claims.command("enter-late")
def enter_late(
    record_id: RecordId,
    config: Config,
    reference: Reference,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let a late grant enter the pool when its money, serial number and quota are still there.

    Example:

        settlement claims enter-late RECORD_ID --config settlement.yaml --reference "示例商务局〔2026〕8号"
    """
    command = EnterLate(record_id, one_line(reference, "--reference"))
    _do(config, set_, command, dry_run, f"{record_id} is payable", json)


@claims.command("show")
def show(
    config: Config,
    claim: Annotated[str | None, typer.Argument(help="The claim's name; without it all are listed.")] = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Print a claim with its lines, or all claims with their totals.

    Example:

        settlement claims show C-M001-2026-03-01 --config settlement.yaml
    """

    def work() -> Shown:
        with reading(_open(config, set_).engine) as connection:
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
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Close a programme year for good: nothing of it is promised again. Open holds are carried, and listed.

    Exit 4 when holds of the year are open. Look first, with --dry-run: a year is never opened again.

    Example:

        settlement year close 2026 --config settlement.yaml --dry-run
    """

    def work() -> Shown:
        centre = _open(config, set_)
        _ask(centre, CloseYear(programme_year), dry_run)
        record = tables.record.c
        query = (
            select(record.record_id, record.subsidy_fen)
            .where(record.state == "HELD", record.year == programme_year)
            .order_by(record.record_id)
        )
        with reading(centre.engine) as connection:
            holds = [(row.record_id, row.subsidy_fen) for row in connection.execute(query)]
        carried = sum(fen for _, fen in holds)
        document = {
            "year": programme_year,
            "dry_run": dry_run,
            "open_holds": [{"record_id": record_id, "fen": fen} for record_id, fen in holds],
            "carried_fen": carried,
        }
        lines = [
            f"{programme_year} {'would be' if dry_run else 'is'} closed; "
            f"carried: {len(holds)} open holds, {yuan(carried)}",
            *(f"  {record_id}  {yuan(fen):>14}" for record_id, fen in holds),
        ]
        return Shown(document, lines, 4 if holds else 0)

    run(work, json)


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _ask(centre: Centre, command: Command, dry_run: bool) -> Answer:
    (answer,) = centre.writer(_raise).write_now([command], dry_run)
    if isinstance(answer, Denied):
        raise Refused(answer.detail, 2 if answer.status == 404 else 6)
    return answer


def _do(config: Path, set_: list[str] | None, command: Command, dry_run: bool, done: str, json: bool) -> None:
    """Run a command of which there is nothing more to say than that it was done."""

    def work() -> Shown:
        _ask(_open(config, set_), command, dry_run)
        document = {"dry_run": dry_run, "done": msgspec.to_builtins(command)}
        return Shown(document, [f"dry run, nothing was changed; it would be: {done}" if dry_run else done])

    run(work, json)


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


def _raise(wrong: BaseException) -> None:
    raise wrong
