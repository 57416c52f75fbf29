"""How does a late grant enter the pool?

Its hold had ended before its paid record came, so its money, serial number and quota were free for
others. It enters when all of them are still there to be taken: nobody else's sale is undone for it.
"""

import msgspec
from msgspec.structs import replace

from settlement.claims.repaid import record_unknown
from settlement.funds import holds
from settlement.funds.blocks import is_late_grant
from settlement.funds.freed_goods import quota_of
from settlement.ledger import balances
from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import ClosedYear, Difference, Qualification, Quota, Record, Serial
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting

_OR_REJECT = "Reject it (`settlement records settle RECORD --reject`) when it is not to be paid"


class EnterLate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="enter_late"):
    """People have decided that a late grant is paid; `reference` names their decision."""

    record_id: str
    reference: str


class LateGrantEntered(MoneyEvent, frozen=True, kw_only=True, tag="late_grant_entered"):
    """A late grant is payable now, like any other."""

    record_id: str
    reference: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Take what a hold takes, and close the item."""
        record = rows.want(Record, self.record_id)
        assert is_late_grant(record)
        holds.take_goods(rows, record)
        why = f"entered late: {self.reference}"
        rows.put(replace(record, state="PAYABLE", money=Account.PAYABLE.value, why=why, owner=""))
        item = rows.get(Difference, self.record_id, "late_grant")
        if item is not None:
            rows.put(replace(item, closed_ms=self.at_ms))


def keys(command: EnterLate, rows: Rows) -> list[Wanted]:
    """Ask for the record, its item, and all that it takes."""
    record = (Record, (command.record_id,))
    wanted: list[Wanted] = [record, (Difference, (command.record_id, "late_grant"))]
    found = rows.get(Record, command.record_id) if rows.has(record) else None
    if found is not None:
        wanted += [(ClosedYear, (found.year,)), *holds.keys(found, rows), *holds.goods_keys(found)]
    return wanted


def decide(rows: Rows, command: EnterLate, setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Let it enter, or say what stands against it."""
    record = rows.get(Record, command.record_id)
    if record is None:
        return record_unknown()
    if not is_late_grant(record):
        return Denied(409, "NOT_A_LATE_GRANT", f"the record is {record.state}. Only late grants enter late")
    against = _against(rows, record, setting)
    if against is not None:
        return against
    booking = Booking(Happening.LATE_GRANT_ENTERED, record.year, record.parts, record.pool)
    emit(
        LateGrantEntered(
            record_id=record.record_id, reference=command.reference, at_ms=at_ms, booking=booking
        )
    )
    return Done()


def _against(rows: Rows, record: Record, setting: Setting) -> Denied | None:
    if record.blocks:
        detail = f"it is held back: {', '.join(record.blocks)}. See the record's differences"
        return Denied(409, "LINE_BLOCKED", detail)
    if not record.merchant:
        detail = "the record does not say whose it is: its promise was not kept here. Restore it first"
        detail += f". {_OR_REJECT}"
        return Denied(409, "PAYEE_UNKNOWN", detail)
    if rows.get(ClosedYear, record.year) is not None:
        detail = f"{record.year} is closed: nothing of it is promised again. {_OR_REJECT}"
        return Denied(409, "YEAR_CLOSED", detail)
    if record.serial_no is not None:
        serial = rows.get(Serial, record.brand, record.serial_no)
        if serial is not None and serial.taken_by is not None:
            detail = f"its serial number was granted to {serial.taken_by}. {_OR_REJECT}"
            return Denied(409, "SERIAL_TAKEN", detail)
    if record.person:
        used_by = rows.want(Qualification, record.qualification).used_by
        if used_by is not None:
            detail = f"its qualification was used by {used_by}. {_OR_REJECT}"
            return Denied(409, "QUALIFICATION_USED", detail)
        if not _quota_left(rows, record, setting):
            detail = f"its person has used the quota of the year with other sales. {_OR_REJECT}"
            return Denied(409, "QUOTA_USED", detail)
    if not balances.can_bear(rows, record.parts, record.year, record.pool):
        detail = "a funder does not have its part available now. Top up, or wait for returns"
        return Denied(409, "FUND_EXHAUSTED", detail)
    return None


def _quota_left(rows: Rows, record: Record, setting: Setting) -> bool:
    most = quota_of(setting.pack, record)
    quota = rows.get(Quota, record.person, record.category, record.year)
    return most is not None and (quota.used if quota else 0) < most
