"""Shoppers pay with Alipay at a running shop, by their code and by the till's, and bring goods back.

What moved is read from Alipay's own books, what was booked from the centre's.
"""

import pytest
from story.processes import wait_for

from subsidy import ids
from subsidy.policy.next_action import NextAction


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True, alipay=True)


@pytest.fixture(autouse=True)
def alipay_is_well(shop):
    shop.alipay.clear_faults()
    yield
    shop.alipay.clear_faults()


def came_back(shop, sale):
    """Say that a sale's goods came back, once, in every book."""
    assert (sale["state"], sale["return"]["state"]) == ("returned", "refunded")
    assert sale["next_action"] == NextAction.TAKE_THE_GOODS_BACK
    assert sale["return"]["refund_no"] == ids.refund_no(sale["attempts"][-1]["pay_ref"])
    assert shop.standing().get(sale["record_id"], []) == []
    shop.wait_for_record(sale["record_id"], "RETURNED")
    return sale


def test_a_shopper_types_a_password_and_has_paid_once(shop):
    sold = shop.sell(tender=shop.by_alipay())
    assert (sold["state"], sold["paid_fen"]) == ("paid", sold["to_pay_fen"])
    assert "支付宝" in sold["receipt"]
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay"]
    shop.wait_for_record(sold["record_id"], "PAYABLE")


def test_what_was_paid_goes_back_by_the_way_it_came_and_never_the_subsidy(shop):
    sold = shop.sell(tender=shop.by_alipay())
    back = came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay", "refund"]
    lines = [one for one in shop.alipay.books() if one["out_trade_no"] == sold["attempts"][0]["pay_ref"]]
    assert [one["fen"] for one in lines if one["kind"] == "refund"] == [sold["to_pay_fen"]]
    assert "支付宝原路退回" in back["receipt"]


def test_an_exchange_is_a_return_and_a_new_sale_to_the_same_person(shop):
    person = shop.centre.next_person()
    first = shop.sell(person=person, tender=shop.by_alipay())
    came_back(shop, shop.give_back(first["record_id"]))
    shop.wait_for_empty_outbox()
    second = shop.sell(person=person, tender=shop.by_phone())
    assert second["state"] == "paid", second["reasons"]
    assert shop.moved_by_alipay(first["record_id"]) == ["pay", "refund"]
    assert shop.moved_by_phone(second["record_id"]) == ["charge"]
    came_back(shop, shop.give_back(second["record_id"]))


@pytest.mark.parametrize("fault", ["lost_answer", "previous_answer", "system_error", "other_bytes"])
def test_a_refund_that_is_not_heard_of_is_done_once(fault, shop):
    sold = shop.sell(tender=shop.by_alipay())
    shop.alipay.fault(fault, on="refund")
    shop.give_back(sold["record_id"])
    back = shop.wait_for_sale(sold["record_id"], lambda one: one["return"]["ended_at"] is not None)
    came_back(shop, back)
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay", "refund"]


def test_a_refused_refund_leaves_the_sale_paid_and_can_be_tried_again(shop):
    sold = shop.sell(tender=shop.by_alipay())
    shop.alipay.fault("declined", on="refund", code="ACQ.SELLER_BALANCE_NOT_ENOUGH")
    back = shop.give_back(sold["record_id"])
    assert (back["state"], back["return"]["state"]) == ("paid", "refused")
    came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay", "refund"]


@pytest.mark.parametrize("fault", ["lost_answer", "wrong_key", "doubled_member", "previous_answer"])
def test_a_payment_without_a_believable_answer_is_asked_about(fault, shop):
    shop.alipay.fault(fault, on="pay")
    sold = shop.sell(tender=shop.by_alipay())
    assert sold["state"] == "paid"
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay"]


def test_from_alipay_to_a_card_and_another_wallet(shop):
    shop.alipay.fault("declined")
    first = shop.sell(tender=shop.by_alipay())
    assert (first["state"], first["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    sold = shop.pay(first["record_id"], tender=shop.by_phone())
    assert [one["state"] for one in sold["attempts"]] == ["NOT_PAID", "PAID"]
    assert (shop.moved_by_alipay(sold["record_id"]), shop.moved_by_phone(sold["record_id"])) == (
        [],
        ["charge"],
    )


def test_a_shopper_who_walks_off_while_typing_has_paid_nothing(shop):
    shop.alipay.fault("userpaying", ms=60_000)
    body = shop.body(tender=shop.by_alipay())
    selling = shop.selling(body)
    wait_for("the shopper types", lambda: not shop.alipay.call("GET", "/faults")["faults"])
    sale = shop.open_sale_of(body["item"]["serial_no"])
    shop.stop(sale["record_id"])
    selling.result()
    over = shop.wait_for_sale(sale["record_id"], lambda one: one["state"] == "not_paid")
    assert over["attempts"][0]["state"] == "NOT_PAID"
    assert shop.moved_by_alipay(sale["record_id"]) == []


def test_what_is_too_late_to_be_cancelled_is_refunded(shop):
    """Another amount was taken, and Alipay does not cancel it any more."""
    shop.alipay.fault("wrong_amount", fen=100)
    shop.alipay.fault("declined", on="cancel", code="ACQ.TRADE_CANCEL_TIME_OUT")
    sale = shop.sell(tender=shop.by_alipay())
    over = shop.wait_for_sale(sale["record_id"], lambda one: one["attempts"][0]["state"] == "GIVEN_BACK")
    assert shop.moved_by_alipay(over["record_id"]) == ["pay", "refund"]
    sold = shop.pay(over["record_id"])
    assert (sold["state"], shop.charges(sold["record_id"])) == ("paid", 1)


def test_a_code_that_the_till_shows_is_scanned_paid_and_refunded(shop):
    sale = shop.sell(tender=shop.by_shown_code("alipay"))
    code = shop.wait_for_code(sale["record_id"])
    assert code.startswith("https://qr.alipay.com/")
    assert shop.alipay.scan(code)
    sold = shop.wait_for_sale(sale["record_id"], lambda one: one["state"] == "paid")
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay"]
    came_back(shop, shop.give_back(sold["record_id"]))
    assert shop.moved_by_alipay(sold["record_id"]) == ["pay", "refund"]


@pytest.mark.parametrize("point", ["request_received", "after_booking", "after_answer"])
def test_killed_around_the_charge_it_is_paid_once_or_not_at_all(point, shop):
    body = shop.body(tender=shop.by_alipay())
    shop.alipay.fault("kill", point=point, pid=shop.agent.pid)
    shop.selling(body).exception(timeout=60)
    shop.agent.wait_dead()
    shop.restart()
    sale = shop.open_sale_of(body["item"]["serial_no"])
    if sale is not None:
        shop.wait_for_sale(sale["record_id"], lambda one: one["state"] in ("paid", "not_paid"))
    charged = [one for one in shop.alipay.books() if one["kind"] == "pay"]
    assert len({one["out_trade_no"] for one in charged}) == len(charged)
