"""The cashier gives a sale up, at any moment: whatever was charged goes back, and the hold is free again."""

import pytest
from audit import bookings


def assert_closed(shop, record_id, moved=()):
    shop.wait_for_empty_outbox()
    sale = shop.sale(record_id)
    assert (sale["state"], sale["paid_fen"], sale["receipt"]) == ("not_paid", 0, None)
    assert sale["closed_because"] == "stopped by the cashier"
    assert shop.moved(record_id) == list(moved)
    assert shop.charges(record_id) == 0
    assert shop.wait_for_record(record_id, "RELEASED")["postings"]


def test_stopped_after_a_declined_card(shop):
    shop.terminal().fault("declined")
    sold = shop.sell()

    stopped = shop.stop(sold["record_id"])

    assert (stopped["state"], stopped["next_action"]) == ("not_paid", "NONE")
    assert_closed(shop, sold["record_id"])


def test_stopped_before_anything_was_sent_to_the_terminal(shop):
    shop.terminal().fault("progress", n=4, every_ms=200)
    before, behind = shop.body(), shop.body()
    first = shop.selling(before)
    shop.wait_for_attempt(before["item"]["serial_no"], "INTENDED")
    second = shop.selling(behind)
    waiting = shop.wait_for_attempt(behind["item"]["serial_no"], "INTENDED")

    shop.stop(waiting["record_id"])

    assert first.result().json()["state"] == "paid"
    assert second.result().json()["attempts"][0]["said"]["code"] == "STOPPED"
    assert_closed(shop, waiting["record_id"])


def test_stopped_while_the_card_is_in_the_terminal_which_then_approves(shop):
    shop.terminal().fault("progress", n=4, every_ms=200)
    body = shop.body()
    selling = shop.selling(body)
    under_way = shop.wait_for_attempt(body["item"]["serial_no"], "INTENDED")
    shop.wait_until_at_work()

    stopped = shop.stop(under_way["record_id"])

    assert stopped["state"] == selling.result().json()["state"] == "not_paid"
    assert_closed(shop, under_way["record_id"], moved=["sale", "void"])


def test_stopped_while_the_card_is_in_the_terminal_which_then_declines(shop):
    shop.terminal().fault("progress", n=3, every_ms=200)
    shop.terminal().fault("declined")
    body = shop.body()
    shop.selling(body)
    under_way = shop.wait_for_attempt(body["item"]["serial_no"], "INTENDED")
    shop.wait_until_at_work()

    shop.stop(under_way["record_id"])

    assert_closed(shop, under_way["record_id"])


def test_stopped_while_nobody_knows_whether_the_card_was_charged(shop):
    body = shop.body()
    shop.terminal().fault("lost_answer")
    shop.selling(body)
    shop.wait_until_at_work()
    shop.terminal().fault("silent_query", times=1)
    unknown = shop.wait_for_attempt(body["item"]["serial_no"], "UNKNOWN")

    shop.stop(unknown["record_id"])

    assert_closed(shop, unknown["record_id"], moved=["sale", "void"])


def test_a_paid_sale_stays_paid(shop):
    sold = shop.sell()

    stopped = shop.stop(sold["record_id"])

    assert (stopped["state"], stopped["receipt"]) == ("paid", sold["receipt"])
    assert shop.moved(sold["record_id"]) == ["sale"]
    assert bookings(shop.wait_for_record(sold["record_id"], "PAYABLE")) == 1


def test_a_stopped_sale_takes_no_card(shop):
    shop.terminal().fault("declined")
    sold = shop.sell()
    shop.stop(sold["record_id"])

    assert shop.pay(sold["record_id"])["state"] == "not_paid"

    assert_closed(shop, sold["record_id"])


def test_stopped_twice_is_stopped_once(shop):
    shop.terminal().fault("declined")
    sold = shop.sell()

    posted = [shop.submit(lambda: shop.stop(sold["record_id"])) for _ in range(10)]

    assert {one.result()["state"] for one in posted} == {"not_paid"}
    assert_closed(shop, sold["record_id"])
    assert [one["kind"] for one in shop.centre_record(sold["record_id"])["entries"]] == ["closed"]


@pytest.mark.parametrize("category", ["FRIDGE", "PHONE"])
def test_what_was_stopped_can_be_sold_again_at_once_to_the_same_person(category, shop):
    shop.terminal().fault("declined")
    body = shop.body(category)
    shop.stop(shop.post("/v1/sales", body)["record_id"])

    assert shop.post("/v1/sales", body)["state"] == "paid"
