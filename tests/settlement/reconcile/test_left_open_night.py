"""What becomes of a try that its host left open, when that host is gone? Only the files can tell."""

import datetime

import pytest
from books import changed_pack
from msgspec.structs import replace
from night import DAY, NEXT_DAY, NightDay, pay_ref, to_pay, triples

from settlement.claims.build import BuildClaim
from settlement.devices.by_people import FreezeDevice, ReplaceDevice
from settlement.funds.matched import MATCHED
from settlement.invoices.take import NO_INVOICE
from settlement.reconcile.kinds import Kind, Wait
from subsidy.policy.model import Tender

LATER = "2026-03-03"
LEFT_OPEN = ("INTENDED", "UNKNOWN", "REVERSING", "GIVING_BACK")


@pytest.fixture
def day(books, tmp_path):
    return NightDay(tmp_path, books)


def open_try(day, sealed, state="REVERSING", **changes):
    return replace(day.attempt(sealed, 1, state, **changes), ended_ms=None)


def second_card(day, state="REVERSING"):
    """Return a sale whose first try by phone was left open, and whose second one by card has paid."""
    sealed = day.hold(Tender.QR_SCAN)
    day.charge(sealed, 2, Tender.CARD)
    day.report_paid(sealed, open_try(day, sealed, state), day.attempt(sealed, 2, tender=Tender.CARD))
    return sealed


def lose_host(day):
    day.books.done(ReplaceDevice(day.device.name, "its disk is dead", by="wang, li"))


def files_of_both_days(day):
    """Let the files of the day and of the next come, and both nights run; return the first one's."""
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to(LATER)
    night = day.run(DAY)
    day.run(NEXT_DAY)
    return day.run(DAY) if night.report.waiting else night


def claim(day):
    return day.books.done(BuildClaim("M001", datetime.date.fromisoformat(DAY)))


def waits(night):
    return {one.wait for one in night.report.waiting}


@pytest.mark.parametrize("state", LEFT_OPEN)
def test_charged_twice_the_shoppers_second_payment_gets_an_owner_and_the_line_is_held_back(day, state):
    sealed = second_card(day, state)
    day.charge(sealed, 1, Tender.QR_SCAN)
    lose_host(day)
    night = files_of_both_days(day)
    assert triples(night.report) == [(Kind.MISSING_IN_RECORD, pay_ref(sealed), to_pay(sealed))]
    assert day.record(sealed).blocks == ("night:missing_in_record",)
    query = "SELECT subject, owner, detail FROM difference WHERE kind = 'missing_in_record'"
    (item,) = day.books.sql_rows(query)
    assert tuple(item[:2]) == (pay_ref(sealed), "platform")
    assert "its host was replaced before it told what became of it" in item[2]


@pytest.mark.parametrize("state", LEFT_OPEN)
def test_charged_once_the_sale_is_matched_and_claimed(day, state):
    sealed = second_card(day, state)
    lose_host(day)
    night = files_of_both_days(day)
    assert (night.report.differences, night.report.waiting) == ((), ())
    assert day.record(sealed).night == MATCHED
    assert claim(day).lines == 1


def test_a_charge_that_went_back_by_itself_is_no_difference(day):
    sealed = second_card(day)
    day.charge(sealed, 1, Tender.QR_SCAN)
    day.take_back(sealed, 1, Tender.QR_SCAN)
    lose_host(day)
    assert files_of_both_days(day).report.differences == ()
    assert day.record(sealed).night == MATCHED


def test_what_went_back_later_settles_the_difference(day):
    sealed = second_card(day)
    day.charge(sealed, 1, Tender.QR_SCAN)
    lose_host(day)
    files_of_both_days(day)
    day.refund(sealed, 1, Tender.QR_SCAN)
    day.write_files(LATER)
    day.pass_to("2026-03-04")
    day.run(LATER)
    assert (day.record(sealed).blocks, day.record(sealed).night) == ((), MATCHED)


def test_nothing_is_judged_before_the_files_of_the_next_day_are_whole(day):
    sealed = second_card(day)
    lose_host(day)
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert waits(day.run()) == {Wait.FILE_TO_COME.value}
    assert NEXT_DAY in day.record(sealed).night
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)  # taken before that day was over
    assert day.record(sealed).night != MATCHED


@pytest.mark.parametrize("frozen", [False, True])
def test_a_host_that_may_still_speak_is_waited_for(day, frozen):
    sealed = second_card(day)
    if frozen:
        day.books.done(FreezeDevice(day.device.name, "stolen", "li"))
    assert waits(files_of_both_days(day)) == {Wait.ATTEMPT_OPEN.value}
    assert "reversed or given back" in day.record(sealed).night


def test_a_host_that_is_replaced_after_the_nights_is_judged_by_the_next_one(day):
    sealed = second_card(day)
    day.charge(sealed, 1, Tender.QR_SCAN)
    files_of_both_days(day)
    assert day.record(sealed).blocks == ()
    lose_host(day)
    day.write_files(LATER)
    day.pass_to("2026-03-04")
    day.run(LATER)
    assert day.record(sealed).blocks == ("night:missing_in_record",)


def test_a_second_payment_is_found_when_the_goods_have_come_back_too(day):
    sealed = second_card(day)
    day.charge(sealed, 1, Tender.QR_SCAN)
    day.refund(sealed, 2, Tender.CARD)
    day.report(day.returning(sealed, 2), day.returned(sealed, 2))
    files_of_both_days(day)
    assert day.record(sealed).state == "RETURNED"
    lose_host(day)
    day.write_files(LATER)
    day.pass_to("2026-03-04")
    day.run(LATER)
    found = day.books.sql_rows("SELECT subject, kind FROM difference WHERE closed_ms IS NULL")
    assert (pay_ref(sealed), Kind.MISSING_IN_RECORD.value) in [tuple(one) for one in found]


def test_of_cash_that_was_left_open_no_file_says_more(day):
    day.books.pack = changed_pack(day.books.pack, tenders=tuple(Tender))
    sealed = day.hold(Tender.CASH)
    day.charge(sealed, 2, Tender.CARD)
    day.report_paid(sealed, open_try(day, sealed), day.attempt(sealed, 2, tender=Tender.CARD))
    lose_host(day)
    files_of_both_days(day)
    record = day.record(sealed)
    assert (record.night, NO_INVOICE in record.blocks) == (MATCHED, False)


def test_a_row_of_nobodys_at_its_terminal_may_be_the_second_payment(day):
    text = day.sources.read_text(encoding="utf-8")
    day.sources.write_text(text.replace("names_orders: true", "names_orders: false"), encoding="utf-8")
    sealed = day.hold(Tender.CARD)
    day.report_paid(sealed, open_try(day, sealed), day.attempt(sealed, 2, tender=Tender.QR_SCAN))
    day.charge(sealed, 2, Tender.QR_SCAN)
    day.charge_unnamed(to_pay(sealed))
    lose_host(day)
    assert triples(files_of_both_days(day).report) == [
        (Kind.MAY_BE_THIS_PAYMENT, pay_ref(sealed), to_pay(sealed))
    ]
    assert day.record(sealed).blocks == ("night:may_be_this_payment",)
