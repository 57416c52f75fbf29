"""When do files end a hold, when do they find it paid, and when must they not?"""

import pytest
from books import changed_pack
from night import (
    ACQUIRER,
    DAY,
    HOUR_MS,
    NEXT_DAY,
    SOURCES,
    WECHAT,
    NightDay,
    changed,
    pay_ref,
    to_pay,
    triples,
)

from settlement.reconcile.kinds import Kind
from subsidy.policy.model import Tender

THIRD_DAY = "2026-03-03"


@pytest.fixture
def day(tmp_path):
    return NightDay(tmp_path)


@pytest.fixture
def cash_day(day):
    """A day of a programme that allows cash."""
    day.books.pack = changed_pack(day.books.pack, tenders=tuple(Tender))
    return day


def nights(day):
    """Run the night of the day and of the next, each on its morning, with its files."""
    day.write_files()
    day.pass_to(NEXT_DAY)
    first = day.run()
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    return first, day.run(NEXT_DAY)


def test_a_hold_without_a_row_in_both_days_files_is_ended(day):
    held = day.hold()
    first, _ = nights(day)
    assert [one.wait for one in first.report.waiting] == ["sale_open"]
    record = day.record(held)
    assert (record.state, record.money) == ("RELEASED", None)
    assert record.why == f"files {DAY} to {NEXT_DAY}"
    assert day.books.money() == {}
    (ended,) = day.run().report.ended_by_files
    assert (ended.record_id, ended.fen) == (record.record_id, record.subsidy_fen)


@pytest.mark.parametrize("tender", [Tender.CARD, Tender.QR_SCAN])
def test_a_charge_that_was_taken_back_ends_the_hold_too(day, tender):
    held = day.hold(tender)
    day.charge(held)
    day.take_back(held)
    nights(day)
    assert day.record(held).state == "RELEASED"


@pytest.mark.parametrize("tender", [Tender.CARD, Tender.QR_SCAN])
def test_a_hold_that_was_paid_is_booked_before_its_shop_reports(day, tender):
    held = day.hold(tender)
    day.charge(held, 2, tender)
    first, second = nights(day)
    assert first.report.proof.debited.buckets["waiting"] == to_pay(held)
    record = day.record(held)
    assert (record.state, record.recovered, record.paid_fen) == ("PAYABLE", True, to_pay(held))
    assert record.pay_ref == pay_ref(held, 2)
    assert day.books.money() == {"payable": record.subsidy_fen}
    assert second.exit_code == 0
    report = day.run().report
    assert (report.differences, report.matched) == ((), 1)
    assert [one.record_id for one in report.recovered] == [record.record_id]


def test_the_shops_own_record_is_merged_into_the_recovered_one(day):
    held = day.hold()
    day.charge(held)
    nights(day)
    day.report_paid(held)
    record = day.record(held)
    assert (record.state, record.pay_ref, record.blocks) == ("PAYABLE", pay_ref(held), ())
    night = day.run()
    assert (night.report.differences, night.report.recovered, night.exit_code) == ((), (), 0)
    assert day.books.money() == {"payable": record.subsidy_fen}


@pytest.mark.parametrize(("tender", "state"), [(Tender.CARD, "GIVEN_BACK"), (Tender.QR_SCAN, "NOT_PAID")])
def test_what_its_silent_shop_gives_back_after_it_was_recovered_is_held_against_that_days_file(
    day, tender, state
):
    held = day.hold(tender)
    day.charge(held)
    nights(day)
    assert day.record(held).recovered
    day.pass_to("2026-03-05", 12)
    day.report_closed(held, day.attempt(held, 1, state))
    assert (day.record(held).state, day.books.money()) == ("RETURNED", {})
    day.write_files(THIRD_DAY)
    day.write_files("2026-03-04")
    day.write_files("2026-03-05")  # without what the shop says it gave back
    for over in (THIRD_DAY, "2026-03-04", "2026-03-05"):
        day.pass_to("2026-03-06")
        night = day.run(over)
    kind = Kind.RETURN_WITHOUT_REFUND if state == "GIVEN_BACK" else Kind.MISSING_IN_RECORD
    found = (*night.report.differences, *night.report.older)
    assert [(one.kind, one.pay_ref, one.fen) for one in found] == [(kind.value, pay_ref(held), to_pay(held))]
    day.pass_to("2026-03-06", 12)
    (day.refund if state == "GIVEN_BACK" else day.take_back)(held)
    day.write_files("2026-03-06")
    day.pass_to("2026-03-07")
    night = day.run("2026-03-06")
    assert (night.report.differences, night.report.older, night.exit_code) == ((), (), 0)
    assert night.report.proof.debited.holds


def test_another_amount_stays_held_and_is_a_difference(day):
    held = day.hold()
    day.charge(held, fen=to_pay(held) - 100)
    nights(day)
    assert day.record(held).state == "HELD"
    report = day.run().report
    assert triples(report) == [(Kind.AMOUNT, pay_ref(held), 100)]
    assert report.waiting == ()
    assert day.books.differences(pay_ref(held)) == ["amount"]


