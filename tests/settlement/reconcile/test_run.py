"""Does a night end in the same books and bytes however often it is run, and change only what it says?"""

import errno
import fcntl
import os
from pathlib import Path

import msgspec
import pytest
from night import ACQUIRER, DAY, NEXT_DAY, WECHAT, NightDay, changed, pay_ref, to_pay, triples
from sqlalchemy.exc import IntegrityError

from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lock import NightUnderWay
from settlement.reconcile.register import OtherBytes
from settlement.reconcile.report import text
from settlement.reconcile.run import NightRefused
from settlement.writer.rows import Difference
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError


@pytest.fixture
def day(tmp_path):
    made = NightDay(tmp_path)
    made.sold = made.sell()
    made.sold_by_phone = made.sell(Tender.QR_SCAN)
    made.held = made.hold()
    made.gone = made.sell()  # of which the acquirer knows nothing
    made.card.pop()
    made.write_files()
    made.pass_to(NEXT_DAY)
    return made


def loaded(day):
    return day.books.sql_rows("SELECT source, day, version, rows FROM channel_file ORDER BY 1, 2, 3")


# Again and again.


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


def test_a_bad_file_leaves_nothing_of_any_file_on_record(day):
    before = day.books.state_hash()
    day.wechat_file().write_bytes(day.wechat_file().read_bytes()[:-20])
    with pytest.raises(FileError):
        day.run()
    assert day.books.state_hash() == before


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


# What it changes.


def test_a_difference_opens_an_item_and_blocks_the_line(day):
    day.run()
    record = day.record(day.gone)
    assert (record.state, record.blocks) == ("BLOCKED", ("night:missing_in_file",))
    item = day.books.row(Difference, pay_ref(day.gone), "missing_in_file")
    assert (item.day, item.fen, item.owner, item.closed_ms) == (DAY, to_pay(day.gone), "platform", None)
    assert item.next_step == Kind.MISSING_IN_FILE.next_en


def test_a_late_row_in_the_next_days_file_settles_it(day):
    day.run()
    late = changed(
        day.card[0], pay_ref=pay_ref(day.gone), trace="000077", rrn="0" * 12, at=f"{NEXT_DAY}T09:00:00+08:00"
    )
    day.card.append(late)
    day.write_files(NEXT_DAY)
    day.pass_to("2026-03-03")
    night = day.run(NEXT_DAY)
    assert night.report.differences == ()
    record = day.record(day.gone)
    assert (record.state, record.blocks) == ("PAYABLE", ())
    assert day.books.row(Difference, pay_ref(day.gone), "missing_in_file").closed_ms is not None
    assert day.run().report.differences == ()


def test_an_item_that_comes_again_is_open_again(day):
    day.run()
    full = [*day.card, changed(day.card[0], pay_ref=pay_ref(day.gone), trace="000077")]
    for lines in (full, day.card):
        day.card = lines
        day.write_files()
        day.run(replace_of=[ACQUIRER])
        day.card = full[:-1]
    item = day.books.row(Difference, pay_ref(day.gone), "missing_in_file")
    assert item.closed_ms is None
    assert day.record(day.gone).state == "BLOCKED"


def test_a_line_with_two_items_of_a_kind_is_freed_with_the_last(tmp_path):
    day = NightDay(tmp_path)
    sold = day.sell_again(Tender.CARD, Tender.CARD)
    rows = list(day.card)
    day.card = [changed(one, mid="9" * 15) if one.kind == "sale" else one for one in rows]
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert len(triples(day.run().report)) == 2
    assert day.record(sold).blocks == ("night:foreign_merchant",)
    day.books.happened.clear()
    day.card = [changed(one, mid="9" * 15) if one.pay_ref == pay_ref(sold, 2) else one for one in rows]
    day.write_files()
    day.run(replace_of=[ACQUIRER])
    assert day.record(sold).blocks == ("night:foreign_merchant",)
    assert day.books.happened == ["night_difference_settled"]
    day.card = rows
    day.write_files()
    day.run(replace_of=[ACQUIRER])
    assert (day.record(sold).blocks, day.record(sold).state) == ((), "PAYABLE")


def test_a_block_that_was_lost_comes_back_with_the_next_night(day):
    day.run()
    day.books.sql("UPDATE record SET state = 'PAYABLE', blocks = '[]' WHERE state = 'BLOCKED'")
    day.run()
    assert day.record(day.gone).blocks == ("night:missing_in_file",)


