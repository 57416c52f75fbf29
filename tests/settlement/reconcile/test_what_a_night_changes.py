"""Which items does a night open, correct and close, which lines does it block, and what does it only list?"""

import pytest
from night import ACQUIRER, DAY, NEXT_DAY, NightDay, changed, pay_ref, to_pay, triples
from one_missing_day import OneMissingDay

from settlement.reconcile.kinds import Kind
from settlement.writer.rows import Difference
from subsidy.policy.model import Tender


@pytest.fixture
def day(tmp_path):
    return OneMissingDay(tmp_path)


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