def test_two_tries_that_both_stand_are_a_difference(day):
    held = day.hold()
    day.charge(held)
    day.charge(held, 2, Tender.QR_SCAN)
    nights(day)
    assert day.record(held).state == "HELD"
    assert triples(day.run().report) == [(Kind.AMOUNT, pay_ref(held, 2), to_pay(held))]


@pytest.mark.parametrize("source", [ACQUIRER, WECHAT])
@pytest.mark.parametrize("missing_day", [DAY, NEXT_DAY])
def test_no_hold_ends_while_a_file_that_could_have_its_payment_is_missing(day, source, missing_day):
    """Of whichever side: another try may have gone another way."""
    held = day.hold(Tender.CARD)
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    lost = day.card_file(missing_day) if source == ACQUIRER else day.wechat_file(missing_day)
    for path in (lost, lost.with_name(f"{lost.name}.none")):
        path.unlink(missing_ok=True)
    day.pass_to(THIRD_DAY)
    day.run()
    assert day.run(NEXT_DAY).applied == 0
    assert day.record(held).state == "HELD"
    day.write_files(missing_day)
    day.run(missing_day)
    assert day.record(held).state == "RELEASED"


def test_a_file_that_came_before_its_day_was_over_proves_nothing(day):
    held = day.hold()
    day.write_files()
    night = day.run()  # at noon of the day itself
    assert (night.exit_code, night.report.complete) == (4, False)
    assert [one.whole for one in night.report.files] == [False, False]
    day.pass_to(NEXT_DAY)
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    day.run(NEXT_DAY)
    assert day.record(held).state == "HELD"
    day.run()  # the file is the same when the day is over: now it counts
    assert day.record(held).state == "RELEASED"


def test_no_hold_ends_before_its_time_is_over_whatever_the_files_say(day):
    held = day.hold()
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to(THIRD_DAY)
    day.books.sql("UPDATE record SET held_for_s = 200000")  # past the third day's morning
    day.run()
    assert day.run(NEXT_DAY).applied == 0
    assert day.record(held).state == "HELD"


def test_a_hold_around_midnight_also_asks_the_file_of_the_day_after(day):
    day.pass_to(DAY, 23.99)
    held = day.hold()
    day.pass_to(NEXT_DAY, 0.05)
    day.charge(held)
    nights(day)
    record = day.record(held)
    assert (record.state, record.pay_ref) == ("PAYABLE", pay_ref(held))


def test_a_hold_in_a_shop_that_no_source_covers_is_never_ended(day):
    day.sources.write_text(SOURCES.replace("every_shop", '["S9999"]'), encoding="utf-8")
    held = day.hold(Tender.QR_SCAN)
    nights(day)
    assert day.record(held).state == "HELD"


def test_a_row_under_a_foreign_number_neither_ends_nor_books_a_hold(day):
    held = day.hold()
    day.charge(held)
    day.card = [changed(day.card[0], mid="999999999999999")]
    first, _ = nights(day)
    assert triples(first.report) == [(Kind.FOREIGN_MERCHANT, pay_ref(held), to_pay(held))]
    assert day.record(held).state == "HELD"


def test_a_frozen_devices_hold_ends_by_files_too(day):
    held = day.hold()
    day.books.sql("UPDATE device SET frozen = 'restored backup'")
    nights(day)
    assert day.record(held).state == "RELEASED"


def test_the_night_after_finds_what_the_days_own_night_could_not_know(day):
    """The shop was cut off: its record comes a day late, and the acquirer settled it on the next day."""
    sold = day.hold()
    day.write_files()
    day.pass_to(NEXT_DAY, 0.1)
    day.charge(sold)
    day.pass_to(NEXT_DAY, 10.5)
    assert day.run().report.differences == ()
    day.report_paid(sold)
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    assert day.run(NEXT_DAY).report.differences == ()
    assert day.record(sold).state == "PAYABLE"


def test_what_a_hold_took_is_given_back_when_files_end_it(day):
    held = day.hold()
    nights(day)
    day.books.clock.ahead_ms += HOUR_MS
    again = day.books.hold(day.device, person=0)  # the same person's quota and code
    assert day.record(again).state == "HELD"
    assert day.record(held).state == "RELEASED"


def test_files_without_a_row_end_no_hold_where_cash_may_be_taken(cash_day):
    """A hold for a card may have been paid in cash: no file would have it."""
    held = cash_day.hold(Tender.CARD)
    nights(cash_day)
    assert cash_day.record(held).state == "HELD"
    assert cash_day.run().report.waiting != ()


def test_files_still_find_a_payment_where_cash_may_be_taken(cash_day):
    held = cash_day.hold(Tender.CARD)
    cash_day.charge(held)
    nights(cash_day)
    assert (cash_day.record(held).state, cash_day.record(held).recovered) == ("PAYABLE", True)
