"""Who owes a shop what a bank or channel bore of a payment?

An offer stacks on top: what is due after the subsidy is the amount that the link takes, and the bank or
channel bears a part of it and pays that to the shop, the payee. It is booked beside the pool, under whoever
bears it, and goes back with the goods. What the shop itself bore is owed by nobody: it stays in the evidence.
"""

from msgspec.structs import replace

from settlement.funds import blocks
from settlement.ledger.post import Booking, Happening
from settlement.returns.hear import REFUNDED
from settlement.writer.batch import BalancesOf, Rows, Wanted
from settlement.writer.rows import GoodsReturn, Offer, Record
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
    for one in entry.attempts:
        if one.state == "PAID" and one.evidence.offer_fen:
            return Part(_payer(one), one.evidence.offer_fen)
    return None


def keys(record_id: str, entry: object, year: int | None, rows: Rows) -> list[Wanted]:
    """Ask for a record's offer and the balances that it is or will be booked in."""
    key = (Offer, (record_id,))
    wanted: list[Wanted] = [key]
    part = offered(entry) if isinstance(entry, v1.Paid) else None
    if part is not None and year is not None:
        wanted.append(BalancesOf(part.funder, year, _POOL))
    known = rows.get(Offer, record_id) if rows.has(key) else None
    if known is not None:
        wanted.append(BalancesOf(known.payer, known.year, _POOL))
    return wanted


def take(rows: Rows, record_id: str, entry: v1.Paid, emit: Emit) -> None:
    """Book what was borne of a payment, once it has become a line."""
    part, record = offered(entry), rows.want(Record, record_id)
    if part is None or part.fen > entry.paid_fen:
        return
    if not blocks.has_line(record) or rows.get(Offer, record_id) is not None:
        return
    booking = Booking(Happening.BANK_OFFER_TAKEN, record.year, (part,), _POOL)
    emit(OfferTaken(offer=Offer(record_id, part.funder, part.fen, record.year), booking=booking))


def follow(rows: Rows, record_id: str, emit: Emit) -> None:
    """Let the offer follow the return of its goods, if there is one."""
    known, offer = rows.get(GoodsReturn, record_id), rows.get(Offer, record_id)
    if offer is None or offer.went_back or known is None or known.state != REFUNDED:
        return
    part = Part(offer.payer, offer.fen)
    booking = Booking(Happening.BANK_OFFER_WENT_BACK, offer.year, (part,), _POOL)
    emit(OfferWentBack(record_id=record_id, booking=booking))


def _payer(attempt: v1.Attempt) -> str:
    """Return the name under which it is booked: no funder of a pool has one like it."""
    if attempt.tender is Tender.CARD:
        return "offer:bank"
    channel = attempt.terminal_no.partition("@")[0].lower()
    return f"offer:{channel if channel in {*Wallet} else 'other'}"
