"""A sale of an item, or of a person, that has a sale here: when does it answer that one?

The matrix of what binds: the same serial number binds until the sale is closed, also once it is paid; the
same qualification binds only while the sale is open.
"""

import pytest
from killing_proxy import Gate
from story.processes import wait_for

OTHER_TILL = "02"


@pytest.fixture(scope="module")
def shop(open_shop):
    return open_shop(resolver_ms=1500)


@pytest.fixture(params=["same serial number, other person", "same person, other serial number"])
def again(request, shop):
    """Return a function that makes another sale out of one, at the other till."""
    same_serial = request.param.startswith("same serial")

    def make(body):
        other = shop.body("AC", till=OTHER_TILL)
        if same_serial:
            other["item"]["serial_no"] = body["item"]["serial_no"]
        else:
            other["qualification_code"] = body["qualification_code"]
        return other

    make.same_serial = same_serial
    return make


def assert_answers_that_sale(shop, first, second):
    assert second["record_id"] == first["record_id"]
    assert second["already"] is True
    assert second["next_action"] == "DO_NOT_CHARGE"
    assert shop.moved(first["record_id"]).count("sale") <= 1


def assert_decided_normally(shop, first, second, state="paid"):
    assert second["record_id"] != first["record_id"]
    assert second["already"] is False
    assert second["state"] == state


def test_while_the_first_one_asks(shop, again):
    body, gate = shop.body("AC"), Gate()
    shop.proxy.next("holds", gate)
    selling = shop.selling(body)
    wait_for("the hold is asked for", lambda: gate.waiting)

    second = shop.post("/v1/sales", again(body))

    gate.open()
    first = selling.result().json()
    assert first["state"] == "paid"
    assert second["state"] == "paying"
    assert_answers_that_sale(shop, first, second)


def test_while_the_first_one_is_unknown_and_when_it_is_parked(shop, again):
    body = shop.body("AC")
    shop.terminal().fault("lost_answer")
    selling = shop.selling(body)
    shop.wait_until_at_work()
    shop.terminal().fault("silent_query", times=1000)
    first = shop.wait_for_attempt(body["item"]["serial_no"], "UNKNOWN")

    while_unknown = shop.post("/v1/sales", again(body))
    assert_answers_that_sale(shop, first, while_unknown)
    assert while_unknown["state"] == "unknown"

    parked = selling.result().json()
    assert (parked["state"], shop.get("/v1/status")["parked"]) == ("unknown", 1)
    when_parked = shop.post("/v1/sales", again(body))
    assert_answers_that_sale(shop, first, when_parked)
    assert when_parked["state"] == "unknown"

    shop.terminal().clear_faults()
    shop.wait_for_sale(first["record_id"], lambda sale: sale["state"] == "paid")
    assert shop.charges(first["record_id"]) == 1


def test_when_the_first_one_is_not_paid(shop, again):
    shop.terminal().fault("declined")
    body = shop.body("AC")
    first = shop.post("/v1/sales", body)

    second = shop.post("/v1/sales", again(body))

    assert_answers_that_sale(shop, first, second)
    assert second["state"] == "not_paid"
    shop.stop(first["record_id"])


def test_when_the_first_one_is_paid_only_its_serial_number_binds(shop, again):
    body = shop.body("AC")
    first = shop.post("/v1/sales", body)

    second = shop.post("/v1/sales", again(body))

    if again.same_serial:
        assert_answers_that_sale(shop, first, second)
        assert second["state"] == "paid"
    else:
        # A code is good for one item: the centre says so, once it has decided.
        assert_decided_normally(shop, first, second, "refused")
        assert second["reasons"][0]["code"] == "QUALIFICATION_IN_USE"
        assert shop.charges(second["record_id"]) == 0


def test_when_the_first_one_is_closed(shop, again):
    shop.terminal().fault("declined")
    body = shop.body("AC")
    first = shop.post("/v1/sales", body)
    shop.stop(first["record_id"])

    second = shop.post("/v1/sales", again(body))

    assert_decided_normally(shop, first, second)
    assert shop.charges(first["record_id"]) == 0


def test_when_the_first_one_is_refused(shop, again):
    body = shop.body("AC", item={"initial_price_fen": 329_901})
    first = shop.post("/v1/sales", body)
    assert first["reasons"][0]["code"] == "PRICE_ABOVE_FILING"

    assert_decided_normally(shop, first, shop.post("/v1/sales", again(body)))


def test_when_another_one_has_come_to_be_open_while_this_one_was_decided(shop, again):
    body, gate = shop.body("AC"), Gate()
    shop.proxy.next("facts", gate)
    slow = shop.selling(body)
    wait_for("the facts are asked for", lambda: gate.waiting)
    shop.terminal(OTHER_TILL).fault("declined")
    first = shop.post("/v1/sales", again(body))
    assert first["state"] == "not_paid"

    gate.open()

    assert_answers_that_sale(shop, first, slow.result().json())
    shop.stop(first["record_id"])
