"""What becomes of a sale that its shop has closed: not paid, or given back?

One that is held ends. One that the files found paid while its shop was silent is the shop's again: the
shopper has the money back, so the grant goes back as it does with returned goods, from wherever it stands.
"""

from settlement.funds import holds
from settlement.funds.holds import Buried
from settlement.intake.events import RecoveryMerged
from settlement.offers import take as offers
from settlement.returns.events import GoodsFreed, ReturnHeard
from settlement.returns.follow import follow
from settlement.returns.hear import REFUNDED
from settlement.writer.batch import Rows
from settlement.writer.rows import GoodsReturn, Record
from settlement.writer.step import Emit, Setting
from subsidy import ids
from subsidy.wire import v1

_NEVER_PAID = ("NOT_PAID", "GIVEN_BACK")
_NOT_KNOWN = "its shop has closed it, and knows nothing of the payment in the channel's file"


def take_closed(
    rows: Rows, device: str, epoch: int, entry: v1.Closed, seq: int, setting: Setting, at_ms: int, emit: Emit
) -> str:
    """Take a closed entry of a device and return an empty text, or return why it cannot be taken."""
    if any(attempt.state not in _NEVER_PAID for attempt in entry.attempts):
        return "a closed sale with an attempt that may be paid"
    record = rows.get(Record, entry.record_id)
    if record is None:
        emit(
            Buried(
                record_id=entry.record_id,
                device=device,
                epoch=epoch,
                hold_no=entry.hold_no,
                why=f"closed: {entry.why}",
                at_ms=at_ms,
            )
        )
        return ""
    if record.hold_no != entry.hold_no:
        return "the hold number is not the record's"
    is_open = record.state == "HELD" or record.recovered
    if is_open and rows.get(GoodsReturn, record.record_id) is not None:
        return "a closed sale whose goods are being returned"
    if record.recovered:
        _merge(rows, record, entry, seq, setting, at_ms, emit)
    elif record.state == "HELD":
        holds.end(record, f"closed: {entry.why}", at_ms, emit)
    elif record.state != "RELEASED":
        return f"the record is {record.state} and cannot be closed"
    return ""


def _merge(
    rows: Rows, record: Record, entry: v1.Closed, seq: int, setting: Setting, at_ms: int, emit: Emit
) -> None:
    """Hold the shop's word against what was booked from the channel's file."""
    paid = next((one for one in entry.attempts if one.pay_ref == record.pay_ref), None)
    record_id, owner = record.record_id, setting.owner(at_ms)
    why = _NOT_KNOWN if paid is None else ""
    emit(RecoveryMerged(record_id=record_id, pay_ref=record.pay_ref, why=why, owner=owner, at_ms=at_ms))
    if paid is None:
        return
    # The files have shown it taken: not paid is reversed since, and a file of that day has to show it.
    back = GoodsReturn(
        record_id,
        REFUNDED,
        ids.refund_no(record.pay_ref),
        record.paid_fen,
        at_ms,
        reason=f"closed: {entry.why}",
        begun_ms=paid.begun_ms,
        ended_ms=paid.ended_ms,
        ended_seq=seq,
    )
    emit(ReturnHeard(goods_return=back))
    # Nothing was sold, so the person has the quota again whatever the programme says of returned goods.
    emit(GoodsFreed(record_id=record_id, restores_quota=True))
    follow(rows, record_id, setting, at_ms, emit)
    offers.follow(rows, record_id, emit)