def test_an_item_whose_amount_changes_is_corrected_and_keeps_its_age(day):
    day.card = [changed(day.card[0], fen=day.card[0].fen - 5)]
    day.write_files()
    day.run()
    opened_ms = day.books.row(Difference, pay_ref(day.sold), "amount").opened_ms
    day.pass_to(NEXT_DAY, 20)
    day.card = [changed(day.card[0], fen=day.card[0].fen - 4)]
    day.write_files()
    day.run(replace_of=[ACQUIRER])
    item = day.books.row(Difference, pay_ref(day.sold), "amount")
    assert (item.fen, item.opened_ms) == (9, opened_ms)


def test_an_entry_that_was_not_taken_says_nothing_of_the_files(tmp_path):
    """A closed sale with an attempt that is paid contradicts itself: people look at it, not the night."""
    day = NightDay(tmp_path)
    sealed = day.hold()
    day.charge(sealed)
    promise_id, hold_no = day.record(sealed).record_id, day.record(sealed).hold_no
    entry = day.device.closed(promise_id, hold_no, [day.attempt(sealed)])
    assert day.books.take(day.device, day.device.chain(entry)) == ["quarantined"]
    day.write_files()
    day.pass_to(NEXT_DAY)
    report = day.run().report
    assert [(one.wait, one.fen) for one in report.waiting] == [("record_kept", to_pay(sealed))]
    assert report.proof.debited.buckets["waiting"] == to_pay(sealed)
    assert report.matched == 0


def test_a_row_of_no_record_is_settled_when_its_record_comes(tmp_path):
    """The centre was restored to before the sale: the shop sends its record again."""
    day = NightDay(tmp_path)
    held = day.hold()
    day.charge(held)
    day.report_closed(held)  # said not paid
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.MISSING_IN_RECORD, pay_ref(held), to_pay(held))]
    day.report_paid(held)  # a late grant
    night = day.run()
    assert night.report.differences == ()
    assert [one.record_id for one in night.report.late_grants] == [day.record(held).record_id]
    assert day.books.row(Difference, pay_ref(held), "missing_in_record").closed_ms is not None


def test_a_return_of_days_later_is_held_against_the_file_of_its_own_day(day):
    day.run()
    day.pass_to("2026-03-05", 12)
    day.report(day.returning(day.sold), day.returned(day.sold))
    day.write_files("2026-03-05")  # without the refund
    day.pass_to("2026-03-06")
    night = day.run("2026-03-05")
    assert triples(night.report) == [(Kind.RETURN_WITHOUT_REFUND, pay_ref(day.sold), to_pay(day.sold))]
    day.books.clock.ahead_ms -= 22 * 3_600_000
    day.refund(day.sold)
    day.pass_to("2026-03-06", 11)
    day.write_files("2026-03-05")
    assert day.run("2026-03-05", replace_of=[ACQUIRER]).report.differences == ()
    # Only the one that is still missing is left of the first day.
    assert triples(day.run().report) == [(Kind.MISSING_IN_FILE, pay_ref(day.gone), to_pay(day.gone))]


def test_a_kept_record_is_listed_and_not_a_difference_of_the_night(tmp_path):
    day = NightDay(tmp_path)
    sealed = day.hold()
    day.charge(sealed)
    paid = day.device.paid(sealed, paid_fen=to_pay(sealed) - 1)
    day.report(paid)
    day.write_files()
    day.pass_to(NEXT_DAY)
    report = day.run().report
    assert report.differences == ()
    assert [one.record_id for one in report.kept] == [day.record(sealed).record_id]
    assert report.proof.granted.buckets["kept"] == day.record(sealed).subsidy_fen


def test_a_return_that_stays_open_is_listed_night_after_night(tmp_path):
    day = NightDay(tmp_path)
    sold = day.sell()
    day.report(day.returning(sold))
    day.pass_to(DAY, 23.99)
    just_begun = day.sell()
    day.report(day.returning(just_begun))
    listed = []
    for of_day, next_day in ((DAY, NEXT_DAY), (NEXT_DAY, "2026-03-03")):
        day.write_files(of_day)
        day.pass_to(next_day)
        night = day.run(of_day)
        assert night.report.differences == ()
        listed.append({one.record_id for one in night.report.returns_open})
    first, second = day.record(sold).record_id, day.record(just_begun).record_id
    assert listed == [{first}, {first, second}]


# What stands in its way.


def test_a_day_to_come_is_refused(day):
    with pytest.raises(NightRefused, match="has not come"):
        day.run("2026-03-03")


def test_a_source_that_there_is_not_cannot_be_replaced(day):
    with pytest.raises(NightRefused, match="no source unionpay"):
        day.run(replace_of=["unionpay"])


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


def test_only_one_night_runs_at_a_time(day):
    place = os.open(f"{day.folder / 'centre.sqlite3'}.night-lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        with pytest.raises(NightUnderWay):
            day.run()
    finally:
        os.close(place)
    assert day.run().report.complete


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
