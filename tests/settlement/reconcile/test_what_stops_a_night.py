"""What stops a night, or shows that its books or files are wrong, and is it said with what to do?"""

import errno
import fcntl
import os
from pathlib import Path

import msgspec
import pytest
from night import DAY, NEXT_DAY, NightDay, pay_ref, to_pay, triples
from one_missing_day import OneMissingDay

from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lock import NightUnderWay
from settlement.reconcile.report import text
from settlement.reconcile.run import NightRefused
from subsidy.strict.yaml_text import FileError


@pytest.fixture
def day(tmp_path):
    return OneMissingDay(tmp_path)


def test_a_day_to_come_is_refused(day):
    with pytest.raises(NightRefused, match="has not come"):
        day.run("2026-03-03")


def test_a_day_before_the_programme_runs_and_is_empty(day):
    report = day.run("2019-01-01").report
    assert (report.matched, report.complete) == (0, False)


def test_what_devices_write_of_time_does_not_stop_the_night(tmp_path):
    """A device's clock says the year 10889: its sale is looked for on days that the centre can bear out."""
    day = NightDay(tmp_path)
    sealed = day.hold()
    day.charge(sealed)
    attempt = msgspec.structs.replace(day.attempt(sealed), begun_ms=2**48, ended_ms=2**48)
    day.report_paid(sealed, attempt)
    missing = day.hold()
    attempt = msgspec.structs.replace(day.attempt(missing), begun_ms=0, ended_ms=2**48)
    day.report_paid(missing, attempt)
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.MISSING_IN_FILE, pay_ref(missing), to_pay(missing))]


def test_a_source_that_there_is_not_cannot_be_replaced(day):
    with pytest.raises(NightRefused, match="no source unionpay"):
        day.run(replace_of=["unionpay"])


def test_only_one_night_runs_at_a_time(day):
    place = os.open(f"{day.folder / 'centre.sqlite3'}.night-lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        with pytest.raises(NightUnderWay):
            day.run()
    finally:
        os.close(place)
    assert day.run().report.complete


# Files that it does not take.


def test_a_bad_file_leaves_nothing_of_any_file_on_record(day):
    before = day.books.state_hash()
    day.wechat_file().write_bytes(day.wechat_file().read_bytes()[:-20])
    with pytest.raises(FileError):
        day.run()
    assert day.books.state_hash() == before


def test_an_acquirer_that_always_gives_a_file_cannot_say_nothing(day):
    day.card_file().unlink()
    day.card_file().with_name(f"acquirer-{DAY}.csv.none").touch()
    with pytest.raises(FileError, match="always gives a file"):
        day.run()


def test_a_bill_beside_the_word_that_nothing_moved_is_refused(day):
    day.wechat_file().with_name(f"wechat-{DAY}.csv.none").touch()
    with pytest.raises(FileError, match="nothing moved, and"):
        day.run()


def test_a_folder_in_a_files_place_is_refused(day):
    day.card_file().unlink()
    day.card_file().mkdir()
    with pytest.raises(FileError, match="not a file"):
        day.run()


@pytest.mark.parametrize("place", ["incoming", "incoming/acquirer-2026-03-01.csv.none"])
def test_a_place_into_which_this_account_may_not_look_is_refused_and_named(day, monkeypatch, place):
    denied_at, stat = day.folder / place, Path.stat

    def denied(path, **how):
        if path == denied_at:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(FileError, match=r"cannot be read \(Permission denied\)") as refused:
        day.run()
    assert str(denied_at) in str(refused.value)


def test_a_folder_that_is_not_there_is_refused(day, tmp_path):
    with pytest.raises(FileError, match="no such folder"):
        day.run(files=tmp_path / "elsewhere")


# What is told as wrong, and what to do.


@pytest.mark.parametrize(
    ("table", "change", "said"),
    [
        ("channel_line", "UPDATE channel_line SET fen = fen + 1 WHERE source = 'acquirer'", "file acquirer"),
        ("channel_line", "DELETE FROM channel_line WHERE source = 'wechat'", "file wechat"),
        ("night_report", "UPDATE night_report SET sha256 = 'another'", "the report"),
    ],
)
def test_a_file_or_report_that_was_edited_since_is_named(day, tmp_path, table, change, said):
    def looked_at(name):
        anew = open_scratch(tmp_path / name)
        try:
            with reading(day.books.engine) as connection:
                return rebuild(connection, anew).faults
        finally:
            anew.dispose()

    day.run()
    assert looked_at("before") == ()
    day.books.unguard(table)
    day.books.sql(change)
    (fault,) = looked_at("after")
    assert said in fault
    assert DAY in fault


def test_a_proof_that_fails_is_told_with_its_numbers(day):
    day.run()
    day.books.sql("DROP TRIGGER channel_line_no_update")
    day.books.sql("UPDATE channel_line SET fen = fen + 1 WHERE source = 'wechat'")
    night = day.run()
    assert night.exit_code == 1
    debited = night.report.proof.debited
    assert (debited.holds, debited.stored_fen - debited.stated_fen) == (False, 1)
    assert any("DOES NOT ADD UP" in line for line in text(night.report))


def test_a_grant_without_postings_fails_the_second_proof(day):
    day.run()
    day.books.sql("UPDATE record SET subsidy_fen = subsidy_fen + 1 WHERE state = 'PAYABLE'")
    night = day.run()
    assert (night.exit_code, night.report.proof.granted.holds) == (1, False)


def test_the_lines_for_people_end_with_what_to_do(day):
    day.wechat_file().unlink()
    lines = text(day.run().report)
    assert (
        lines[-1] == f"next     put wechat-{DAY}.csv into the folder, then settlement night run --date {DAY}"
    )
    assert any(Kind.MISSING_IN_FILE.next_en in line for line in lines)


def test_the_lines_for_people_say_which_files_came_before_their_day_was_over(tmp_path):
    day = NightDay(tmp_path)
    day.sell()
    day.write_files()  # and WeChat's word that nothing moved
    lines = text(day.run().report)
    again = f"settlement night run --date {DAY}"
    card = f"put the whole acquirer-{DAY}.csv into the folder, then {again} --replace acquirer"
    assert sum("taken before its day was over" in one for one in lines if one.startswith("file")) == 2
    assert lines[-2:] == [
        f"next     when the day is over, {card}",
        f"next     when the day is over and nothing has moved at wechat, {again}",
    ]
