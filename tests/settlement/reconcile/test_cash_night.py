"""What does the night say of sales in cash? No file has them: their invoice is looked at instead."""

import pytest
from books import changed_pack
from night import NightDay, pay_ref, to_pay, triples

from settlement.reconcile.kinds import Kind
from subsidy.policy.model import Tender


@pytest.fixture
def day(tmp_path):
    """A day of a programme that allows cash."""
    day = NightDay(tmp_path)
    day.books.pack = changed_pack(day.books.pack, tenders=tuple(Tender))
    return day


def in_cash(day):
    sealed = day.hold(Tender.CASH)
    day.report_paid(sealed)
    return sealed


def test_a_sale_in_cash_is_no_difference_and_waits_for_no_file(day):
    sealed = in_cash(day)
    day.write_files()
    night = day.run()
    assert (night.report.differences, night.report.waiting, night.exit_code) == ((), (), 0)
    assert night.report.proof.granted.buckets["blocked"] == day.record(sealed).subsidy_fen


def test_cash_that_went_back_is_no_difference_either(day):
    sealed = in_cash(day)
    day.report(day.returning(sealed), day.returned(sealed))
    day.write_files()
    night = day.run()
    assert (night.report.differences, night.report.waiting) == ((), ())
    assert night.report.proof.granted.buckets["returned"] == day.record(sealed).subsidy_fen


def test_a_row_under_the_number_of_a_sale_in_cash_is_a_difference(day):
    sealed = in_cash(day)
    day.charge(sealed, tender=Tender.CARD)
    day.write_files()
    assert triples(day.run().report) == [(Kind.MISSING_IN_RECORD, pay_ref(sealed), to_pay(sealed))]


def test_a_card_after_cash_that_was_not_taken_is_matched(day):
    sealed = day.hold(Tender.CASH)
    day.report_paid(
        sealed,
        day.attempt(sealed, 1, "NOT_PAID"),
        day.attempt(sealed, 2, tender=Tender.CARD),
    )
    day.charge(sealed, 2, Tender.CARD)
    day.write_files()
    night = day.run()
    assert (night.report.differences, night.report.matched, day.record(sealed).blocks) == ((), 1, ())
