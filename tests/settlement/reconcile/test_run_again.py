"""Does a night end in the same books and bytes however often it is run, on files that stay on record?"""

import pytest
from night import ACQUIRER, DAY, NEXT_DAY, WECHAT, NightDay, changed, pay_ref, to_pay, triples
from one_missing_day import OneMissingDay
from sqlalchemy.exc import IntegrityError

from settlement.reconcile.kinds import Kind
from settlement.reconcile.register import OtherBytes


@pytest.fixture
def day(tmp_path):
    return OneMissingDay(tmp_path)


def loaded(day):
    return day.books.sql_rows("SELECT source, day, version, rows FROM channel_file ORDER BY 1, 2, 3")


def test_a_second_run_changes_nothing_and_says_the_same(day):
    first = day.run()
    before = day.books.state_hash()
    second = day.run()
    assert second.content == first.content
    assert (first.applied, second.applied) == (3, 0)  # a difference, and two that match
    assert day.books.state_hash() == before


def test_the_same_hours_later_with_an_owner_at_work_says_the_same(day):
    first = day.run()
    day.pass_to(NEXT_DAY, 23)
    assert day.run().content == first.content


def test_the_report_holds_no_path_and_no_time_of_the_run(day):
    content = day.run().content.decode()
    assert str(day.folder) not in content
    assert str(day.books.clock.now_ms())[:8] not in content


def test_a_dry_run_says_what_the_run_will_and_changes_nothing(day):
    before = day.books.state_hash()
    dry = day.run(dry_run=True)
    assert day.books.state_hash() == before
    assert dry.applied == 3
    assert dry.content == day.run().content


def test_a_dry_run_sees_the_ends_that_the_run_brings(day):
    day.run()
    day.write_files(NEXT_DAY)
    day.pass_to("2026-03-03")
    day.run(NEXT_DAY)
    for seen in (NEXT_DAY, DAY):
        assert day.run(seen, dry_run=True).content == day.run(seen).content
    assert day.record(day.held).state == "RELEASED"


def test_a_dry_run_of_the_night_that_ends_a_hold_says_the_same(tmp_path):
    day = NightDay(tmp_path)
    held, paid = day.hold(), day.hold()
    day.charge(paid)
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to("2026-03-03")
    day.run(NEXT_DAY)
    assert day.record(held).state == "HELD"
    before = day.books.state_hash()
    dry = day.run(DAY, dry_run=True)
    assert day.books.state_hash() == before
    assert dry.content == day.run(DAY).content
    assert (day.record(held).state, day.record(paid).state) == ("RELEASED", "PAYABLE")


# Files on record.


def test_files_are_loaded_once_with_all_their_rows(day):
    day.run()
    assert loaded(day) == [(ACQUIRER, DAY, 1, 1), (WECHAT, DAY, 1, 1)]
    assert day.books.sql_rows("SELECT count(*) FROM channel_line") == [(2,)]
    day.run()
    assert loaded(day) == [(ACQUIRER, DAY, 1, 1), (WECHAT, DAY, 1, 1)]


def test_a_night_whose_files_have_been_taken_away_runs_on_what_is_on_record(day):
    first = day.run()
    day.card_file().unlink()
    day.wechat_file().unlink()
    assert day.run().content == first.content


def test_other_bytes_for_a_file_on_record_are_refused(day):
    day.run()
    before = day.books.state_hash()
    day.plain_sale()
    day.card = [changed(one, at=f"{DAY}T12:00:00+08:00") for one in day.card]
    day.write_files()
    with pytest.raises(OtherBytes, match=f"--replace {ACQUIRER}"):
        day.run()
    assert day.books.state_hash() == before


def test_a_replaced_file_counts_and_the_old_one_stays_on_record(day):
    assert triples(day.run().report) == [(Kind.MISSING_IN_FILE, pay_ref(day.gone), to_pay(day.gone))]
    day.card.append(changed(day.card[0], pay_ref=pay_ref(day.gone), trace="000077"))
    day.write_files()
    night = day.run(replace_of=[ACQUIRER])
    assert (night.report.differences, night.exit_code) == ((), 0)
    assert loaded(day) == [(ACQUIRER, DAY, 1, 1), (ACQUIRER, DAY, 2, 2), (WECHAT, DAY, 1, 1)]
    assert {one.source: one.version for one in night.report.files} == {ACQUIRER: 2, WECHAT: 1}
    assert day.run().content == night.content


def test_a_file_on_record_and_its_rows_cannot_be_changed(day):
    day.run()
    for table in ("channel_file", "channel_line", "night_report"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET day = '2026-01-01'"):
            with pytest.raises(IntegrityError):
                day.books.sql(statement)


def test_a_database_that_fails_in_the_middle_of_a_file_has_nothing_of_it(day):
    day.books.sql(
        "CREATE TRIGGER full BEFORE INSERT ON channel_line WHEN NEW.source = 'wechat' "
        "BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(IntegrityError):
        day.run()
    assert loaded(day) == []
    day.books.sql("DROP TRIGGER full")
    assert len(loaded(day)) == 0
    assert day.run().report.complete


def test_the_channels_word_that_nothing_moved_counts_as_its_file(day):
    day.wechat_file().unlink()
    day.wechat_file().with_name(f"wechat-{DAY}.csv.none").touch()
    report = day.run().report
    assert {one.source: one.state for one in report.files} == {ACQUIRER: "here", WECHAT: "none"}
    assert (Kind.MISSING_IN_FILE, pay_ref(day.sold_by_phone), to_pay(day.sold_by_phone)) in triples(report)


def test_a_file_of_the_day_itself_that_is_the_same_when_the_day_is_over_is_whole_then(tmp_path):
    day = NightDay(tmp_path)
    held = day.hold()
    day.write_files()
    early = day.run()
    assert [one.whole for one in early.report.files] == [False, False]
    assert (early.report.complete, early.exit_code) == (False, 4)
    day.pass_to(NEXT_DAY)
    night = day.run()
    assert [(one.version, one.whole) for one in night.report.files] == [(2, True), (2, True)]
    assert (night.report.complete, night.exit_code) == (True, 0)
    assert day.run().content == night.content
    day.write_files(NEXT_DAY)
    day.pass_to("2026-03-03")
    day.run(NEXT_DAY)
    assert day.record(held).state == "RELEASED"
