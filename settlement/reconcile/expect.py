"""What do the shops' entries say that the files should hold? Pure.

A `Story` is everything the centre knows of one sale: where its record stands, each try to take money
as its newest entry has it, its return, and what two people have said of who bore a part of a payment.
"""

from collections.abc import Iterable

import msgspec

from settlement.writer.rows import EntryRow, GoodsReturn, OfferExplanation, Record
from subsidy import calendar
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.wire import v1

_LAST_MS = 32_503_651_200_000  # the year 3000: a device may have written any number
OPEN = ("INTENDED", "UNKNOWN", "REVERSING", "GIVING_BACK")
BOOKED = ("PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT", "AVAILABLE_AGAIN", "RETURNED")


class Attempt(msgspec.Struct, frozen=True):
    """One try to take money. `fen` is what the files should show when its `state` is PAID.

    `begun_ms` and `ended_ms` are by the device's clock, as far as the centre's can bear it out. `evidence` is
    what the other side said of it, as its shop has it.
    """

    pay_ref: str
    tender: Tender
    state: str
    fen: int
    begun_ms: int
    ended_ms: int
    evidence: Evidence = Evidence()


class Return(msgspec.Struct, frozen=True):
    """The return of a sale: RETURNING, REFUNDED or REFUSED; `ended_ms` is None while it is open."""

    pay_ref: str
    refund_no: str
    fen: int
    state: str
    begun_ms: int
    ended_ms: int | None
    evidence: Evidence = Evidence()


class Story(msgspec.Struct, frozen=True):
    """A sale as the centre knows it. An end that came without a hold has no shop and no tender.

    `is_told` says that its shop has reported how it ended, `host_is_gone` that nothing its host still had to
    say is believed any more.
    """

    record: Record
    day: str
    tender: Tender | None
    attempts: tuple[Attempt, ...]
    goods_return: Return | None
    is_told: bool = False
    explanations: tuple[OfferExplanation, ...] = ()
    host_is_gone: bool = False

    def explained(self, pay_ref: str) -> OfferExplanation | None:
        """Return what people have said of a payment, None when they have not."""
        return next((one for one in self.explanations if one.pay_ref == pay_ref), None)

    @property
    def in_files_fen(self) -> int:
        """What its rows come to when all is as its record says: nothing where it was paid in cash."""
        paid = next((one for one in self.attempts if one.pay_ref == self.record.pay_ref), None)
        return 0 if paid is not None and paid.tender is Tender.CASH else self.record.to_pay_fen

    @property
    def may_be_paid(self) -> bool:
        """Whether a payment of it may be one that nobody has told of.

        Nobody has said that it was paid, and not its shop that it was not; or a try was left open for good.
        """
        is_over = self.record.state == "RELEASED" and self.record.money is None
        is_left = self.host_is_gone and any(one.state in OPEN for one in self.attempts)
        return self.record.state == "HELD" or (is_over and not self.is_told) or is_left

    @property
    def is_unpaid(self) -> bool:
        """Whether a card was tried and its shop has said that nothing was paid."""
        is_over = self.record.state == "RELEASED" and self.record.money is None
        tried = any(one.tender is Tender.CARD and one.state == "NOT_PAID" for one in self.attempts)
        return is_over and self.is_told and tried

    @property
    def record_id(self) -> str:
        """The sale's id."""
        return self.record.record_id

    @property
    def is_booked(self) -> bool:
        """Whether the fund has booked it as paid, or would have if it had come in time."""
        return self.record.state in BOOKED


def tell(
    record: Record,
    entries: Iterable[EntryRow],
    goods_return: GoodsReturn | None,
    explanations: Iterable[OfferExplanation] = (),
    host_is_gone: bool = False,
) -> Story:
    """Return the story of a record from the entries about it that were taken, and what people have said."""
    attempts: dict[str, Attempt] = {}
    heard_ms = 0
    refunded = Evidence()
    is_told = False
    for row in sorted(entries, key=lambda one: (one.device, one.epoch, one.seq, one.hash)):
        entry = msgspec.json.decode(row.body, type=v1.Entry)
        if isinstance(entry, v1.Paid | v1.Closed):
            told, is_told = entry.attempts, True
        elif isinstance(entry, v1.Supplement):
            told = (entry.attempt,)
        else:
            heard_ms = max(heard_ms, row.taken_ms)
            if isinstance(entry, v1.Returned) and entry.refunded:
                refunded = entry.evidence
            continue
        for one in told:
            known = attempts.get(one.pay_ref)
            # What is told anew never turns a card that files have to show into cash, which none does.
            tender = one.tender if known is None else known.tender
            attempts[one.pay_ref] = _attempt(one, tender, record.placed_at_ms, row.taken_ms)
    return Story(
        record=record,
        day=day_of(record.placed_at_ms or _made_ms(record.record_id)),
        tender=tender_of(record.promise),
        attempts=tuple(attempts[ref] for ref in sorted(attempts)),
        goods_return=None
        if goods_return is None
        else _return(goods_return, record.placed_at_ms, heard_ms, refunded),
        is_told=is_told,
        explanations=tuple(explanations),
        host_is_gone=host_is_gone,
    )


def day_of(at_ms: int) -> str:
    """Return the day in Shanghai of Unix milliseconds, as 2026-01-31."""
    return calendar.business_day(calendar.from_ms(min(at_ms, _LAST_MS))).isoformat()


def _attempt(one: v1.Attempt, tender: Tender, placed_ms: int, taken_ms: int) -> Attempt:
    # A device's clock may say anything; no payment began before its hold, or ended after we heard of it.
    begun_ms = min(max(one.begun_ms, placed_ms), taken_ms)
    ended_ms = begun_ms if one.ended_ms is None else min(max(one.ended_ms, begun_ms), taken_ms)
    return Attempt(
        pay_ref=one.pay_ref,
        tender=tender,
        state=one.state,
        fen=one.amount_fen if one.approved_fen is None else one.approved_fen,
        begun_ms=begun_ms,
        ended_ms=ended_ms,
        evidence=one.evidence,
    )


def _return(row: GoodsReturn, placed_ms: int, heard_ms: int, refunded: Evidence) -> Return:
    heard_ms = max(heard_ms, row.heard_ms)
    begun_ms = row.heard_ms if row.begun_ms is None else min(max(row.begun_ms, placed_ms), heard_ms)
    return Return(
        pay_ref=row.refund_no[:-1],
        refund_no=row.refund_no,
        fen=row.refund_fen,
        state=row.state,
        begun_ms=begun_ms,
        ended_ms=None if row.ended_ms is None else min(max(row.ended_ms, begun_ms), heard_ms),
        evidence=refunded,
    )


class _Asked(msgspec.Struct, frozen=True):
    tender: Tender


def tender_of(promise: bytes) -> Tender | None:
    """Return the way of paying that a promise was given for, None when there is no promise."""
    return msgspec.json.decode(promise, type=_Asked).tender if promise else None


def _made_ms(record_id: str) -> int:
    return int(record_id.replace("-", "")[:12], 16)
