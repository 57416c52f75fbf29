"""The network to the centre is gone: what was promised is paid and kept, and later it arrives, once."""

import json

import pytest
from audit import bookings
from killing_proxy import changing, cut, lose_answer, silent
from story.processes import wait_for

from subsidy import seal
from subsidy.seal import sha256_hex
from subsidy.wire import v1


def sell_into_an_outage(shop, count=3):
    """Pay for items whose holds were given before the line was cut; return the sales."""
    bodies = [shop.body(till=("01", "02")[number % 2]) for number in range(count)]
    shop.proxy.always("records", cut)
    sales = [one.result().json() for one in [shop.selling(body) for body in bodies]]
    assert {sale["state"] for sale in sales} == {"paid"}
    shop.proxy.always("any", cut)
    return sales


def assert_booked_once(shop, sales):
    shop.wait_for_empty_outbox()
    for sale in sales:
        record = shop.centre_record(sale["record_id"])
        assert (record["state"], bookings(record)) == ("PAYABLE", 1)
        assert [(one["kind"], one["answer"]) for one in record["entries"]] == [("paid", "accepted")]


def test_what_waits_in_the_outbox_arrives_once_when_the_line_is_back(shop):
    sales = sell_into_an_outage(shop)
    assert shop.waiting() == len(sales)
    refused = shop.sell()
    assert [reason["code"] for reason in refused["reasons"]] == ["CENTRE_UNREACHABLE"]

    shop.proxy.clear()

    assert_booked_once(shop, sales)


def test_a_card_in_the_terminal_when_the_line_is_cut_is_paid(shop):
    shop.terminal().fault("progress", n=3, every_ms=200)
    body = shop.body()
    selling = shop.selling(body)
    shop.wait_until_at_work()
    shop.proxy.always("any", cut)

    sold = selling.result().json()

    assert sold["state"] == "paid"
    shop.proxy.clear()
    assert_booked_once(shop, [sold])


def test_what_waits_outlives_the_agent(shop):
    sales = sell_into_an_outage(shop)
    shop.kill()
    shop.restart()
    assert shop.waiting() == len(sales)

    shop.proxy.clear()

    assert_booked_once(shop, sales)


def test_what_arrived_and_was_not_acknowledged_is_sent_again_and_booked_once(shop):
    for _ in range(3):
        shop.proxy.next("records", lose_answer)
    sold = shop.sell()

    wait_for("the record is sent until it is acknowledged", lambda: shop.waiting() == 0)

    assert_booked_once(shop, [sold])


def test_a_line_that_is_silent_for_a_while_keeps_nothing_from_arriving(shop):
    shop.proxy.next("records", silent)
    sold = shop.sell()
    assert shop.waiting() == 1

    shop.proxy.clear()

    assert_booked_once(shop, [sold])


def lying(shop, lie):
    """Return what makes every ack of an upload's answer say what `lie` makes of it."""
    keys = shop.centre.keys

    def change(body):
        answer = json.loads(body)
        answer["acks"] = [lie(keys, one) for one in answer["acks"]]
        return json.dumps(answer).encode()

    return changing(change)


def saying_otherwise(**changes):
    def lie(keys, ack):
        said = json.loads(seal.Sealed(**ack).payload_bytes()) | changes
        sealed = seal.seal(v1.ACK, json.dumps(said).encode(), keys.signing(keys.kid))
        return {name: getattr(sealed, name) for name in sealed.__struct_fields__}

    return lie


def wrongly_signed(_keys, ack):
    return {**ack, "sig": ack["sig"][2:] + ack["sig"][:2]}


LIES = {
    "another hash": saying_otherwise(hash=sha256_hex(b"another entry")),
    "another device": saying_otherwise(device="0123456789abcdef"),
    "another epoch": saying_otherwise(epoch=2),
    "another number": saying_otherwise(seq=10**6),
    "a wrong signature": wrongly_signed,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_an_ack_that_lies_drops_nothing(lie, shop):
    shop.proxy.always("records", lying(shop, lie))
    heard_before = shop.proxy.heard("records")
    sold = shop.sell()
    wait_for("the lie is heard twice", lambda: shop.proxy.heard("records") >= heard_before + 3)

    assert shop.waiting() == 1

    shop.proxy.clear()
    assert_booked_once(shop, [sold])


def test_a_stopped_sale_is_closed_at_the_centre_after_the_outage(shop):
    shop.terminal().fault("declined")
    shop.proxy.always("records", cut)
    sold = shop.sell()
    stopped = shop.stop(sold["record_id"])
    assert stopped["state"] == "not_paid"
    assert shop.centre_record(sold["record_id"])["state"] == "HELD"

    shop.proxy.clear()

    shop.wait_for_record(sold["record_id"], "RELEASED")
