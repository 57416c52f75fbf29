"""Does each alarm ring when it must, at the exact edge, and at no other time?"""

import datetime
import errno
import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest
import reference_data as reference
from books import changed_pack
from fake_device import promised
from night import ACQUIRER, DAY, NEXT_DAY, NightDay, changed
from sqlalchemy import select

from settlement.alarms import look
from settlement.alarms.kinds import AlarmCode
from settlement.copies.drilled import LAST_DRILL
from settlement.copies.restore import note_meta
from settlement.db.connection import reading, writing
from settlement.db.tables import event
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.release_hold import ReleaseHold
from settlement.reconcile.due import note_run
from subsidy.policy.model import Dated, Hours, Row, Source

LAG_S = 300
LAG_MS = LAG_S * 1000
DAY_MS = 86_400_000


def ringing(books, **changes):
    """Return the alarms that ring, by code."""
    fields = {
        "pack": books.pack,
        "night_at": None,
        "lag_target_s": LAG_S,
        "now_ms": books.clock.now_ms(),
        "sources": None,
    } | changes
    with reading(books.engine) as connection:
        found = look.alarms(connection, **fields)
    assert [one.code for one in found] == sorted((one.code for one in found), key=list(AlarmCode).index)
    assert all(one.count >= len(one.about) > 0 and one.zh and one.next_en for one in found)
    return {one.code.value: one for one in found}


def test_nothing_rings_in_a_centre_where_all_is_well(books):
    books.sell(books.enrol())
    assert ringing(books) == {}


def test_a_hold_that_nothing_ends_rings_once_its_device_is_replaced_too(books):
    device = books.enrol()
    sealed = books.hold(device)
    record = books.record(sealed)
    books.done(ReplaceDevice(device.name, "its disk is lost", by="wang, li"))
    over_ms = record.placed_at_ms + record.held_for_s * 1000 + 3 * DAY_MS
    assert "HOLD_WAITS" not in ringing(books, now_ms=over_ms - 1)
    found = ringing(books, now_ms=over_ms)["HOLD_WAITS"]
    assert (found.about, found.since_ms) == ((record.record_id,), over_ms)
    books.done(ReleaseHold(record.record_id, "nothing was charged", by="wang, li"))
    assert "HOLD_WAITS" not in ringing(books, now_ms=over_ms)


def test_books_that_are_not_true_ring(books):
    books.sql("UPDATE balance SET fen = fen + 7 WHERE funder = 'city' AND account = 'available'")
    assert ringing(books)["BOOKS_NOT_TRUE"].about == ("city 2026",)


GIVEN_FEN = 5_000_000  # the county's


