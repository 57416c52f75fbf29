"""How is an upload taken in, exactly once?

Entries are taken one by one, in any order and any number of times; each gets an ack. A paid
record is booked at its promise, a closed one ends its hold, and what cannot be read goes to
quarantine so that the rest moves on. Then the device's statement may end holds that it forgot.
"""

import msgspec

from settlement.copies import restored
from settlement.devices.freeze import denied, freeze
from settlement.funds import holds
from settlement.intake import rebuild
from settlement.intake.events import (
    QUARANTINED,
    DifferenceOpened,
    EntryForked,
    EntryTaken,
    EntryTakenAfterAll,
    RecordPoisoned,
    UploadTaken,
)
from settlement.intake.read_upload import TakenEntry
from settlement.intake.take_closed import take_closed
from settlement.intake.take_paid import take_paid
from settlement.ledger.post import Booking, Happening
from settlement.offers import take as offers
from settlement.returns import hear
from settlement.returns.events import ReturnHeard
from settlement.returns.follow import follow
from settlement.returns.follow import keys_of as return_keys
from settlement.writer.batch import HeldBy, Rows, Wanted
from settlement.writer.rows import Device, Difference, EntryAt, EntryRow, GoodsReturn, HoldNumber, Record
from settlement.writer.step import Acks, Answer, Denied, Emit, Setting, Signed
from subsidy.wire import v1
from subsidy.wire.chain import GENESIS

# What comes after a sale's end, or beside it. When it cannot be taken, the sale itself may still come.
_BESIDE = ("supplement", "returning", "returned")


class Stated(msgspec.Struct, frozen=True):
    """What an upload states besides its entries."""

    upload_no: int
    statement: v1.Statement
    refused: tuple[v1.RefusedCount, ...]


class TakeUpload(msgspec.Struct, frozen=True):
    """Entries of one device; `stated` is None for an entry sent early, on its own."""

    device: str
    epoch: int
    entries: tuple[TakenEntry, ...]
    stated: Stated | None


def keys(command: TakeUpload, rows: Rows, setting: Setting) -> list[Wanted]:
    """Ask for the device, its chain around the entries, their records, and what those have taken."""
    wanted: list[Wanted] = [(Device, (command.device,))]
    if command.stated is not None:
        wanted += [HeldBy(command.device, command.epoch), restored.item()]
    for taken in command.entries:
        wanted += [
            (EntryAt, (command.device, command.epoch, seq))
            for seq in (taken.seq - 1, taken.seq, taken.seq + 1)
        ]
        wanted.append((EntryRow, (command.device, command.epoch, taken.seq, taken.hash)))
        if taken.kind in _BESIDE:
            wanted.append((Difference, (_subject(command, taken), QUARANTINED)))
        if taken.record_id is None:
            continue
        wanted += [(Record, (taken.record_id,)), (GoodsReturn, (taken.record_id,))]
        year = taken.promise.programme_year if taken.promise is not None else None
        wanted += offers.keys(taken.record_id, taken.entry, year, rows)
        wanted += return_keys(taken.record_id, taken.entry, rows)
        if isinstance(taken.entry, v1.Closed):
            wanted.append((HoldNumber, (command.device, command.epoch, taken.entry.hold_no)))
        if taken.promise is not None:
            wanted += rebuild.keys(taken.promise, rows, setting)
        if rows.has((Record, (taken.record_id,))):
            record = rows.get(Record, taken.record_id)
            if record is not None:
                wanted += holds.keys(record, rows)
    if all(rows.has(one) for one in wanted) and command.stated is not None:
        for record in rows.held_by(command.device, command.epoch):
            wanted += holds.keys(record, rows)
    return wanted


