"""Shoppers scan a code that the till shows: paid, stopped, scanned too late, and through a kill."""

import time

import pytest
import requests
from audit import bookings


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(phones=True)


@pytest.fixture(autouse=True)
def wechat_is_well(shop):
    shop.wechat.clear_faults()
    yield
    shop.wechat.clear_faults()


def show(shop, **more):
    sale = shop.sell(tender=shop.by_shown_code(), **more)
    assert sale["state"] == "paying"
    return sale["record_id"], shop.wait_for_code(sale["record_id"])


def test_the_till_gets_the_code_in_its_first_answer_and_the_shopper_pays_by_scanning(shop):
    began = time.monotonic()
    sale = shop.sell(tender=shop.by_shown_code())
    assert time.monotonic() - began < 10
    assert sale["show"]["code"].startswith("weixin://")
    assert shop.wechat.scan(sale["show"]["code"])
    sold = shop.wait_for_sale(sale["record_id"], lambda sale: sale["state"] == "paid")
    assert (sold["paid_fen"], sold["show"]) == (sold["to_pay_fen"], None)
    assert "微信支付" in sold["receipt"]
    assert bookings(shop.wait_for_record(sold["record_id"], "PAYABLE")) == 1


def test_the_second_screen_shows_it_until_it_is_paid(shop):
    record_id, code = show(shop, till="02")
    page = f"{shop.url}/display/02/now"
    assert "<svg" in requests.get(page, timeout=10).text
    assert shop.wechat.scan(code)
    shop.wait_for_sale(record_id, lambda sale: sale["state"] == "paid")
    assert "支付成功" in requests.get(page, params={"seen": record_id}, timeout=10).text


def test_a_stopped_code_can_be_paid_by_nobody(shop):
    record_id, code = show(shop)
    stopped = shop.stop(record_id)
    assert (stopped["state"], stopped["attempts"][0]["state"]) == ("not_paid", "NOT_PAID")
    assert not shop.wechat.scan(code)
    assert shop.charges(record_id) == 0
    shop.wait_for_record(record_id, "RELEASED")


def test_who_scans_while_it_is_stopped_has_paid_nothing_in_the_end(shop):
    record_id, code = show(shop)
    shop.wechat.fault("lost_request", on="close", times=3)
    shop.wechat.fault("lost_request", on="query", times=5)
    shop.stop(record_id, wait_s=0)
    assert shop.wechat.scan(code)
    ended = shop.wait_for_sale(
        record_id, lambda sale: sale["attempts"][0]["state"] in ("GIVEN_BACK", "NOT_PAID", "PAID")
    )
    assert (ended["state"], ended["attempts"][0]["state"]) == ("not_paid", "GIVEN_BACK")
    assert shop.moved_by_phone(record_id) == ["charge", "refund"]


@pytest.mark.parametrize("scanned", [True, False])
def test_a_kill_while_a_code_is_shown_ends_as_the_shopper_left_it(scanned, shop):
    record_id, code = show(shop)
    shop.kill()
    if scanned:
        assert shop.wechat.scan(code)
    shop.restart()
    ended = shop.wait_for_sale(record_id, lambda sale: sale["state"] == "paid" or sale["closed_because"])
    assert (ended["state"] == "paid") is scanned
    assert shop.charges(record_id) == int(scanned)
    assert not shop.wechat.scan(code)
    shop.wait_for_empty_outbox()


def test_what_was_paid_by_a_shown_code_comes_back(shop):
    record_id, code = show(shop)
    assert shop.wechat.scan(code)
    shop.wait_for_sale(record_id, lambda sale: sale["state"] == "paid")
    shop.wait_for_record(record_id, "PAYABLE")
    back = shop.give_back(record_id)
    assert (back["state"], back["return"]["state"]) == ("returned", "refunded")
    assert shop.moved_by_phone(record_id) == ["charge", "refund"]
