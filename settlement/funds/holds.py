"""What changes when a hold is placed, and when it ends?

A hold takes the money, the serial number, the qualification and the person's quota together, and its end
without payment gives all four back together, or the money alone when people have freed the rest before.
"""

from msgspec.structs import replace

from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import HoldNumber, Key, OpenCount, Qualification, Quota, Record, Serial
from settlement.writer.step import Emit, Event, MoneyEvent

PER_TERMINAL = "terminal"
PER_SHOP = "shop"
REBUILT = "rebuilt"
"""Stands for the request's MAC in a record that came back from its promise."""


class HoldPlaced(MoneyEvent, frozen=True, kw_only=True, tag="hold_placed"):
    """The fund has given its word. `rebuilt` when the row came back from a record's promise."""

    record: Record
    rebuilt: bool

    def fold(self, rows: Rows) -> None:
        """Put the record, and take what it needs."""
        record = self.record
        rows.put(record)
        rows.put(HoldNumber(record.device, record.epoch, record.hold_no, record.record_id))
        take(rows, record)

    def about(self) -> str:
        """The record that the hold is for."""
        return self.record.record_id


class HoldEnded(MoneyEvent, frozen=True, kw_only=True, tag="hold_ended"):
    """A hold has ended unpaid. `why` names the proof, and `by` the people who decided it, if they did."""

    record_id: str
    why: str
    at_ms: int
    by: str = ""

    def fold(self, rows: Rows) -> None:
        """Give back what the hold took; the record stays as a tombstone."""
        record = rows.want(Record, self.record_id)
        assert record.state == "HELD"
        if not record.goods_freed:
            give_back(rows, record)
        count_open(rows, record, -1)
        rows.put(
            replace(
                record,
                state="RELEASED",
                money=None,
                why=self.why,
                ended_ms=self.at_ms,
                goods_freed=False,
            )
        )


class Buried(Event, frozen=True, kw_only=True, tag="buried"):
    """An end has come for a hold that never was: a tombstone, so that it cannot come later."""

    record_id: str
    device: str
    epoch: int
    hold_no: int
    why: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Put the tombstone."""
        rows.put(
            Record(
                record_id=self.record_id,
                state="RELEASED",
                device=self.device,
                epoch=self.epoch,
                hold_no=self.hold_no,
                why=self.why,
                ended_ms=self.at_ms,
            )
        )
        rows.put(HoldNumber(self.device, self.epoch, self.hold_no, self.record_id))
        # Books that were restored have lost the hold, and a register has not.
        for kind in (Quota, Serial):
            if kind in rows.shared:
                rows.free(kind, self.record_id)


def end(record: Record, why: str, at_ms: int, emit: Emit, by: str = "") -> None:
    """End a hold that is HELD, unpaid."""
    booking = Booking(Happening.HOLD_ENDED, record.year, record.parts, record.pool)
    emit(HoldEnded(record_id=record.record_id, why=why, by=by, at_ms=at_ms, booking=booking))


def keys(record: Record, rows: Rows) -> list[Wanted]:
    """Ask for everything that a record has taken or that its end gives back.

    What lies in a shared register is not asked for: giving back is told to it later, and a record has its
    own serial number but for one whose hold was rebuilt.
    """
    wanted: list[Wanted] = [
        (HoldNumber, (record.device, record.epoch, record.hold_no)),
        *balances.keys((part.funder for part in record.parts), record.year, record.pool),
    ]
    if record.person:
        wanted.append((Qualification, (record.qualification,)))
        if Quota not in rows.shared:
            wanted.append(_quota_key(record))
    if record.parts:
        wanted += [(OpenCount, (PER_TERMINAL, record.terminal_no)), (OpenCount, (PER_SHOP, record.shop))]
    if record.serial_no is not None and (Serial not in rows.shared or record.request_mac == REBUILT):
        wanted.append(_serial_key(record))
    # What people have freed early is taken again when its payment comes after all.
    return wanted + goods_keys(record) if record.goods_freed else wanted


def goods_keys(record: Record) -> list[Wanted]:
    """Ask for what a record needs to take serial number and quota, wherever they lie."""
    wanted = [_quota_key(record)] if record.person else []
    return [*wanted, _serial_key(record)] if record.serial_no is not None else [*wanted]


def serial_is_anothers(rows: Rows, record: Record) -> bool:
    """Whether a record's serial number has been granted to another one."""
    if record.serial_no is None or (Serial in rows.shared and record.request_mac != REBUILT):
        return False
    return rows.want(Serial, record.brand, record.serial_no).taken_by != record.record_id


