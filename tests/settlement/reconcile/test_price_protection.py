"""Does money that goes back outside us block the claim, such as a price-protection refund (价保)?

A part of the price goes back days later, by the wallet's own page or the merchant's, under a number that is
not ours. The subsidy was of a price that was not the last one: the line is not paid until somebody looks.
"""

import pytest
from alipay_day import AlipayDay
from night import DAY, NEXT_DAY, NightDay, pay_ref, to_pay, triples

from settlement.reconcile.kinds import Kind
from subsidy.policy.model import Tender

LATER = "2026-03-09"
PART = 20_000


@pytest.fixture(params=["alipay", "wechat"])
def day(request, tmp_path):
    return AlipayDay(tmp_path) if request.param == "alipay" else NightDay(tmp_path)


def refund_outside(day, sealed, fen, number="PRICE2026030900000001"):
    """The merchant gives back a part by other means than the till; the wallet books it under its number."""
    day._wechat_line("refund", fen, pay_ref(sealed), number)


def night(day, *days):
    for one in days:
        day.write_files(one)
    day.pass_to(days[-1], 26)
    return [day.run(one) for one in days][-1]


def sold_and_matched(day):
    sealed = day.sell(Tender.QR_SCAN)
    assert triples(night(day, DAY).report) == []
    assert day.record(sealed).state == "PAYABLE"
    return sealed


def test_a_part_that_goes_back_days_later_blocks_the_line(day):
    sealed = sold_and_matched(day)
    day.pass_to(LATER)
    refund_outside(day, sealed, PART)
    found = night(day, LATER)
    assert triples(found.report) == [(Kind.REFUND_WITHOUT_RETURN, pay_ref(sealed), PART)]
    assert day.record(sealed).state == "BLOCKED"
    assert day.record(sealed).blocks == ("night:refund_without_return",)


def test_two_parts_are_told_together_and_no_row_is_a_double(day):
    sealed = sold_and_matched(day)
    day.pass_to(LATER)
    refund_outside(day, sealed, PART)
    refund_outside(day, sealed, PART, "PRICE2026030900000002")
    found = night(day, LATER)
    assert triples(found.report) == [(Kind.REFUND_WITHOUT_RETURN, pay_ref(sealed), 2 * PART)]
    assert day.record(sealed).state == "BLOCKED"


def test_the_whole_that_goes_back_past_the_till_blocks_the_line(day):
    sealed = sold_and_matched(day)
    day.pass_to(NEXT_DAY)
    refund_outside(day, sealed, to_pay(sealed))
    found = night(day, NEXT_DAY)
    assert triples(found.report) == [(Kind.REFUND_WITHOUT_RETURN, pay_ref(sealed), to_pay(sealed))]
    assert day.record(sealed).state == "BLOCKED"


def test_a_part_beside_a_return_is_told_as_what_went_back_too_much(day):
    sealed = day.sell_and_return(Tender.QR_SCAN)
    refund_outside(day, sealed, PART)
    found = night(day, DAY)
    assert triples(found.report) == [(Kind.DOUBLED, pay_ref(sealed), PART)]
