"""Two shops and one fund: what one of them holds, the other cannot hold too."""

import pytest
from killing_proxy import Gate
from shop import SETTLED
from story.processes import wait_for


@pytest.fixture(scope="module")
def other_shop(open_shop):
    return open_shop()


@pytest.mark.parametrize(
    ("same", "reason"),
    [("serial number", "SERIAL_ALREADY_SUBSIDISED"), ("person", "QUALIFICATION_IN_USE")],
)
def test_an_item_or_a_code_that_another_shop_takes_between_facts_and_hold_is_refused(
    same, reason, shop, other_shop
):
    body, gate = shop.body(), Gate()
    elsewhere = other_shop.body()
    if same == "serial number":
        elsewhere["item"]["serial_no"] = body["item"]["serial_no"]
    else:
        elsewhere["qualification_code"] = body["qualification_code"]
    shop.proxy.next("holds", gate)
    selling = shop.selling(body)
    wait_for("the hold is asked for", lambda: gate.waiting)
    assert other_shop.post("/v1/sales", elsewhere)["state"] == "paid"

    gate.open()

    sold = selling.result().json()
    assert (sold["state"], sold["already"]) == ("refused", False)
    assert reason in [one["code"] for one in sold["reasons"]]
    assert shop.moved(sold["record_id"]) == []
    assert shop.centre_record(sold["record_id"]) is None


def test_what_one_shop_gave_up_the_other_can_sell(shop, other_shop):
    body = shop.body()
    shop.terminal().fault("declined")
    given_up = shop.post("/v1/sales", body)
    refused = other_shop.post("/v1/sales", body)
    assert "SERIAL_ALREADY_SUBSIDISED" in [one["code"] for one in refused["reasons"]]

    shop.stop(given_up["record_id"])
    shop.wait_for_record(given_up["record_id"], "RELEASED")

    assert other_shop.post("/v1/sales", body)["state"] == "paid"


def test_twenty_requests_at_each_of_two_shops_for_one_item_are_one_charge(shop, other_shop):
    body = shop.body()
    posted = [(one, one.selling(body)) for _ in range(20) for one in (shop, other_shop)]

    answers = {(one.url, answer.result().json()["record_id"]): one for one, answer in posted}

    paid = {
        record_id
        for (_, record_id), one in answers.items()
        if one.wait_for_sale(record_id, lambda sale: sale["state"] in SETTLED)["state"] == "paid"
    }
    assert len(paid) == 1
    (record_id,) = paid
    shop.wait_for_record(record_id, "PAYABLE")
    assert shop.moved(record_id) + other_shop.moved(record_id) == ["sale"]
