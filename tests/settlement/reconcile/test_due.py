"""Which nights are due, which are overdue, and does the service run them?"""

import datetime
import json

import pytest
from night import ACQUIRER, DAY, NEXT_DAY, NightDay, changed

from settlement import logs
from settlement.db.connection import reading
from settlement.reconcile.due import OVERDUE_AFTER, due, last_complete
from settlement.reconcile.schedule import run_due_nights

HALF_PAST_TEN = datetime.time(10, 30)
NOW = datetime.timedelta()
THIRD_DAY, FOURTH_DAY = "2026-03-03", "2026-03-04"


@pytest.fixture
def day(tmp_path):
    return NightDay(tmp_path)


def asked(day, late_by=NOW):
    with reading(day.books.engine) as connection:
        return due(connection, HALF_PAST_TEN, day.books.clock.now_ms(), late_by)


class Lines:
    """A stream that keeps what is logged."""

    def __init__(self):
        self.lines = []

    def write(self, line):
        self.lines.append(json.loads(line))

    def flush(self):
        pass


def run_due(day):
    stream = Lines()
    run_due_nights(day.parts(), HALF_PAST_TEN, logs.make_log(day.books.clock.now_ms, logs.Lines(stream)))
    return stream.lines


def test_nothing_is_due_before_there_is_anything(day):
    day.pass_to(FOURTH_DAY)
    assert asked(day) == []


def test_a_day_is_due_when_the_hour_of_its_night_has_come(day):
    day.sell()
    assert asked(day) == []
    day.pass_to(NEXT_DAY, 10.49)
    assert asked(day) == []
    day.pass_to(NEXT_DAY, 10.5)
    assert asked(day) == [DAY]


def test_what_was_missed_is_due_the_oldest_first(day):
    day.sell()
    day.pass_to(FOURTH_DAY)
    assert asked(day) == [DAY, NEXT_DAY, THIRD_DAY]


def test_a_night_that_was_complete_is_not_due_again_and_one_that_was_not_is(day):
    day.sell()
    day.write_files()
    day.pass_to(THIRD_DAY)
    day.run()
    day.run(NEXT_DAY)  # its files have not come
    assert asked(day) == [NEXT_DAY]
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)
    assert asked(day) == []
    with reading(day.books.engine) as connection:
        assert last_complete(connection) == NEXT_DAY


def test_a_night_with_differences_was_complete(day):
    day.sell()
    day.card.clear()
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert day.run().exit_code == 4
    assert asked(day) == []


def test_a_night_that_was_run_on_its_own_day_is_due_when_the_day_is_over(day):
    day.sell()
    day.write_files()
    assert not day.run().report.complete
    day.pass_to(NEXT_DAY)
    assert asked(day) == [DAY]
    (told,) = run_due(day)
    assert (told["day"], told["complete"]) == (DAY, True)
    assert asked(day) == []


def test_what_was_charged_after_an_early_night_is_found_once_the_whole_file_counts(day):
    day.sell()
    day.write_files()
    day.run()
    day.card.append(changed(day.card[0], trace="000099", rrn="000000000099"))
    day.write_files()
    day.pass_to(NEXT_DAY)
    (told,) = run_due(day)
    assert (told["event"], told["day"]) == ("night.refused", DAY)
    assert f"--replace {ACQUIRER}" in told["problem"]
    day.pass_to(NEXT_DAY, 14.5)
    assert asked(day, OVERDUE_AFTER) == [DAY]
    night = day.run(replace_of=[ACQUIRER])
    assert [one.kind for one in night.report.differences] == ["doubled"]
    assert asked(day) == []


def test_a_night_that_books_of_before_call_complete_on_its_own_day_is_due_once_more(day):
    day.sell()
    day.write_files()
    day.run()
    day.books.sql("UPDATE night_run SET exit_code = 0, complete = 1")  # as it was noted then
    day.pass_to(NEXT_DAY)
    with reading(day.books.engine) as connection:
        assert last_complete(connection) is None
    assert asked(day) == [DAY]
    assert [one["complete"] for one in run_due(day)] == [True]
    assert asked(day) == []
    with reading(day.books.engine) as connection:
        assert last_complete(connection) == DAY


def test_a_dry_run_does_not_count(day):
    day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run(dry_run=True)
    assert asked(day) == [DAY]


def test_a_night_is_overdue_four_hours_after_its_hour(day):
    day.sell()
    day.pass_to(NEXT_DAY, 14.49)
    assert asked(day, OVERDUE_AFTER) == []
    day.pass_to(NEXT_DAY, 14.5)
    assert asked(day, OVERDUE_AFTER) == [DAY]


def test_no_more_than_a_month_is_caught_up(day):
    day.sell()
    day.pass_to("2026-06-01")
    days = asked(day)
    assert (len(days), days[-1]) == (31, "2026-05-31")


def test_due_nights_are_run_and_told(day):
    day.sell()
    day.write_files()
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    told = run_due(day)
    assert [(one["event"], one["day"], one["complete"]) for one in told] == [
        ("night.run", DAY, True),
        ("night.run", NEXT_DAY, True),
    ]
    assert run_due(day) == []


def test_a_bad_file_does_not_keep_the_next_night_waiting(day):
    day.sell()
    day.write_files()
    day.write_files(NEXT_DAY)
    day.card_file().write_bytes(b"not a file of anybody's\n")
    day.pass_to(THIRD_DAY)
    first, second = run_due(day)
    assert (first["event"], first["day"]) == ("night.refused", DAY)
    assert "the header is another" in first["problem"]
    assert (second["event"], second["day"]) == ("night.run", NEXT_DAY)
    assert asked(day) == [DAY]


def test_a_fault_of_ours_is_told_with_its_place_and_does_not_end_the_service(day):
    day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.books.sql("ALTER TABLE night_report RENAME TO gone")
    (told,) = run_due(day)
    assert (told["event"], told["level"]) == ("night.failed", "error")
    assert "Traceback" in told["exception"]


def test_a_file_that_comes_late_completes_the_night(day):
    day.sell()
    day.write_files()
    marker = day.wechat_file().with_name(f"wechat-{DAY}.csv.none")
    marker.unlink()
    day.pass_to(NEXT_DAY)
    (told,) = run_due(day)
    assert (told["exit_code"], told["complete"]) == (4, False)
    marker.touch()
    (told,) = run_due(day)
    assert (told["exit_code"], told["complete"]) == (0, True)
