"""Which holds does *files* end, and which sales does it find paid? Pure.

The fourth proof: a hold's time is over, and every source in whose files its payment could stand has
given the files of its day and the next, whole. No row, or rows that come to nothing: it was not paid. Rows
that come to what was asked: it was, and the shop's own record is still to come. Anything else is a
difference, and the hold stays; so it does while nobody can say who bore a part of its payment.

Where a row may name no order, no row with our number proves little: one at the hold's terminal, of its very
amount and within its time, that nobody claims may be its payment, and keeps it. So it does at a terminal of
which no row names any, whatever `night.yaml` says of its acquirer.
"""

from collections.abc import Iterable, Sequence

import msgspec

from settlement.reconcile.borne import unexplained
from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import Story, day_of
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import Line
from settlement.reconcile.match import Finding, days_between, next_day, standing
from settlement.reconcile.sales import Files
from settlement.writer.rows import Record
from subsidy import ids
from subsidy.policy.model import Tender


class NotPaid(msgspec.Struct, frozen=True):
    """The files prove that a hold was not paid. Its time is over at `over_ms`."""

    record_id: str
    over_ms: int
    why: str


class FoundPaid(msgspec.Struct, frozen=True):
    """The files prove that a hold was paid, by the payment `pay_ref`."""

    record_id: str
    over_ms: int
    pay_ref: str
    fen: int
    why: str


class Awaited(msgspec.Struct, frozen=True):
    """What files wait for: `over_ms` to be past, and these `files` (source, day) to be here, whole."""

    over_ms: int
    days: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def awaited(record: Record, day: str, tender: Tender | None, config: NightConfig) -> Awaited | None:
    """Return what is waited for, or None when no source has such payments: files never end it."""
    if tender is None or not config.covering(record.shop, tender):
        return None
    # Another attempt may have gone another way, so every source of the shop is asked.
    sources = config.covering(record.shop)
    longest_s = max(one.longest_payment_s for one in sources)
    over_ms = record.placed_at_ms + (record.held_for_s + longest_s) * 1000
    days = days_between(day, max(next_day(day), day_of(over_ms)))
    return Awaited(over_ms, days, tuple((one.name, each) for one in sources for each in days))


def proved(
    story: Story,
    lines: Iterable[Line],
    config: NightConfig,
    files: Files,
    now_ms: int,
    free: Sequence[Line] = (),
) -> NotPaid | FoundPaid | Finding | None:
    """Return what the files prove of a hold, or None while they prove nothing.

    Args:
        story: a record that is HELD.
        lines: all rows of the sale.
        config: the sources that could have it.
        files: what has come.
        now_ms: the centre's time.
        free: rows that name no order, are nobody's and may be its payment.
    """
    record = story.record
    waits = awaited(record, story.day, story.tender, config) if record.state == "HELD" else None
    if waits is None or now_ms <= waits.over_ms or not files.whole.issuperset(waits.files):
        return None
    over_ms, days = waits.over_ms, waits.days
    counted, all_straight = standing(story, lines, config)
    net: dict[str, int] = {}
    for line in counted:
        net[line.pay_ref] = net.get(line.pay_ref, 0) + line.net_fen
    paid = {pay_ref: fen for pay_ref, fen in net.items() if fen}
    why = f"files {days[0]} to {days[-1]}"
    if not all_straight:
        return None  # each of its rows is a difference already
    may_be = None if paid else may_be_paid(story, free, config)
    if may_be is not None:
        return may_be
    if not paid and config.may_be_cash(story.day):
        return None  # cash leaves no row: where it may be taken, none proves nothing
    if not paid:
        return NotPaid(record.record_id, over_ms, why)
    pay_ref = sorted(paid)[-1]
    if list(paid.values()) == [record.to_pay_fen]:
        of_it = [one for one in counted if one.pay_ref == pay_ref]
        return _not_explained(story, pay_ref, of_it) or FoundPaid(
            record.record_id, over_ms, pay_ref, record.to_pay_fen, why
        )
    total = sum(paid.values())
    places = tuple(one.place for one in counted)
    detail = f"the files say {total} fen, the promise {record.to_pay_fen}"
    return Finding(
        Kind.AMOUNT,
        pay_ref,
        record.record_id,
        abs(total - record.to_pay_fen),
        counted[-1].day,
        places,
        detail,
    )


def _not_explained(story: Story, pay_ref: str, lines: Sequence[Line]) -> Finding | None:
    found = unexplained(story, pay_ref, lines)
    if found is None:
        return None
    places = tuple(one.place for one in found.lines)
    kind, day = Kind.CHANNEL_DISCOUNT, found.lines[-1].day
    return Finding(kind, pay_ref, story.record_id, found.fen, day, places, found.detail)


def may_be_paid(story: Story, free: Sequence[Line], config: NightConfig) -> Finding | None:
    """Return that a sale may have been paid by rows that are nobody's, or None when there are none."""
    return _of_nobodys_rows(Kind.MAY_BE_THIS_PAYMENT, story, free, config)


def charged_beside(story: Story, beside: Sequence[Line], config: NightConfig) -> Finding | None:
    """Return that rows may have been charged for a sale that was then not paid, or None."""
    return _of_nobodys_rows(Kind.CHARGED_BESIDE, story, beside, config)


def _of_nobodys_rows(kind: Kind, story: Story, lines: Sequence[Line], config: NightConfig) -> Finding | None:
    if not lines:
        return None
    record, places = story.record, tuple(one.place for one in lines)
    detail = f"{record.to_pay_fen} fen at terminal {record.terminal_no}"
    wrong = sorted({one.source for one in lines if config.sources[one.source].names_orders})
    if wrong:
        detail += (
            f"; night.yaml says that {wrong[0]} names every order, and no row of this terminal has in a "
            "month: if it cannot, write names_orders: false"
        )
    return Finding(
        kind,
        ids.pay_ref(record.record_id, 1),
        record.record_id,
        record.to_pay_fen,
        lines[-1].day,
        places,
        detail,
    )
