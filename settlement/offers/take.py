"""Who owes a shop what a bank or channel bore of a payment?

An offer stacks on top: what is due after the subsidy is the amount that the link takes, and the bank or
channel bears a part of it and pays that to the shop, the payee. It is booked beside the pool, under whoever
bears it, and goes back with the goods. What the shop itself bore is owed by nobody: it stays in the evidence.
What two people have said of a payment (`explain.py`) goes before what its shop's evidence says.
"""

from msgspec.structs import replace

from settlement.funds import blocks
from settlement.intake.judge import pay_ref_of
from settlement.ledger.post import Booking, Happening
from settlement.offers.bearers import BorneBy, owed_by, payer
from settlement.returns.hear import REFUNDED
from settlement.writer.batch import BalancesOf, Rows, Wanted
from settlement.writer.rows import GoodsReturn, Offer, OfferExplanation, Record
from settlement.writer.step import Emit, MoneyEvent
from subsidy.policy.model import Tender
from subsidy.policy.split import Part
from subsidy.wallets import Wallet
from subsidy.wire import v1

_POOL = ""


class OfferTaken(MoneyEvent, frozen=True, kw_only=True, tag="offer_taken"):
    """A bank or channel has borne a part of a payment that counts."""

    offer: Offer

    def fold(self, rows: Rows) -> None:
        """Put it."""
        rows.put(self.offer)

    def about(self) -> str:
        """The record whose payment it is."""
        return self.offer.record_id


class OfferNotOwed(MoneyEvent, frozen=True, kw_only=True, tag="offer_not_owed"):
    """Whoever was booked to have borne a part of a payment did not, or not so much."""

    record_id: str

    def fold(self, rows: Rows) -> None:
        """Nothing is owed of it."""
        rows.put(replace(rows.want(Offer, self.record_id), fen=0))


class OfferWentBack(MoneyEvent, frozen=True, kw_only=True, tag="offer_went_back"):
    """The goods came back, and with the payment whoever bore a part of it has that again."""

    record_id: str

    def fold(self, rows: Rows) -> None:
        """Note it, once."""
        known = rows.want(Offer, self.record_id)
        assert not known.went_back
        rows.put(replace(known, went_back=True))


def offered(entry: v1.Paid) -> Part | None:
    """Return who bore how much of the payment that counts, None when nobody did."""
    return next((part for one in entry.attempts if (part := _part(one)) is not None), None)


def keys(record_id: str, entry: object, year: int | None, rows: Rows) -> list[Wanted]:
    """Ask for a record's offer, what people say of it, and the balances that it is or will be booked in."""
    if isinstance(entry, v1.Paid):
        return keys_of(record_id, pay_ref_of(entry), offered(entry), year, rows)
    if isinstance(entry, v1.Supplement):
        record = rows.get(Record, record_id) if rows.has((Record, (record_id,))) else None
        year = None if record is None else record.year
        return keys_of(record_id, entry.attempt.pay_ref, _part(entry.attempt), year, rows)
    return keys_of(record_id, "", None, None, rows)


def keys_of(record_id: str, pay_ref: str, part: Part | None, year: int | None, rows: Rows) -> list[Wanted]:
    """Ask for the same where a payment and what may be owed of it are known."""
    key, said_key = (Offer, (record_id,)), (OfferExplanation, (pay_ref,))
    wanted: list[Wanted] = [key]
    parts = [part]
    if pay_ref:
        wanted.append(said_key)
        said = rows.get(OfferExplanation, pay_ref) if rows.has(said_key) else None
        parts.append(None if said is None else owed_by(said))
    if year is not None:
        wanted += [BalancesOf(one.funder, year, _POOL) for one in parts if one is not None]
    known = rows.get(Offer, record_id) if rows.has(key) else None
    if known is not None:
        wanted.append(BalancesOf(known.payer, known.year, _POOL))
    return wanted


def take(rows: Rows, record_id: str, entry: v1.Paid, emit: Emit) -> None:
    """Book what was borne of the payment that counts, once it has become a line."""
    if rows.get(Offer, record_id) is not None or take_explained(rows, record_id, pay_ref_of(entry), emit):
        return
    record, part = rows.want(Record, record_id), offered(entry)
    if part is None or part.fen > entry.paid_fen or pay_ref_of(entry) != record.pay_ref:
        return
    if _is_granted(record):
        _book(rows, record_id, part, emit)


def take_anew(rows: Rows, entry: v1.Supplement, emit: Emit) -> None:
    """Book what a shop says anew of the payment that counts, unless people have said what it was."""
    pay_ref, part = entry.attempt.pay_ref, _part(entry.attempt)
    record = rows.want(Record, entry.record_id)
    if part is None or part.fen > record.paid_fen or pay_ref != record.pay_ref:
        return
    if rows.get(OfferExplanation, pay_ref) is None:
        correct(rows, entry.record_id, part, emit)
        follow(rows, entry.record_id, emit)


def take_explained(rows: Rows, record_id: str, pay_ref: str, emit: Emit) -> bool:
    """Book what people said of a payment before it became a line; return whether they have said anything."""
    said = rows.get(OfferExplanation, pay_ref) if pay_ref else None
    if said is not None:
        correct(rows, record_id, owed_by(said), emit)
    return said is not None


def correct(rows: Rows, record_id: str, part: Part | None, emit: Emit) -> None:
    """Let what is booked of a payment be `part`, or nothing, unless it is no line yet or went back."""
    record, known = rows.want(Record, record_id), rows.get(Offer, record_id)
    booked = None if known is None or known.fen == 0 else Part(known.payer, known.fen)
    if part == booked or not _is_granted(record) or (known is not None and known.went_back):
        return
    if known is not None and booked is not None:
        booking = Booking(Happening.BANK_OFFER_WENT_BACK, known.year, (booked,), _POOL)
        emit(OfferNotOwed(record_id=record_id, booking=booking))
    if part is not None:
        _book(rows, record_id, part, emit)


def _book(rows: Rows, record_id: str, part: Part, emit: Emit) -> None:
    year = rows.want(Record, record_id).year
    booking = Booking(Happening.BANK_OFFER_TAKEN, year, (part,), _POOL)
    emit(OfferTaken(offer=Offer(record_id, part.funder, part.fen, year), booking=booking))


def follow(rows: Rows, record_id: str, emit: Emit) -> None:
    """Let the offer follow the return of its goods, if there is one."""
    known, offer = rows.get(GoodsReturn, record_id), rows.get(Offer, record_id)
    if offer is None or offer.went_back or known is None or known.state != REFUNDED:
        return
    part = Part(offer.payer, offer.fen)
    booking = Booking(Happening.BANK_OFFER_WENT_BACK, offer.year, (part,), _POOL)
    emit(OfferWentBack(record_id=record_id, booking=booking))


def _is_granted(record: Record) -> bool:
    # What files found paid may be paid out before its shop tells of it.
    return blocks.has_line(record) or record.state == "PAID_OUT"


def _part(attempt: v1.Attempt) -> Part | None:
    """Return who bore how much of a try, None when nobody did or it was not paid."""
    fen = attempt.evidence.offer_fen
    return Part(payer(_bearer(attempt)), fen) if attempt.state == "PAID" and fen else None


def _bearer(attempt: v1.Attempt) -> str:
    if attempt.tender is Tender.CARD:
        return BorneBy.BANK
    channel = attempt.terminal_no.partition("@")[0].lower()
    return channel if channel in {*Wallet} else BorneBy.OTHER
