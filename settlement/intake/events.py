"""What changes when entries and statements of a device are taken in?"""

from msgspec.structs import replace

from settlement.funds import holds
from settlement.funds.blocks import block
from settlement.funds.freed_goods import take_again
from settlement.ledger.accounts import Account
from settlement.writer.batch import Rows
from settlement.writer.rows import Device, Difference, EntryAt, EntryRow, Record, RefusedOnDay
from settlement.writer.step import Event, MoneyEvent
from subsidy.policy.split import Part
from subsidy.wire import v1

QUARANTINED = "entry_quarantined"


class EntryTaken(Event, frozen=True, kw_only=True, tag="entry_taken"):
    """An entry has been stored, with the answer that its first ack gives.

    `heard` is what the night's word on a record becomes when the entry tells of an attempt anew. It differs
    from entry to entry: a night that has read the record before can tell that it has not seen this one.
    """

    entry: EntryRow
    heard: str = ""

    def fold(self, rows: Rows) -> None:
        """Put the entry at its place in the chain."""
        entry = self.entry
        rows.put(entry)
        rows.put(EntryAt(entry.device, entry.epoch, entry.seq, entry.hash, entry.prev, entry.answer))
        device = rows.want(Device, entry.device)
        rows.put(replace(device, last_seq=max(device.last_seq, entry.seq), entries=device.entries + 1))
        if entry.kind == "supplement" and entry.answer == "accepted":
            # An attempt is told of anew: the night has to look again.
            assert entry.record_id is not None
            rows.put(replace(rows.want(Record, entry.record_id), night=self.heard))

    def about(self) -> str | None:
        """The record that the entry names."""
        return self.entry.record_id


class EntryTakenAfterAll(Event, frozen=True, kw_only=True, tag="entry_taken_after_all"):
    """An entry that waited for people could be taken when it came again; what its first ack said is kept."""

    subject: str
    device: str
    epoch: int
    seq: int
    record_id: str
    heard: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """It waits for nobody any more."""
        at = rows.want(EntryAt, self.device, self.epoch, self.seq)
        rows.put(replace(at, answer="accepted"))
        rows.put(replace(rows.want(Difference, self.subject, QUARANTINED), closed_ms=self.at_ms))
        if self.heard:
            rows.put(replace(rows.want(Record, self.record_id), night=self.heard))


class EntryForked(Event, frozen=True, kw_only=True, tag="entry_forked"):
    """An entry contradicts the chain: it is kept beside the one that was there."""

    entry: EntryRow

    def fold(self, rows: Rows) -> None:
        """Keep it; the place in the chain stays the other's."""
        rows.put(self.entry)

    def about(self) -> str | None:
        """The record that the entry names."""
        return self.entry.record_id


class RecordBooked(MoneyEvent, frozen=True, kw_only=True, tag="record_booked"):
    """A paid record fits its hold: the subsidy is owed to the merchant."""

    record_id: str
    paid_fen: int
    at_ms: int
    pay_ref: str = ""

    def fold(self, rows: Rows) -> None:
        """The hold has become a grant."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        holds.count_open(rows, record, -1)
        record = take_again(rows, record)
        rows.put(
            replace(
                record,
                state="PAYABLE",
                money=Account.PAYABLE.value,
                paid_fen=self.paid_fen,
                pay_ref=self.pay_ref,
                ended_ms=self.at_ms,
                why="paid",
            )
        )


class LineBlocked(Event, frozen=True, kw_only=True, tag="line_blocked"):
    """A booked record may not be claimed until its owner has looked."""

    record_id: str
    why: str
    owner: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Block the line and open an item for its owner."""
        block(rows, self.record_id, "decision_differs", self.why, self.owner)
        rows.put(Difference(self.record_id, "decision_differs", self.owner, self.why, self.at_ms))


