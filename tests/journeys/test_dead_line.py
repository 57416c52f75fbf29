"""A line to the centre that says nothing, or nonsense: the till is told in time, and nothing is charged."""

import json
import time

import pytest
from killing_proxy import changing, drip, drip_body, lose_answer, saying, silent

HOLD_BUDGET_S = 1.5
MARGIN_S = 1.0


@pytest.fixture(scope="module")
def shop(open_shop):
    shop = open_shop(hold_budget_ms=int(HOLD_BUDGET_S * 1000))
    assert shop.sell()["state"] == "paid"  # so that the policy pack is known
    return shop


def wrongly_signed(body):
    """Return a sealed answer with another signature, of the same form."""
    sealed = json.loads(body)
    sealed["sig"] = sealed["sig"][2:] + sealed["sig"][:2]
    return json.dumps(sealed).encode()


PORTAL = saying(b"<html><title>Log in</title></html>", "text/html")
DEAD = {
    "silence": silent,
    "a byte a second": drip,
    "a body of a byte a second": drip_body,
    "a log-in page": PORTAL,
    "nothing at all": saying(b""),
    "JSON of somebody else": saying(b'{"status": "ok"}'),
    "a wrong signature": changing(wrongly_signed),
}


@pytest.mark.parametrize("kind", ["facts", "holds"])
@pytest.mark.parametrize("behaviour", DEAD.values(), ids=DEAD.keys())
def test_the_till_is_told_in_time_and_nothing_is_charged(behaviour, kind, shop):
    shop.proxy.always(kind, behaviour)
    body, asked_at = shop.body(), time.monotonic()

    sold = shop.post("/v1/sales", body)

    assert time.monotonic() - asked_at < HOLD_BUDGET_S + MARGIN_S
    assert [reason["code"] for reason in sold["reasons"]] == ["CENTRE_UNREACHABLE"]
    assert sold["state"] == ("refused" if kind == "facts" else "not_paid")
    assert (sold["attempts"], shop.moved(sold["record_id"])) == ([], [])

    shop.proxy.clear()
    shop.wait_for_empty_outbox()
    record = shop.centre_record(sold["record_id"])
    assert record is None if kind == "facts" else record["state"] == "RELEASED"
    assert shop.post("/v1/sales", body)["state"] == "paid"


def test_a_quote_is_told_in_time_too(shop):
    shop.proxy.always("facts", silent)
    body, asked_at = shop.body(), time.monotonic()

    quoted = shop.post("/v1/quotes", {name: body[name] for name in ("item", "qualification_code")})

    assert time.monotonic() - asked_at < HOLD_BUDGET_S + MARGIN_S
    assert [reason["code"] for reason in quoted["reasons"]] == ["CENTRE_UNREACHABLE"]


def test_one_budget_is_for_all_questions_together(shop):
    """Each answer alone comes in time; facts and hold together do not."""

    def slow(exchange):
        answer = exchange.pass_on()
        exchange.wait(HOLD_BUDGET_S * 0.7)
        exchange.answer(answer)

    shop.proxy.always("any", slow)
    asked_at = time.monotonic()

    sold = shop.sell()

    assert time.monotonic() - asked_at < HOLD_BUDGET_S + MARGIN_S
    assert [reason["code"] for reason in sold["reasons"]] == ["CENTRE_UNREACHABLE"]
    assert shop.moved(sold["record_id"]) == []


def test_a_hold_whose_promise_was_lost_is_given_back(shop):
    shop.proxy.next("holds", lose_answer)

    sold = shop.sell()

    assert [reason["code"] for reason in sold["reasons"]] == ["CENTRE_UNREACHABLE"]
    record = shop.wait_for_record(sold["record_id"], "RELEASED")
    assert [line["happening"] for line in record["postings"] if line["funder"] == "central"][::2] == [
        "hold_placed",
        "hold_ended",
    ]
    assert shop.moved(sold["record_id"]) == []


def test_the_status_says_whether_there_is_a_line(shop):
    assert shop.sell()["state"] == "paid"
    shop.wait_for_empty_outbox()
    assert shop.get("/v1/status")["online"] is True
    shop.proxy.always("any", PORTAL)
    shop.sell()
    assert shop.get("/v1/status")["online"] is False
