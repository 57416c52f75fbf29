"""Which of the night's proposals still hold, now that the writer has the rows?

The night reads, thinks, and proposes; meanwhile shops go on reporting. So each proposal says what it saw,
and one that no longer stands is passed over: the night looks again.
"""

import msgspec

from settlement.funds import freed_goods, holds
from settlement.funds.blocks import has_line
from settlement.intake.events import LineBlocked
from settlement.ledger.post import Booking, Happening
from settlement.offers import take as offers
from settlement.reconcile.events import DifferenceFound, DifferenceSettled, PaymentLookedAt, RecordRecovered
from settlement.returns.follow import follow, keys_of
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference, GoodsReturn, Record
from settlement.writer.step import Answer, Done, Emit, Setting

_BOOKED = ("PAYABLE", "BLOCKED", "IN_CLAIM", "PAID_OUT")


class EndHold(msgspec.Struct, frozen=True, tag=True):
    """The files prove that a hold was not paid."""

    record_id: str
    over_ms: int
    why: str


class Recover(msgspec.Struct, frozen=True, tag=True):
    """The files prove that a hold was paid."""

    record_id: str
    over_ms: int
    pay_ref: str
    fen: int
    why: str


class Find(msgspec.Struct, frozen=True, tag=True):
    """A difference was found. `seen` is the stage of the record then, empty when there was none."""

    subject: str
    kind: str
    day: str
    fen: int
    pay_ref: str
    record_id: str | None
    seen: str
    owner: str
    detail: str
    next_step: str


class Settle(msgspec.Struct, frozen=True, tag=True):
    """An open difference is explained. `seen` is the stage of the record then."""

    subject: str
    kind: str
    record_id: str | None
    seen: str
    unblocks: bool


class Look(msgspec.Struct, frozen=True, tag=True):
    """The payment of a record was held against the files. `says` is MATCHED, or what it waits for.

    `night` is the word that stood on the record when it was read: its shop's telling anew changes that.
    """

    record_id: str
    seen: str
    night: str
    says: str


Proposal = EndHold | Recover | Find | Settle | Look


class ApplyNight(msgspec.Struct, frozen=True):
    """A chunk of what a night proposes."""

    proposals: tuple[Proposal, ...]


def stage_of(record: Record | None) -> str:
    """Return how far a record has come, as far as the night's findings depend on it."""
    if record is None:
        return ""
    return "BOOKED" if record.state in _BOOKED else record.state


def keys(command: ApplyNight, rows: Rows) -> list[Wanted]:
    """Ask for the records and items, and for what the end of a hold gives back."""
    wanted: list[Wanted] = []
    for one in command.proposals:
        if isinstance(one, Find | Settle):
            wanted.append((Difference, (one.subject, one.kind)))
        if one.record_id is None:
            continue
        key = (Record, (one.record_id,))
        wanted.append(key)
        record = rows.get(Record, one.record_id) if rows.has(key) else None
        year = None if record is None else record.year
        if isinstance(one, Recover):
            wanted.append((GoodsReturn, (one.record_id,)))
            wanted += offers.keys_of(one.record_id, one.pay_ref, None, year, rows)
            wanted += keys_of(one.record_id, None, rows)
        if isinstance(one, EndHold | Recover) and record is not None:
            wanted += holds.keys(record, rows)
    return wanted


def decide(rows: Rows, command: ApplyNight, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Let happen what still holds of each proposal, in their order."""
    for one in command.proposals:
        record = None if one.record_id is None else rows.get(Record, one.record_id)
        if isinstance(one, EndHold | Recover):
            if record is not None and record.state == "HELD" and at_ms > one.over_ms:
                _end(rows, record, one, setting, at_ms, emit)
        elif stage_of(record) == one.seen:
            _note(rows, one, at_ms, emit)
    return Done()


def _end(
    rows: Rows, record: Record, one: EndHold | Recover, setting: Setting, at_ms: int, emit: Emit
) -> None:
    if isinstance(one, EndHold):
        holds.end(record, one.why, at_ms, emit)
        return
    emit(
        RecordRecovered(
            record_id=record.record_id,
            pay_ref=one.pay_ref,
            paid_fen=one.fen,
            why=one.why,
            at_ms=at_ms,
            booking=Booking(Happening.RECORD_BOOKED, record.year, record.parts, record.pool),
        )
    )
    differs = freed_goods.taken_meanwhile(rows, record, setting.pack) if record.goods_freed else []
    if differs:
        why, owner = "; ".join(differs), setting.owner(at_ms)
        emit(LineBlocked(record_id=record.record_id, why=why, owner=owner, at_ms=at_ms))
    offers.take_explained(rows, record.record_id, one.pay_ref, emit)
    # Its return may have been heard of before.
    follow(rows, record.record_id, setting, at_ms, emit)
    offers.follow(rows, record.record_id, emit)


def _note(rows: Rows, one: Find | Settle | Look, at_ms: int, emit: Emit) -> None:
    if isinstance(one, Look):
        record = rows.want(Record, one.record_id)
        if has_line(record) and record.night == one.night != one.says:
            emit(PaymentLookedAt(record_id=one.record_id, says=one.says, at_ms=at_ms))
        return
    if isinstance(one, Find):
        fields = {name: getattr(one, name) for name in one.__struct_fields__ if name != "seen"}
        emit(DifferenceFound(**fields, at_ms=at_ms))
        return
    item = rows.get(Difference, one.subject, one.kind)
    if item is not None and item.closed_ms is None:
        emit(
            DifferenceSettled(
                subject=one.subject,
                kind=one.kind,
                record_id=one.record_id,
                unblocks=one.unblocks and one.record_id is not None,
                at_ms=at_ms,
            )
        )