def take(rows: Rows, record: Record) -> None:
    """Take serial number, qualification, quota and a place among the open holds."""
    count_open(rows, record, +1)
    take_goods(rows, record)


def take_goods(rows: Rows, record: Record) -> None:
    """Take serial number, qualification and quota.

    A record rebuilt from its promise has no person: the promise names none. Its serial number may have
    been sold again since the books were restored: then that stays the other's.
    """
    if record.serial_no is not None:
        serial = rows.get(Serial, record.brand, record.serial_no)
        if serial is None or serial.taken_by is None:
            rows.take(Serial(record.brand, record.serial_no, record.record_id), record.record_id)
    if record.person:
        qualification = rows.want(Qualification, record.qualification)
        rows.put(replace(qualification, used_by=record.record_id))
        quota = rows.get(Quota, record.person, record.category, record.year)
        used = quota.used if quota else 0
        rows.take(Quota(record.person, record.category, record.year, used + 1), record.record_id)


def give_back(rows: Rows, record: Record, with_quota: bool = True) -> None:
    """Free serial number, qualification and, `with_quota`, the quota."""
    if rows.shared:
        _give_back_shared(rows, record, with_quota)
    if record.serial_no is not None and Serial not in rows.shared:
        serial = rows.want(Serial, record.brand, record.serial_no)
        if serial.taken_by == record.record_id:
            rows.put(replace(serial, taken_by=None))
    if not record.person:
        return
    qualification = rows.want(Qualification, record.qualification)
    if qualification.used_by == record.record_id:
        rows.put(replace(qualification, used_by=None))
    if not with_quota or Quota in rows.shared:
        return
    quota = rows.want(Quota, record.person, record.category, record.year)
    assert quota.used > 0
    rows.put(replace(quota, used=quota.used - 1))


def _give_back_shared(rows: Rows, record: Record, with_quota: bool) -> None:
    """Let the registers know; what of it is loaded is seen as it will be by the rest of the batch."""
    if Serial in rows.shared and record.serial_no is not None:
        wanted = _serial_key(record)
        serial = rows.get(Serial, *wanted[1]) if rows.has(wanted) else None
        is_ours = serial is not None and serial.taken_by == record.record_id
        rows.free(Serial, record.record_id, Serial(record.brand, record.serial_no, None) if is_ours else None)
    # The promise that a hold was rebuilt from names no person; the register knows who it was.
    if Quota in rows.shared and with_quota and (record.person or record.request_mac == REBUILT):
        wanted = _quota_key(record)
        quota = rows.get(Quota, *wanted[1]) if rows.has(wanted) else None
        rows.free(Quota, record.record_id, replace(quota, used=max(0, quota.used - 1)) if quota else None)


def _quota_key(record: Record) -> Key:
    return (Quota, (record.person, record.category, record.year))


def _serial_key(record: Record) -> Key:
    return (Serial, (record.brand, record.serial_no))


def count_open(rows: Rows, record: Record, by: int) -> None:
    """Count one hold more or less for its terminal and its shop."""
    for scope, name in ((PER_TERMINAL, record.terminal_no), (PER_SHOP, record.shop)):
        row = rows.get(OpenCount, scope, name)
        counted = (row.open if row else 0) + by
        assert counted >= 0
        rows.put(OpenCount(scope, name, counted))
