"""What becomes of a paid record?

One that fits its hold is booked at the promise; one that does not is kept. One whose hold has ended is a
late grant. One that was booked from a channel's file already is held against that.
"""

from settlement.funds import freed_goods, holds
from settlement.intake import judge, rebuild
from settlement.intake.events import (
    LateRecordKept,
    LineBlocked,
    RecordBooked,
    RecordKept,
    RecoveryMerged,
)
from settlement.intake.read_upload import TakenEntry
from settlement.invoices import take as invoices
from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.offers import take as offers
from settlement.returns.events import LineHeldBack
from settlement.returns.follow import follow
from settlement.writer.batch import Rows
from settlement.writer.rows import GoodsReturn, Record
from settlement.writer.step import Emit, Setting
from subsidy.wire import v1


def take_paid(
    rows: Rows, device: str, epoch: int, taken: TakenEntry, setting: Setting, at_ms: int, emit: Emit
) -> str:
    """Take a paid entry of a device and return an empty text, or return why it cannot be taken."""
    entry, promise = taken.entry, taken.promise
    assert isinstance(entry, v1.Paid)
    assert promise is not None
    if (promise.device, promise.epoch, promise.programme, promise.record_id) != (
        device,
        epoch,
        setting.pack.programme,
        entry.record_id,
    ):
        return "its promise was given to another"
    if rows.get(Record, entry.record_id) is None:
        pool = rebuild.pool_of_promise(promise, rows, setting)
        if not balances.can_bear(rows, promise.split, promise.programme_year, pool):
            emit(rebuild.tombstone(promise, at_ms))
        else:
            emit(rebuild.rebuilt(rows, taken, entry, setting, at_ms))
    record = rows.want(Record, entry.record_id)
    known = rows.get(GoodsReturn, entry.record_id)
    if record.recovered:
        _merge(rows, record, taken, entry, setting, at_ms, emit)
    elif record.state == "HELD":
        _book(rows, record, taken, entry, setting, at_ms, emit)
    elif (record.state, record.money) == ("RELEASED", None) and (known is None or not known.money):
        _keep_late(rows, record, taken, entry, setting, at_ms, emit)
    else:
        return "the record was taken before"
    if invoices.needs_invoice(entry):
        reason, owner = invoices.NO_INVOICE, setting.owner(at_ms)
        emit(LineHeldBack(record_id=entry.record_id, reason=reason, why=invoices.WHY, owner=owner))
    offers.take(rows, entry.record_id, entry, emit)
    follow(rows, entry.record_id, setting, at_ms, emit)
    offers.follow(rows, entry.record_id, emit)
    return ""


def _book(
    rows: Rows,
    record: Record,
    taken: TakenEntry,
    entry: v1.Paid,
    setting: Setting,
    at_ms: int,
    emit: Emit,
) -> None:
    """Book a record at its promise, or keep it when it does not fit."""
    assert taken.promise is not None
    why = judge.misfits(record, entry, taken.promise_payload, taken.promise)
    if why:
        emit(RecordKept(record_id=record.record_id, why=why, owner=setting.owner(at_ms), at_ms=at_ms))
        return
    emit(
        RecordBooked(
            record_id=record.record_id,
            paid_fen=entry.paid_fen,
            pay_ref=judge.pay_ref_of(entry),
            at_ms=at_ms,
            booking=Booking(Happening.RECORD_BOOKED, record.year, record.parts, record.pool),
        )
    )
    _look_again(rows, record, taken, entry, setting, at_ms, emit)


def _merge(
    rows: Rows,
    record: Record,
    taken: TakenEntry,
    entry: v1.Paid,
    setting: Setting,
    at_ms: int,
    emit: Emit,
) -> None:
    """Hold the shop's own record against what was booked from the channel's file."""
    assert taken.promise is not None
    why = judge.misfits(record, entry, taken.promise_payload, taken.promise)
    pay_ref = judge.pay_ref_of(entry)
    if not why and record.pay_ref and pay_ref != record.pay_ref:
        why = "another payment of the record is in the channel's file"
    owner = setting.owner(at_ms)
    emit(RecoveryMerged(record_id=record.record_id, pay_ref=pay_ref, why=why, owner=owner, at_ms=at_ms))
    known = rows.get(GoodsReturn, record.record_id)
    # Nothing is left to hold back of one that was rejected, or whose goods are back and free for others.
    is_over = record.state == "AVAILABLE_AGAIN" or (known is not None and known.freed)
    if not why and not is_over:
        _look_again(rows, record, taken, entry, setting, at_ms, emit)


def _look_again(
    rows: Rows,
    record: Record,
    taken: TakenEntry,
    entry: v1.Paid,
    setting: Setting,
    at_ms: int,
    emit: Emit,
) -> None:
    """Decide again on the record's own facts; what differs holds back the line."""
    assert taken.promise is not None
    assert taken.facts is not None
    differs = judge.second_look(setting.pack, entry, taken.facts, taken.promise)
    if record.goods_freed:
        differs += freed_goods.taken_meanwhile(rows, record, setting.pack)
    elif holds.serial_is_anothers(rows, record):
        differs.append("its serial number was granted to another record")
    if differs:
        why = "; ".join(differs)
        emit(LineBlocked(record_id=record.record_id, why=why, owner=setting.owner(at_ms), at_ms=at_ms))


def _keep_late(
    rows: Rows,
    record: Record,
    taken: TakenEntry,
    entry: v1.Paid,
    setting: Setting,
    at_ms: int,
    emit: Emit,
) -> None:
    """Keep a paid record whose hold has ended as a late grant, beside the pool."""
    promise, facts = taken.promise, taken.facts
    assert promise is not None
    assert facts is not None
    why = judge.misfits(record, entry, taken.promise_payload, promise)
    differs = [why] if why else judge.second_look(setting.pack, entry, facts, promise)
    pool = record.pool if record.promise else rebuild.pool_of_promise(promise, rows, setting)
    emit(
        LateRecordKept(
            record_id=record.record_id,
            paid_fen=entry.paid_fen,
            pay_ref=judge.pay_ref_of(entry),
            parts=promise.split,
            sale=None if record.promise else rebuild.of_promise(rows, taken, entry, setting, at_ms),
            differs="; ".join(differs),
            owner=setting.owner(at_ms),
            at_ms=at_ms,
            booking=Booking(Happening.LATE_RECORD, promise.programme_year, promise.split, pool),
        )
    )