@pytest.mark.parametrize(
    ("left_fen", "code"),
    [
        (GIVEN_FEN // 5 + 1, None),
        (GIVEN_FEN // 5, "FUND_80_USED"),
        (GIVEN_FEN // 10 + 1, "FUND_80_USED"),
        (GIVEN_FEN // 10, "FUND_90_USED"),
        (1, "FUND_90_USED"),
        (0, "FUND_USED_UP"),
    ],
)
def test_a_funders_money_rings_at_each_step_and_once(books, left_fen, code):
    books.sql(f"UPDATE balance SET fen = {left_fen} WHERE funder = 'county' AND account = 'available'")
    found = {name for name in ringing(books) if name.startswith("FUND_")}
    assert found == ({code} if code else set())
    if code:
        assert ringing(books)[code].about == ("county 2026",)


def test_a_closed_years_money_does_not_ring(books):
    books.sql("UPDATE balance SET fen = 0 WHERE funder = 'county' AND account = 'available'")
    books.check = lambda *_rows: None  # the balance was changed behind the books' back
    books.done(CloseYear(2026))
    assert "FUND_USED_UP" not in ringing(books)


def test_a_device_with_open_holds_rings_when_it_is_silent_for_longer_than_its_target(books):
    device = books.enrol()
    books.clock.ahead_ms += DAY_MS
    books.hold(device)
    since_ms = books.clock.now_ms() + LAG_MS
    books.clock.ahead_ms += LAG_MS
    assert "DEVICE_SILENT" not in ringing(books)
    books.clock.ahead_ms += 1
    alarm = ringing(books)["DEVICE_SILENT"]
    assert (alarm.about, alarm.since_ms) == ((device.name,), since_ms)
    books.take(device)
    assert "DEVICE_SILENT" not in ringing(books)


def test_a_silent_device_without_open_holds_does_not_ring(books):
    books.sell(books.enrol())
    books.clock.ahead_ms += 10 * LAG_MS
    assert "DEVICE_SILENT" not in ringing(books)


def hours(opens, closes):
    """Return the hours of a programme, from the beginning on."""
    value = Hours(datetime.time.fromisoformat(opens), datetime.time.fromisoformat(closes))
    row = Row(datetime.date(2025, 1, 1), value, Source("t", "c"))
    return Dated("hours", (row,))


@pytest.mark.parametrize(
    ("opens", "closes", "rings"),
    [
        (None, None, True),
        ("08:00", "22:00", True),
        ("12:02", "22:00", False),  # open for less than the target
        ("08:00", "12:06", False),  # closed by now
        ("13:00", "22:00", False),
    ],
)
def test_silence_of_every_device_rings_in_hours_of_opening(books, opens, closes, rings):
    books.take(books.enrol())
    if opens is not None:
        books.pack = msgspec.structs.replace(books.pack, hours=hours(opens, closes))
    books.clock.ahead_ms += LAG_MS
    assert "NOTHING_HEARD" not in ringing(books)
    books.clock.ahead_ms += 60_001
    assert ("NOTHING_HEARD" in ringing(books)) == rings


def test_one_device_that_reports_is_enough_against_silence(books):
    one, _ = books.enrol("one"), books.enrol("two")
    books.clock.ahead_ms += LAG_MS + 1
    assert "NOTHING_HEARD" in ringing(books)
    books.take(one)
    assert "NOTHING_HEARD" not in ringing(books)


def test_a_programme_that_is_closed_expects_nobody(books):
    books.enrol()
    books.clock.ahead_ms += DAY_MS
    books.pack = changed_pack(books.pack, open=False)
    assert "NOTHING_HEARD" not in ringing(books)


def test_a_night_that_is_not_complete_rings_four_hours_after_its_time(books):
    books.sell(books.enrol())
    books.clock.ahead_ms += DAY_MS + 4 * 3_600_000 - 1  # 15:59:59.999 of the next day, nights by noon
    assert "NIGHT_OVERDUE" not in ringing(books)
    books.clock.ahead_ms += 1
    alarm = ringing(books)["NIGHT_OVERDUE"]
    assert (alarm.about, alarm.since_ms) == (("2026-03-01",), books.clock.now_ms())
    assert "NIGHT_OVERDUE" not in ringing(books, night_at=datetime.time(13))
    with writing(books.engine) as connection:
        note_run(connection, "2026-03-01", 0, True, books.clock.now_ms())
    assert "NIGHT_OVERDUE" not in ringing(books)


@pytest.fixture
def night_day(books, tmp_path):
    """A day whose night was complete, at noon of the next."""
    day = NightDay(tmp_path, books)
    day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY, 12)
    assert day.run().report.complete
    return day


def not_taken(day, **changes):
    """Return which files that lie in the folder ring, because they are not those on record."""
    alarm = ringing(day.books, sources=day.config(), **changes).get("FILE_NOT_TAKEN")
    return () if alarm is None else alarm.about


def test_another_file_of_a_complete_day_rings_until_it_counts_or_is_gone(night_day):
    day = night_day
    assert not_taken(day) == ()
    was = day.card_file().read_bytes()
    day.card.append(changed(day.card[0], trace="000099", rrn="000000000099"))
    day.write_files()
    assert not_taken(day) == (f"{DAY} acquirer: acquirer-{DAY}.csv",)
    day.card_file().write_bytes(was)
    assert not_taken(day) == ()
    day.write_files()
    assert not_taken(day) != ()
    day.run(replace_of=[ACQUIRER])
    assert not_taken(day) == ()
    day.card_file().unlink()  # kept elsewhere: what is on record counts
    assert not_taken(day) == ()


def test_a_file_of_the_same_size_and_time_that_is_another_rings_too(night_day):
    file = night_day.card_file()
    at, was = file.stat(), file.read_bytes()
    assert not_taken(night_day) == ()
    file.write_bytes(bytes(reversed(was)))
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert not_taken(night_day) != ()


def test_a_file_that_comes_where_nothing_was_said_to_have_moved_rings(night_day):
    day, file = night_day, night_day.wechat_file()
    file.write_bytes(b"a bill after all")
    assert not_taken(day) == (f"{DAY} wechat: {file.name}",)
    file.with_name(f"{file.name}.none").unlink()
    assert not_taken(day) == (f"{DAY} wechat: {file.name}",)


def test_the_word_that_nothing_moved_in_place_of_a_file_rings(night_day):
    day, file = night_day, night_day.card_file()
    file.rename(file.with_name(f"{file.name}.none"))
    assert not_taken(day) == (f"{DAY} acquirer: {file.name}.none",)


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda place: (place.touch(), os.truncate(place, 300 << 20))])
def test_what_no_night_could_take_in_a_files_place_rings(night_day, spoil):
    night_day.card_file().unlink()
    spoil(night_day.card_file())
    assert not_taken(night_day) == (f"{DAY} acquirer: acquirer-{DAY}.csv",)


def test_no_file_rings_before_the_hour_of_its_night_nor_a_month_after(night_day):
    night_day.card_file().write_bytes(b"another one")
    assert not_taken(night_day, night_at=datetime.time(12, 1)) == ()
    assert not_taken(night_day, night_at=datetime.time(12)) != ()
    night_day.pass_to("2026-04-01", 12)
    assert not_taken(night_day) != ()
    night_day.pass_to("2026-04-02", 12)
    assert not_taken(night_day) == ()


def test_without_the_nights_sources_or_their_folder_no_file_rings(night_day):
    night_day.card_file().write_bytes(b"another one")
    assert "FILE_NOT_TAKEN" not in ringing(night_day.books)
    shutil.rmtree(night_day.incoming)
    assert not_taken(night_day) == ()


def test_a_file_is_read_once_while_it_stays_as_it_is(night_day, monkeypatch):
    assert not_taken(night_day) == ()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert not_taken(night_day) == ()


def test_a_file_that_is_too_large_for_any_night_is_not_read_to_ring(night_day, monkeypatch):
    assert not_taken(night_day) == ()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read"))
    os.truncate(night_day.card_file(), 300 << 20)
    assert not_taken(night_day) == (f"{DAY} acquirer: acquirer-{DAY}.csv",)


def test_a_file_that_the_disk_does_not_give_rings(night_day, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    assert not_taken(night_day) == ()
    monkeypatch.setattr(hashlib, "file_digest", fail)
    night_day.card_file().write_bytes(b"another one")
    assert not_taken(night_day) == (f"{DAY} acquirer: acquirer-{DAY}.csv",)


def test_a_return_under_way_for_longer_than_the_target_rings(books):
    device = books.enrol()
    sealed = books.sell(device)
    books.take(device, device.chain(device.returning(promised(sealed))))
    books.clock.ahead_ms += LAG_MS
    assert "RETURN_OVERDUE" not in ringing(books)
    books.clock.ahead_ms += 1
    assert ringing(books)["RETURN_OVERDUE"].about == (promised(sealed).record_id,)
    books.take(device, device.chain(device.returned(promised(sealed))))
    assert "RETURN_OVERDUE" not in ringing(books)


def test_items_ring_when_they_have_waited_for_days(books):
    device = books.enrol()
    books.take(device, device.chain(b"poison"))
    kept = books.hold(device)
    books.take(device, device.chain(device.paid(kept, paid_fen=1)))
    books.clock.ahead_ms += 3 * DAY_MS - 1
    assert not {"QUARANTINE_WAITS", "DIFFERENCE_WAITS"} & ringing(books).keys()
    books.clock.ahead_ms += 1
    found = ringing(books)
    assert found["QUARANTINE_WAITS"].about == (f"{device.name}/1/1",)
    assert found["DIFFERENCE_WAITS"].about == (promised(kept).record_id,)
    books.sql("UPDATE difference SET closed_ms = 1")
    assert not {"QUARANTINE_WAITS", "DIFFERENCE_WAITS"} & ringing(books).keys()


def test_a_frozen_device_rings_until_it_is_let_go_or_replaced(books):
    one, two = books.enrol("one"), books.enrol("two")
    for device in (one, two):
        books.done(FreezeDevice(device.name, "stolen", "li"))
    assert set(ringing(books)["DEVICE_FROZEN"].about) == {one.name, two.name}
    books.done(UnfreezeDevice(one.name, "found", by="wang, li"))
    books.done(ReplaceDevice(two.name, "lost", by="wang, li"))
    assert "DEVICE_FROZEN" not in ringing(books)


def test_many_of_a_kind_are_one_alarm_with_their_count(books):
    for number in range(25):
        books.enrol(f"host {number}", reference.SHOP)
    books.sql("UPDATE device SET frozen = 'x'")
    item = "device, 'device_frozen', 'operations', 'x', 1, '', 0, '', '', NULL"
    books.sql(f"INSERT INTO difference SELECT {item} FROM device")
    alarm = ringing(books)["DEVICE_FROZEN"]
    assert (alarm.count, len(alarm.about)) == (25, 20)


def test_books_without_a_good_drill_for_30_days_ring_until_one_is_noted(books):
    with reading(books.engine) as connection:
        began_ms = connection.execute(select(event.c.at_ms).order_by(event.c.event_no).limit(1)).scalar_one()
    due_ms = began_ms + 30 * DAY_MS
    assert "DRILL_OVERDUE" not in ringing(books, now_ms=due_ms - 1)
    assert ringing(books, now_ms=due_ms)["DRILL_OVERDUE"].since_ms == due_ms
    with writing(books.engine) as connection:
        note_meta(connection, LAST_DRILL, str(began_ms + DAY_MS))
    assert "DRILL_OVERDUE" not in ringing(books, now_ms=due_ms)
    assert "DRILL_OVERDUE" in ringing(books, now_ms=due_ms + DAY_MS)
