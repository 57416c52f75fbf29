"""What the terminal says is not what was asked: no money, other money, or silence."""

import pytest


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("wrong_amount", {"fen": 1}),
        ("wrong_amount", {"fen": 10**9}),
        ("partial", {}),
        ("wrong_terminal", {}),
    ],
    ids=lambda value: str(value),
)
def test_money_that_was_not_asked_for_is_given_back_and_the_sale_is_not_paid(fault, options, shop):
    shop.terminal().fault(fault, **options)

    sold = shop.sell()

    assert (sold["state"], sold["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    assert (sold["paid_fen"], sold["receipt"]) == (0, None)
    assert shop.moved(sold["record_id"]) == ["sale", "void"]
    assert shop.pay(sold["record_id"])["state"] == "paid"
    assert shop.charges(sold["record_id"]) == 1


def test_an_answer_that_is_lost_is_asked_for_and_the_card_is_not_charged_again(shop):
    shop.terminal().fault("lost_answer")

    sold = shop.sell()

    assert sold["state"] == "paid"
    assert shop.moved(sold["record_id"]) == ["sale"]


def test_a_request_that_is_lost_is_not_paid(shop):
    shop.terminal().fault("lost_request")

    sold = shop.sell()

    assert (sold["state"], sold["attempts"][0]["state"]) == ("not_paid", "NOT_PAID")
    assert shop.moved(sold["record_id"]) == []
    assert shop.pay(sold["record_id"])["state"] == "paid"


def test_a_terminal_that_is_silent_before_the_sale_is_sent_nothing(shop):
    shop.terminal().fault("silent_query")

    sold = shop.sell()

    assert sold["state"] == "not_paid"
    assert sold["attempts"][0]["said"]["code"] == "TERMINAL_SILENT"
    assert shop.moved(sold["record_id"]) == []
    assert shop.pay(sold["record_id"])["state"] == "paid"


def test_a_cable_that_is_pulled_before_the_sale_means_not_paid(shop):
    shop.terminal().unplug(2500)

    sold = shop.sell()

    assert sold["attempts"][0]["said"]["code"] == "TERMINAL_SILENT"
    assert shop.moved(sold["record_id"]) == []


def test_a_cable_that_is_pulled_during_the_payment_is_asked_about_when_it_is_back(shop):
    shop.terminal().fault("unplug_after_ack", ms=700)

    sold = shop.sell()

    assert sold["state"] == "paid"
    assert shop.moved(sold["record_id"]) == ["sale"]


def test_an_amount_that_the_shopper_did_not_agree_to_is_not_charged(shop):
    sold = shop.sell(expected_paid_fen=1)

    assert [reason["code"] for reason in sold["reasons"]] == ["QUOTE_CHANGED"]
    assert (sold["state"], sold["next_action"], sold["attempts"]) == ("refused", "QUOTE_AGAIN", [])
    assert shop.centre_record(sold["record_id"]) is None


def test_the_amount_that_was_quoted_is_charged(shop):
    body = shop.body()
    quoted = shop.post("/v1/quotes", {name: body[name] for name in ("item", "qualification_code")})

    sold = shop.post("/v1/sales", {**body, "expected_paid_fen": quoted["to_pay_fen"]})

    assert (sold["state"], sold["paid_fen"]) == ("paid", quoted["to_pay_fen"])
