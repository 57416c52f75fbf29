"""What becomes of person and serial number that people have freed while the money is still held?

Others may use them at once. A paid record that comes after all is booked, as the fund has given its word: it
takes back what is still free, and what others have taken meanwhile stays theirs and holds back its line.
"""

from msgspec.structs import replace

from settlement.writer.batch import Rows
from settlement.writer.rows import Qualification, Quota, Record, Serial
from subsidy import calendar
from subsidy.policy.model import Pack


def take_again(rows: Rows, record: Record) -> Record:
    """Take again what was freed of a record that is paid after all, as far as it is free."""
    if not record.goods_freed:
        return record
    if record.serial_no is not None:
        serial = rows.get(Serial, record.brand, record.serial_no)
        # A register has no row of what is free.
        if serial is None or serial.taken_by is None:
            rows.take(Serial(record.brand, record.serial_no, record.record_id), record.record_id)
    if record.person:
        qualification = rows.want(Qualification, record.qualification)
        if qualification.used_by is None:
            rows.put(replace(qualification, used_by=record.record_id))
        # Counted even when it is one too many: the person has had this grant.
        quota = rows.get(Quota, record.person, record.category, record.year)
        used = quota.used if quota is not None else 0
        rows.take(Quota(record.person, record.category, record.year, used + 1), record.record_id)
    return replace(record, goods_freed=False)


def taken_meanwhile(rows: Rows, record: Record, pack: Pack) -> list[str]:
    """Return what others have taken, once `take_again` has run: each is a reason against the line."""
    found = []
    serial = rows.want(Serial, record.brand, record.serial_no) if record.serial_no is not None else None
    if serial is not None and serial.taken_by != record.record_id:
        found.append("its serial number was granted to another record")
    if record.person:
        if rows.want(Qualification, record.qualification).used_by != record.record_id:
            found.append("its qualification was used by another record")
        most = quota_of(pack, record)
        if most is None or rows.want(Quota, record.person, record.category, record.year).used > most:
            found.append("its person has used the quota of the year with other sales")
    return found


def quota_of(pack: Pack, record: Record) -> int | None:
    """Return how many grants the record's person may have, None when its rules have none."""
    day = calendar.business_day(calendar.from_ms(record.placed_at_ms))
    found = pack.rule_set_on(day, record.category)
    row = found[1].quota.on(day) if found is not None else None
    return None if row is None else row.value
