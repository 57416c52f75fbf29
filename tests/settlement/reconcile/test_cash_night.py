"""What does the night say of sales in cash? No file has them: their invoice is looked at instead."""

import datetime

import pytest
from books import changed_pack
from fake_device import promised
from night import DAY, NEXT_DAY, NightDay, pay_ref, to_pay, triples

from settlement.claims.build import BuildClaim
from settlement.claims.pay import PayClaim
from settlement.funds.matched import MATCHED
from settlement.invoices.take import TakeInvoice
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
    day.pass_to(NEXT_DAY)
    night = day.run()
    assert (night.report.differences, night.report.waiting, night.exit_code) == ((), (), 0)
    assert (day.record(sealed).night, day.record(sealed).blocks) == (MATCHED, ("no_invoice",))
    assert night.report.proof.granted.buckets["blocked"] == day.record(sealed).subsidy_fen


def claim(day):
    """Build the claim of the day, the device having stated its holds since."""
    day.books.take(day.device)
    return day.books.done(BuildClaim("M001", datetime.date.fromisoformat(DAY)))


def take_invoice(day, sealed):
    promise = promised(sealed)
    total_fen = promise.amounts.final_price_fen
    day.books.done(
        TakeInvoice(promise.record_id, "25322000000012345678", total_fen, "query 1", by="li, wang")
    )


@pytest.mark.parametrize("tender", list(Tender))
def test_what_is_paid_in_any_way_is_claimed_and_paid_out_after_its_night_and_not_before(day, tender):
    sealed = day.hold(tender)
    if tender is not Tender.CASH:
        day.charge(sealed)
    day.report_paid(sealed)
    if tender is Tender.CASH:
        take_invoice(day, sealed)
    day.write_files()
    day.pass_to(NEXT_DAY)
    (left,) = claim(day).left_out
    assert left.why.startswith("not matched: no night has looked")
    day.run()
    built = claim(day)
    assert (built.lines, built.left_out) == (1, ())
    assert day.books.done(PayClaim(built.claim, "bank 1")).lines == 1
    assert day.record(sealed).state == "PAID_OUT"


def test_cash_is_claimed_by_its_invoice_also_when_that_comes_after_the_night(day):
    sealed = in_cash(day)
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    (left,) = claim(day).left_out
    assert left.why == "blocked: no_invoice"
    take_invoice(day, sealed)
    assert claim(day).lines == 1


def test_cash_after_a_card_that_was_reversed_is_matched(day):
    sealed = day.hold(Tender.CARD)
    day.charge(sealed)
    day.take_back(sealed)
    day.report_paid(
        sealed,
        day.attempt(sealed, 1, "NOT_PAID"),
        day.attempt(sealed, 2, tender=Tender.CASH),
    )
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert day.run().report.differences == ()
    assert (day.record(sealed).night, day.record(sealed).blocks) == (MATCHED, ("no_invoice",))


def test_a_card_payment_that_its_shop_calls_cash_afterwards_is_still_missing_in_the_file(day):
    sealed = day.hold()
    day.report_paid(sealed)
    in_cash = day.attempt(sealed, tender=Tender.CASH)
    day.report(day.device.supplement(promised(sealed).record_id, in_cash))
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.MISSING_IN_FILE, pay_ref(sealed), to_pay(sealed))]
    (left,) = claim(day).left_out
    assert left.why == "blocked: night:missing_in_file"


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
