"""Nobody knows whether a card was charged, and the resolver's time is over: the sale is parked.

The terminal is free for the next shopper; the sale keeps its hold, is never charged again, and is settled
as soon as the terminal can tell.
"""

import pytest


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(resolver_ms=600, status_wait_ms=800)


def park(shop, *faults):
    """Sell an item whose payment stays unknown while the terminal answers no question."""
    body = shop.body()
    for fault in faults:
        shop.terminal().fault(fault)
    selling = shop.selling(body)
    shop.wait_until_at_work()
    shop.terminal().fault("silent_query", times=1000)
    parked = selling.result().json()
    assert (parked["state"], parked["next_action"]) == ("unknown", "DO_NOT_CHARGE")
    assert shop.get("/v1/status")["parked"] == 1
    return parked


def test_a_parked_sale_that_was_charged_is_paid_once_the_terminal_tells(shop):
    parked = park(shop, "lost_answer")

    shop.terminal().clear_faults()

    sale = shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "paid")
    assert sale["paid_fen"] == sale["to_pay_fen"]
    assert shop.moved(parked["record_id"]) == ["sale"]
    shop.wait_for_record(parked["record_id"], "PAYABLE")


def test_a_parked_sale_that_was_not_charged_takes_another_card(shop):
    parked = park(shop, "lost_request")

    shop.terminal().clear_faults()

    sale = shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "not_paid")
    assert sale["next_action"] == "PAY_AGAIN_OR_STOP"
    assert shop.pay(parked["record_id"])["state"] == "paid"
    assert shop.moved(parked["record_id"]) == ["sale"]


def test_a_parked_sale_takes_no_other_card_meanwhile(shop):
    parked = park(shop, "lost_answer")

    again = shop.pay(parked["record_id"])

    assert (again["state"], again["next_action"], len(again["attempts"])) == ("unknown", "DO_NOT_CHARGE", 1)
    shop.terminal().clear_faults()
    shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "paid")


def test_a_parked_sale_outlives_a_restart(shop):
    parked = park(shop, "lost_answer")
    shop.kill()
    shop.restart()
    assert shop.sale(parked["record_id"])["state"] == "unknown"

    shop.terminal().clear_faults()

    shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "paid")
    assert shop.moved(parked["record_id"]) == ["sale"]


def test_what_became_of_the_first_card_is_told_after_the_sale_was_booked(shop):
    """Its void stays unclear until the sale is parked; then the second card pays."""
    body = shop.body()
    shop.terminal().fault("wrong_amount", fen=1)
    shop.terminal().fault("unclear_code", on="void", charged=False, times=1000)
    selling = shop.selling(body)
    first = shop.wait_for_attempt(body["item"]["serial_no"], "REVERSING")

    sold = shop.pay(first["record_id"])

    assert selling.result().json()["record_id"] == first["record_id"]
    assert sold["state"] == "paid"
    assert [one["state"] for one in sold["attempts"]] == ["REVERSING", "PAID"]
    shop.wait_for_record(first["record_id"], "PAYABLE")

    shop.terminal().clear_faults()
    shop.wait_for_sale(first["record_id"], lambda sale: sale["attempts"][0]["state"] == "NOT_PAID")
    shop.wait_for_empty_outbox()
    entries = shop.centre_record(first["record_id"])["entries"]
    assert [(one["kind"], one["answer"]) for one in entries] == [
        ("paid", "accepted"),
        ("supplement", "accepted"),
    ]
    assert shop.charges(first["record_id"]) == 1


def test_stopped_while_parked_and_then_found_not_charged(shop):
    body = shop.body()
    shop.terminal().fault("lost_request")
    selling = shop.selling(body)
    shop.wait_until_at_work()
    shop.terminal().fault("silent_query", times=1000)
    parked = selling.result().json()
    assert (parked["state"], shop.get("/v1/status")["parked"]) == ("unknown", 1)

    stopped = shop.stop(parked["record_id"])
    assert (stopped["state"], stopped["next_action"]) == ("unknown", "DO_NOT_CHARGE")

    shop.terminal().clear_faults()
    shop.wait_for_sale(parked["record_id"], lambda sale: sale["state"] == "not_paid")
    shop.wait_for_empty_outbox()
    assert shop.sale(parked["record_id"])["closed_because"] == "stopped by the cashier"
    assert shop.moved(parked["record_id"]) == []
    assert shop.wait_for_record(parked["record_id"], "RELEASED")


def test_the_terminal_is_free_for_the_next_sale_while_one_stays_parked(shop):
    """The host itself does not know: asking the terminal will never tell, only the acquirer's file will."""
    shop.terminal().fault("unclear_code", charged=True)
    parked = shop.sell()
    assert (parked["state"], shop.get("/v1/status")["parked"]) == ("unknown", 1)

    sold = shop.sell()

    assert sold["state"] == "paid"
    assert shop.sale(parked["record_id"])["state"] == "unknown"
    assert shop.wait_for_record(parked["record_id"], "HELD")["money"] == "held"
    assert shop.moved(parked["record_id"]) == ["sale"]
