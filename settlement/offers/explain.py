"""Who bore a part of a payment, where a file says that others did and the shop's record not the same?

Two people have asked the channel. Whoever it was, the night finds no difference in it any more, and what a
bank or channel owes the shop is booked. When it was the subsidy itself, the difference stays and holds the
line back: nobody pays it twice. Until the difference is closed, two people may say it anew; what they said
before stands in the log.
"""

from settlement.claims.repaid import record_unknown
from settlement.offers import take
from settlement.offers.bearers import BorneBy, owed
from settlement.reconcile.events import DifferenceSettled
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import record_of, sale_of
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference, GoodsReturn, OfferExplanation, Record
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event
from subsidy.money import yuan
from subsidy.policy.split import Part

_KIND = Kind.CHANNEL_DISCOUNT.value


class ExplainOffer(Decision, frozen=True, tag="explain_offer"):
    """People have found out who bore `fen` of a payment; `reference` names what shows it."""

    pay_ref: str
    borne_by: BorneBy
    fen: int
    reference: str


class OfferExplained(Event, frozen=True, kw_only=True, tag="offer_explained"):
    """It is known who bore a part of a payment."""

    explanation: OfferExplanation

    def fold(self, rows: Rows) -> None:
        """Put it, over what was said before."""
        rows.put(self.explanation)

    def about(self) -> str:
        """The record whose payment it is."""
        return self.explanation.record_id


def keys(command: ExplainOffer, rows: Rows) -> list[Wanted]:
    """Ask for the difference, the record, its return, and what was said and booked of the payment."""
    wanted: list[Wanted] = [(Difference, (command.pay_ref, _KIND))]
    record_id = record_of(sale_of(command.pay_ref))
    if record_id is None:
        return wanted
    key = (Record, (record_id,))
    record = rows.get(Record, record_id) if rows.has(key) else None
    year = None if record is None else record.year
    wanted += [key, (GoodsReturn, (record_id,))]
    return wanted + take.keys_of(record_id, command.pay_ref, _part(command), year, rows)


def decide(rows: Rows, command: ExplainOffer, at_ms: int, emit: Emit) -> Answer:
    """Note it and let what follows from it happen, or say what stands against it."""
    item = rows.get(Difference, command.pay_ref, _KIND)
    if item is None or item.closed_ms is not None:
        detail = f"no {_KIND} of this payment is open. Name the payment as GET /v1/differences shows it"
        return Denied(409, "NO_OFFER_TO_EXPLAIN", detail)
    if item.fen != command.fen:
        detail = (
            f"the files have {yuan(item.fen)} of it, not {yuan(command.fen)}. Look at the difference again"
        )
        return Denied(409, "OFFER_AMOUNT_DIFFERS", detail)
    record_id = record_of(sale_of(command.pay_ref))
    record = None if record_id is None else rows.get(Record, record_id)
    if record is None:
        return record_unknown()
    emit(
        OfferExplained(
            explanation=OfferExplanation(
                pay_ref=command.pay_ref,
                record_id=record.record_id,
                fen=command.fen,
                borne_by=command.borne_by.value,
                reference=command.reference,
                decided_by=command.by,
                decided_ms=at_ms,
            )
        )
    )
    if command.borne_by is not BorneBy.SUBSIDY:
        emit(
            DifferenceSettled(
                subject=item.subject, kind=item.kind, record_id=record.record_id, unblocks=True, at_ms=at_ms
            )
        )
    take.correct(rows, record.record_id, _part(command), emit)
    take.follow(rows, record.record_id, emit)
    return Done()


def _part(command: ExplainOffer) -> Part | None:
    return owed(command.borne_by, command.fen)