class RecoveryMerged(Event, frozen=True, kw_only=True, tag="recovery_merged"):
    """The shop's own record of a sale that was booked from a channel's file has come.

    `why` says how it differs from what was booked; empty when it fits.
    """

    record_id: str
    pay_ref: str
    why: str
    owner: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """The record is the shop's now; one that differs is held back, for its owner."""
        record = rows.want(Record, self.record_id)
        assert record.recovered
        rows.put(replace(record, recovered=False, pay_ref=record.pay_ref or self.pay_ref, night=""))
        if self.why:
            block(rows, self.record_id, "recovery_differs", self.why, self.owner)
            rows.put(Difference(self.record_id, "recovery_differs", self.owner, self.why, self.at_ms))


class RecordKept(Event, frozen=True, kw_only=True, tag="record_kept"):
    """A paid record that does not fit: kept, its hold stays held, nothing is claimable."""

    record_id: str
    why: str
    owner: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Keep it and open an item for its owner."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        holds.count_open(rows, record, -1)
        rows.put(replace(record, state="KEPT", why=self.why, owner=self.owner, ended_ms=self.at_ms))
        rows.put(Difference(self.record_id, "record_does_not_fit", self.owner, self.why, self.at_ms))


class RecordPoisoned(MoneyEvent, frozen=True, kw_only=True, tag="record_poisoned"):
    """An entry of a known hold cannot be read: its money waits in suspense."""

    record_id: str
    why: str
    owner: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Keep the record, its money in suspense."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        holds.count_open(rows, record, -1)
        rows.put(
            replace(
                record,
                state="KEPT",
                money=Account.SUSPENSE.value,
                why=self.why,
                owner=self.owner,
                ended_ms=self.at_ms,
            )
        )
        rows.put(Difference(self.record_id, "record_unreadable", self.owner, self.why, self.at_ms))


class LateRecordKept(MoneyEvent, frozen=True, kw_only=True, tag="late_record_kept"):
    """A paid record came after its hold had ended: a late grant, beside the pool.

    `sale` is the record as its promise gives it, for a tombstone that knows nothing of the sale. `differs`
    says why the record may not enter as it is; empty when it fits.
    """

    record_id: str
    paid_fen: int
    parts: tuple[Part, ...]
    owner: str
    at_ms: int
    pay_ref: str = ""
    sale: Record | None = None
    differs: str = ""

    def fold(self, rows: Rows) -> None:
        """The tombstone stays; the claim on the pool is noted beside it."""
        record = rows.want(Record, self.record_id)
        assert record.state == "RELEASED"
        assert record.money is None
        if self.sale is not None:
            record = replace(
                self.sale, state=record.state, request_mac="", why=record.why, ended_ms=record.ended_ms
            )
        rows.put(
            replace(
                record,
                money=Account.LATE_GRANTS_CLAIMED.value,
                parts=self.parts,
                subsidy_fen=sum(part.fen for part in self.parts),
                year=self.booking.year,
                pool=self.booking.pool,
                paid_fen=self.paid_fen,
                pay_ref=self.pay_ref,
                owner=self.owner,
                blocks=("late_differs",) if self.differs else (),
            )
        )
        detail = "a paid record came after its hold had ended"
        if self.differs:
            detail += f", and it differs: {self.differs}"
        rows.put(Difference(self.record_id, "late_grant", self.owner, detail, self.at_ms))


class DifferenceOpened(Event, frozen=True, kw_only=True, tag="difference_opened"):
    """Something was found that needs a person, with no effect on money."""

    subject: str
    kind: str
    owner: str
    detail: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Open the item."""
        rows.put(Difference(self.subject, self.kind, self.owner, self.detail, self.at_ms))


class UploadTaken(Event, frozen=True, kw_only=True, tag="upload_taken"):
    """A newer upload's statement and counts were taken. `last_seq` is its chain's end, 0 if unsaid."""

    device: str
    upload_no: int
    stated_hold_no: int
    refused: tuple[v1.RefusedCount, ...]
    at_ms: int
    last_seq: int = 0

    def fold(self, rows: Rows) -> None:
        """Note how far the device has stated."""
        device = rows.want(Device, self.device)
        rows.put(
            replace(
                device,
                upload_no=self.upload_no,
                stated_hold_no=self.stated_hold_no,
                stated_ms=self.at_ms,
                last_seq=max(device.last_seq, self.last_seq),
            )
        )
        for one in self.refused:
            rows.put(RefusedOnDay(self.device, one.day, one.code.value, one.count))
