"""Which part of a payment that others bore do the books take as it is, at the word of its record and bill?"""

import datetime

import pytest
import reference_data as reference
from alipay_day import AlipayDay
from borne import DISCOUNT, PHONE, THIRD_DAY, claimable, explained, found, in_bill, owed, report, told
from fake_device import promised
from msgspec.structs import replace
from night import DAY, NEXT_DAY, pay_ref, to_pay

from settlement.claims.build import BuildClaim
from settlement.claims.pay import PayClaim
from settlement.offers.bearers import BorneBy
from settlement.reconcile.kinds import Kind
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed
from subsidy.wire import v1

# What both name.


@pytest.mark.parametrize(("theirs", "ours"), [(500, 0), (0, 200), (500, 200)])
def test_what_bill_and_record_both_name_is_no_difference_and_is_matched(day, theirs, ours):
    sold = told(day, theirs, ours)
    in_bill(day, sold, theirs, ours)
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert found(day) == []
    assert (day.record(sold).state, day.record(sold).night) == ("PAYABLE", "matched")
    assert owed(day) == ({"offer:alipay": theirs} if theirs else {})
    assert claimable(day) == 1


@pytest.mark.parametrize("reported", [(0, 0), (499, 0), (501, 0), (0, 500), (300, 200)])
def test_what_the_record_names_otherwise_is_a_difference(day, reported):
    sold = told(day, *reported)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sold), 500)]
    assert day.record(sold).blocks == ("night:channel_discount",)
    assert claimable(day) == 0


def test_an_offer_of_the_subsidys_own_amount_is_one_though_both_name_it(day):
    sealed = day.hold(PHONE)
    day.charge(sealed)
    fen = promised(sealed).amounts.subsidy_fen
    report(day, sealed, fen)
    in_bill(day, sealed, fen)
    day.pass_to(NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sealed), fen)]
    day.books.done(explained(sealed, BorneBy.ALIPAY, fen))
    assert found(day) == []


def test_a_record_that_comes_late_and_names_it_settles_the_difference(day):
    sealed = day.hold(PHONE)
    day.charge(sealed)
    in_bill(day, sealed, 500)
    day.pass_to(NEXT_DAY, 1.0)
    assert found(day) == []  # the hold is open: nothing is said before its time
    day.pass_to(THIRD_DAY)
    found(day, NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sealed), 500)]
    report(day, sealed, 500)
    assert found(day) == []
    assert (day.record(sealed).state, day.record(sealed).night) == ("PAYABLE", "matched")
    assert owed(day) == {"offer:alipay": 500}


def test_a_shop_that_names_it_afterwards_settles_the_difference_and_it_is_booked(day):
    sold = told(day, 300)
    in_bill(day, sold, 500)
    day.pass_to(NEXT_DAY)
    assert found(day) == [(DISCOUNT, pay_ref(sold), 500)]
    said = replace(
        day.attempt(sold), evidence=Evidence(code="10000", offer_fen=500), terminal_no="ALIPAY@EMU00001"
    )
    record_id = promised(sold).record_id
    for nothing_of_it in (
        replace(said, state="NOT_PAID"),
        replace(said, no=2, pay_ref=pay_ref(sold, 2)),
        replace(said, evidence=Evidence(offer_fen=10**9)),
    ):
        day.report(day.device.supplement(record_id, nothing_of_it))
        assert owed(day) == {"offer:alipay": 300}
    day.report(day.device.supplement(record_id, said))
    assert owed(day) == {"offer:alipay": 500}


def test_what_went_back_was_borne_by_nobody_in_the_end(day):
    returned = day.sell_and_return(PHONE)
    in_bill(day, returned, 500)
    reversed_one = day.sell_again(PHONE, Tender.CARD)
    in_bill(day, reversed_one, 300)
    stopped = day.stop(PHONE, charged=True)
    in_bill(day, stopped, 100)
    day.pass_to(NEXT_DAY)
    assert found(day) == []


def test_a_charge_without_a_record_is_told_as_that(day):
    sealed = day.hold(PHONE)
    day.charge(sealed)
    day.report_closed(sealed, day.attempt(sealed, 1, "NOT_PAID"))
    in_bill(day, sealed, 500)
    day.pass_to(NEXT_DAY)
    day.write_files()
    day.write_files(NEXT_DAY)
    day.run(NEXT_DAY)
    assert found(day) == [(Kind.MISSING_IN_RECORD, pay_ref(sealed), to_pay(sealed))]


# Of a sale that was paid out before its shop reported.


def paid_out(day: AlipayDay) -> Sealed:
    """Let the files find a card sale paid, and the fund pay it out, while its shop is silent."""
    sealed = day.hold(Tender.CARD)
    day.charge(sealed)
    for of_day in (DAY, NEXT_DAY):
        day.write_files(of_day)
    day.pass_to(THIRD_DAY)
    day.run(DAY)
    day.run(NEXT_DAY)
    assert (day.record(sealed).state, day.record(sealed).recovered) == ("PAYABLE", True)
    day.books.take(day.device)
    built = day.books.done(BuildClaim(reference.MERCHANT, datetime.date.fromisoformat(DAY)))
    assert day.books.done(PayClaim(built.claim, "bank 1")).lines == 1
    assert day.record(sealed).state == "PAID_OUT"
    return sealed


def by_bank(day: AlipayDay, sealed: Sealed, no: int = 1) -> v1.Attempt:
    return replace(day.attempt(sealed, no), evidence=Evidence(code="00", offer_fen=500))


def test_what_a_bank_bore_is_booked_when_the_shops_record_comes_after_the_payout(day):
    sealed = paid_out(day)
    assert owed(day) == {}
    day.report_paid(sealed, by_bank(day, sealed))
    assert owed(day) == {"offer:bank": 500}
    day.report(day.returning(sealed), day.returned(sealed))
    assert owed(day) == {}


def test_of_another_payment_than_was_paid_out_for_no_offer_is_booked(day):
    sealed = paid_out(day)
    day.report_paid(sealed, day.attempt(sealed, 1, "NOT_PAID"), by_bank(day, sealed, 2))
    assert owed(day) == {}
