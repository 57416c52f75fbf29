"""What does a return, as far as it is known, do to its record? Pure, and safe to ask again at any time.

While the refund is under way the line is held back. A refused refund lets it go. Once the shopper has
the money back, quota and serial number are free, and the grant goes back from where it stands: before a
claim at once, in a claim when that is paid, after payout as what the merchant owes.
"""

from settlement.funds import open_items
from settlement.funds.blocks import has_line
from settlement.intake.events import DifferenceOpened
from settlement.ledger.post import Booking, Happening
from settlement.returns.events import GoodsFreed, GrantReturned, LineFreed, LineHeldBack
from settlement.returns.hear import REFUNDED, RETURNING, Word, fits
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import GoodsReturn, Record
from settlement.writer.step import Emit, Setting
from subsidy import calendar
from subsidy.policy.model import must

UNDER_WAY = "returning"
BACK = "returned"
DIFFERS = "return_differs"

_GOES_BACK = {
    "PAYABLE": Happening.RETURNED_UNCLAIMED,
    "BLOCKED": Happening.RETURNED_UNCLAIMED,
    "PAID_OUT": Happening.RETURNED_AFTER_PAYOUT,
    "RELEASED": Happening.LATE_GRANT_RETURNED,
}


def keys_of(record_id: str, entry: object, rows: Rows) -> list[Wanted]:
    """Ask for what ends with a record whose goods come back, be it that an entry says so or was heard to."""
    known = rows.get(GoodsReturn, record_id) if rows.has((GoodsReturn, (record_id,))) else None
    record = rows.get(Record, record_id) if rows.has((Record, (record_id,))) else None
    # A sale that the files found paid goes back with its shop's word that it was not.
    may_go_back = isinstance(entry, Word) or known is not None or (record is not None and record.recovered)
    return open_items.keys(record_id) if may_go_back else []


def follow(rows: Rows, record_id: str, setting: Setting, at_ms: int, emit: Emit) -> None:
    """Let the record follow its return, if there is one."""
    known, record = rows.get(GoodsReturn, record_id), rows.want(Record, record_id)
    if known is None or _waits_for_its_sale(record):
        return
    if not fits(record, known.refund_no) or known.refund_fen != record.paid_fen:
        _differs(record, known, setting, at_ms, emit)
    elif known.state == REFUNDED:
        _give_back(rows, record, known, setting, emit, at_ms)
    elif known.state == RETURNING:
        if has_line(record) and UNDER_WAY not in record.blocks:
            why = f"its goods are being returned, refund {known.refund_no}"
            emit(LineHeldBack(record_id=record_id, reason=UNDER_WAY, why=why, owner=setting.owner(at_ms)))
    elif UNDER_WAY in record.blocks:
        emit(LineFreed(record_id=record_id, reason=UNDER_WAY))


def _give_back(
    rows: Rows, record: Record, known: GoodsReturn, setting: Setting, emit: Emit, at_ms: int
) -> None:
    if record.state != "RELEASED" and not known.freed:
        day = calendar.business_day(calendar.from_ms(record.placed_at_ms))
        # Of what is free already nothing is given back, and a late grant may not know its day.
        restores = not record.goods_freed and must(setting.pack.return_restores_quota, day).value
        emit(GoodsFreed(record_id=record.record_id, restores_quota=restores))
    happening = _GOES_BACK.get(record.state)
    if happening is not None:
        booking = Booking(happening, record.year, record.parts, record.pool)
        emit(GrantReturned(record_id=record.record_id, booking=booking))
        open_items.end(rows, record.record_id, at_ms, emit)
    elif record.state == "IN_CLAIM" and BACK not in record.blocks:
        why, owner = "its goods were returned", setting.owner(at_ms)
        emit(LineHeldBack(record_id=record.record_id, reason=BACK, why=why, owner=owner))
        emit(LineFreed(record_id=record.record_id, reason=UNDER_WAY))
        open_items.end(rows, record.record_id, at_ms, emit)


def _differs(record: Record, known: GoodsReturn, setting: Setting, at_ms: int, emit: Emit) -> None:
    """Hold back the line of a sale whose return came ahead of it and is not of its payment."""
    if DIFFERS in record.blocks:
        return
    why, owner = f"refund {known.refund_no} came ahead of its sale and does not fit it", setting.owner(at_ms)
    subject = record.record_id
    emit(DifferenceOpened(subject=subject, kind=DIFFERS, owner=owner, detail=why, at_ms=at_ms))
    emit(LineHeldBack(record_id=subject, reason=DIFFERS, why=why, owner=owner))


def _waits_for_its_sale(record: Record) -> bool:
    return record.state in ("HELD", "KEPT") or (record.state, record.money) == ("RELEASED", None)