def decide(rows: Rows, command: TakeUpload, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Take the entries, then the statement, and return one ack per entry."""
    device = rows.want(Device, command.device)
    if device.frozen is not None:
        return denied(device)
    acks = []
    for taken in command.entries:
        answer = _take(rows, command, taken, setting, at_ms, emit)
        if isinstance(answer, Denied):
            return answer
        acks.append(_ack(command, taken, answer, setting))
    if command.stated is not None:
        refused = _take_statement(rows, command, command.stated, at_ms, emit)
        if refused is not None:
            return refused
    return Acks(tuple(acks))


def _ack(command: TakeUpload, taken: TakenEntry, answer: str, setting: Setting) -> Signed:
    ack = {
        "v": 1,
        "device": command.device,
        "epoch": command.epoch,
        "seq": taken.seq,
        "hash": taken.hash,
        "answer": answer,
    }
    return Signed(v1.ACK, msgspec.json.encode(msgspec.convert(ack, v1.Ack)), setting.kid)


def _take(
    rows: Rows, command: TakeUpload, taken: TakenEntry, setting: Setting, at_ms: int, emit: Emit
) -> str | Denied:
    device = rows.want(Device, command.device)
    known = rows.get(EntryAt, device.device, command.epoch, taken.seq)
    if known is not None and known.hash == taken.hash:
        if known.answer != "quarantined":
            return "repeat"
        return _look_again(rows, command, taken, setting, at_ms, emit)
    if known is not None or _breaks_chain(rows, command, taken):
        return _fork(rows, command, taken, f"entry {taken.seq} of its chain has two contents", at_ms, emit)
    if _is_anothers_number(rows, command, taken):
        why = f"the hold number of entry {taken.seq} has two contents"
        return _fork(rows, command, taken, why, at_ms, emit)
    problem = taken.problem or _apply(rows, command, taken, setting, at_ms, emit)
    if problem:
        _quarantine(rows, command, taken, problem, setting, at_ms, emit)
    answer = "quarantined" if problem else "accepted"
    emit(EntryTaken(entry=_row(command, taken, answer, problem, at_ms), heard=_heard(taken)))
    return answer


def _look_again(
    rows: Rows, command: TakeUpload, taken: TakenEntry, setting: Setting, at_ms: int, emit: Emit
) -> str:
    """Take an entry that waits for people, now that what it goes with is here.

    Restored books may hear of a sale's return before the shop has reported the sale again. One that still
    cannot be taken is no repeat: a shop whose first ack was lost would take that for a yes.
    """
    if taken.problem or taken.kind not in _BESIDE or _apply(rows, command, taken, setting, at_ms, emit):
        return "quarantined"
    assert taken.record_id is not None
    emit(
        EntryTakenAfterAll(
            subject=_subject(command, taken),
            device=command.device,
            epoch=command.epoch,
            seq=taken.seq,
            record_id=taken.record_id,
            heard=_heard(taken),
            at_ms=at_ms,
        )
    )
    return "accepted"


def _heard(taken: TakenEntry) -> str:
    if taken.kind != "supplement":
        return ""
    return f"entry {taken.seq} has told of it anew; the next night looks"


def _subject(command: TakeUpload, taken: TakenEntry) -> str:
    return f"{command.device}/{command.epoch}/{taken.seq}"


def _fork(rows: Rows, command: TakeUpload, taken: TakenEntry, why: str, at_ms: int, emit: Emit) -> Denied:
    """Keep the entry beside the one that was there, and freeze the device."""
    if rows.get(EntryRow, command.device, command.epoch, taken.seq, taken.hash) is None:
        emit(EntryForked(entry=_row(command, taken, "forked", why, at_ms)))
    return freeze(rows.want(Device, command.device), why, at_ms, emit)


def _row(command: TakeUpload, taken: TakenEntry, answer: str, problem: str, at_ms: int) -> EntryRow:
    return EntryRow(
        device=command.device,
        epoch=command.epoch,
        seq=taken.seq,
        hash=taken.hash,
        prev=taken.prev,
        record_id=taken.record_id,
        kind=taken.kind,
        answer=answer,
        problem=problem,
        body=taken.body,
        taken_ms=at_ms,
    )


def _breaks_chain(rows: Rows, command: TakeUpload, taken: TakenEntry) -> bool:
    before = rows.get(EntryAt, command.device, command.epoch, taken.seq - 1)
    after = rows.get(EntryAt, command.device, command.epoch, taken.seq + 1)
    if taken.seq == 1 and taken.prev != GENESIS:
        return True
    return (before is not None and before.hash != taken.prev) or (
        after is not None and after.prev != taken.hash
    )


def _is_anothers_number(rows: Rows, command: TakeUpload, taken: TakenEntry) -> bool:
    """Whether an entry of a sale that is not here has the hold number of one that is."""
    if isinstance(taken.entry, v1.Closed):
        numbered = rows.get(HoldNumber, command.device, command.epoch, taken.entry.hold_no)
    elif taken.promise is not None:
        promise = taken.promise
        numbered = rows.get(HoldNumber, promise.device, promise.epoch, promise.hold_no)
        if (promise.device, promise.epoch) != (command.device, command.epoch):
            return False
    else:
        return False
    return numbered is not None and rows.get(Record, taken.record_id) is None


def _apply(
    rows: Rows, command: TakeUpload, taken: TakenEntry, setting: Setting, at_ms: int, emit: Emit
) -> str:
    """Do what the entry says and return an empty text, or return why it cannot be taken."""
    entry = taken.entry
    assert entry is not None
    record = rows.get(Record, entry.record_id)
    if record is not None and (record.device, record.epoch) != (command.device, command.epoch):
        return "the record is another device's"
    if isinstance(entry, v1.Paid):
        return take_paid(rows, command.device, command.epoch, taken, setting, at_ms, emit)
    if isinstance(entry, v1.Closed):
        return take_closed(rows, command.device, command.epoch, entry, taken.seq, setting, at_ms, emit)
    if isinstance(entry, v1.Supplement):
        if record is None:
            return "a supplement to no known record"
        offers.take_anew(rows, entry, emit)
        return ""
    return _take_return(rows, taken, entry, setting, at_ms, emit)


def _take_return(
    rows: Rows, taken: TakenEntry, word: hear.Word, setting: Setting, at_ms: int, emit: Emit
) -> str:
    known = rows.get(GoodsReturn, word.record_id)
    problem = hear.problem_of(rows.get(Record, word.record_id), known, word, taken.seq)
    if not problem:
        emit(ReturnHeard(goods_return=hear.heard(known, word, taken.seq, at_ms)))
        follow(rows, word.record_id, setting, at_ms, emit)
        offers.follow(rows, word.record_id, emit)
    return problem


def _quarantine(
    rows: Rows,
    command: TakeUpload,
    taken: TakenEntry,
    problem: str,
    setting: Setting,
    at_ms: int,
    emit: Emit,
) -> None:
    owner = setting.owner(at_ms)
    record = rows.get(Record, taken.record_id) if taken.record_id is not None else None
    of_device = record is not None and (record.device, record.epoch) == (command.device, command.epoch)
    if record is not None and of_device and record.state == "HELD" and taken.kind not in _BESIDE:
        emit(
            RecordPoisoned(
                record_id=record.record_id,
                why=problem,
                owner=owner,
                at_ms=at_ms,
                booking=Booking(Happening.RECORD_POISONED, record.year, record.parts, record.pool),
            )
        )
        return
    subject = _subject(command, taken)
    emit(DifferenceOpened(subject=subject, kind=QUARANTINED, owner=owner, detail=problem, at_ms=at_ms))


def _take_statement(rows: Rows, command: TakeUpload, stated: Stated, at_ms: int, emit: Emit) -> Denied | None:
    device = rows.want(Device, command.device)
    if stated.upload_no <= device.upload_no:
        return None  # a repeat or a straggler: newer words have been heard
    upto = stated.statement.upto_hold_no
    if upto < device.stated_hold_no:
        # Fewer holds than it has stated before: a restored backup. Nothing may be freed on its word.
        return freeze(device, f"it stated {device.stated_hold_no} holds, and now {upto}", at_ms, emit)
    ends = stated.statement.last_seq
    if ends is None and restored.has_been(rows):
        # What these books have lost of its chain it does not say, and nothing else would show it.
        return None
    if _knows_all_reports(rows, device, ends or 0):
        still_open = {one.record_id for one in stated.statement.open}
        for record in rows.held_by(command.device, command.epoch):
            if record.hold_no <= upto and record.record_id not in still_open:
                holds.end(record, f"statement {stated.upload_no}", at_ms, emit)
    emit(
        UploadTaken(
            device=command.device,
            upload_no=stated.upload_no,
            stated_hold_no=upto,
            refused=stated.refused,
            at_ms=at_ms,
            last_seq=ends or 0,
        )
    )
    return None


def _knows_all_reports(rows: Rows, device: Device, last_seq: int) -> bool:
    """Whether every entry that a device may have had acknowledged is here; it says its last is `last_seq`.

    A sale that is not open any more was reported; it was not paid only when its report is not one of those
    that these books have lost.
    """
    return device.entries == max(device.last_seq, last_seq) and not restored.is_unsettled(rows)
