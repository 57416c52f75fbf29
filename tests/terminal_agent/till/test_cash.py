"""A till takes cash: what it is told to do next, and what it may say about where the money is."""

import pytest
from quiet_till import TERMINALS, QuietTill

from terminal_agent.checkout.cash import link_name
from terminal_agent.checkout.states import AttemptState


@pytest.fixture
def till(tmp_path):
    """A till of a shop that takes cash."""
    with QuietTill(tmp_path, cash=True) as running:
        yield running


def in_cash(till):
    return {**till.sale_body(), "tender": {"kind": "cash"}}


def asked(till):
    """Return a sale whose worker has asked for the cash."""
    sold = till.post("/v1/sales", in_cash(till)).json()
    assert till.journal.mark_attempt(sold["record_id"], 1, f"mark of {sold['record_id']}")
    return till.send("GET", f"/v1/sales/{sold['record_id']}").json()


def say(till, sold, place="in_till", **more):
    return till.post(f"/v1/sales/{sold['record_id']}/cash", {"operator": "cashier-1", "cash": place}, **more)


def test_the_cashier_is_told_to_take_the_cash_once_it_is_asked_for(till):
    sold = till.post("/v1/sales", in_cash(till)).json()
    assert (sold["state"], sold["next_action"]) == ("paying", "WAIT")
    assert sold["attempts"][0]["terminal_no"] == link_name(TERMINALS["01"])
    till.journal.mark_attempt(sold["record_id"], 1, "mark")
    seen = till.send("GET", f"/v1/sales/{sold['record_id']}").json()
    assert (seen["state"], seen["next_action"]) == ("paying", "TAKE_CASH")


def test_the_word_is_durable_and_its_worker_is_told(till):
    sold = asked(till)
    before = len(till.handed_over)
    answer = say(till, sold)
    assert answer.status_code == 200, answer.text
    assert till.handed_over[before:] == [(sold["record_id"], 1)]
    assert till.count("cash_word") == 1


def test_the_last_word_counts_while_its_worker_has_not_looked(till):
    sold = asked(till)
    say(till, sold)
    say(till, sold, "with_shopper")
    assert till.count("cash_word") == 1
    (attempt,) = till.journal.sale(sold["record_id"]).attempts
    assert till.journal.cash_word(attempt.mark).place.value == "with_shopper"


def test_an_unknown_one_is_asked_about_and_never_taken_again(till):
    sold = asked(till)
    till.journal.unknown(sold["record_id"], 1, till.journal.sale(sold["record_id"]).attempts[0].evidence)
    seen = till.send("GET", f"/v1/sales/{sold['record_id']}").json()
    assert (seen["state"], seen["next_action"]) == ("unknown", "SAY_WHERE_THE_CASH_IS")


def test_a_stopped_one_says_to_give_the_cash_back_once_it_is_in_the_till(till):
    sold = asked(till)
    stopped = till.post(f"/v1/sales/{sold['record_id']}/stop", {"operator": "cashier-1"}).json()
    assert stopped["next_action"] == "SAY_WHERE_THE_CASH_IS"
    attempt = till.journal.sale(sold["record_id"]).attempts[0]
    till.journal.unknown(sold["record_id"], 1, attempt.evidence)
    till.journal.reversing(sold["record_id"], 1, attempt.evidence, attempt.amount_fen)
    seen = till.send("GET", f"/v1/sales/{sold['record_id']}").json()
    assert seen["attempts"][0]["state"] == AttemptState.REVERSING
    assert seen["next_action"] == "GIVE_CASH_BACK"


def test_no_other_cash_is_taken_before_the_first_is_answered_and_nothing_is_held_for_it(till):
    sold = asked(till)
    refused = till.must_refuse(
        lambda: till.post("/v1/sales", in_cash(till)), 409, "CASH_NOT_ANSWERED", "where the cash"
    ).json()
    assert (refused["record_id"], refused["next_action"]) == (sold["record_id"], "SAY_WHERE_THE_CASH_IS")
    card = till.post("/v1/sales", till.sale_body()).json()
    assert card["state"] == "paying"  # the terminal is free


def test_the_request_that_took_the_cash_may_come_again(till):
    body, key = in_cash(till), till.key()
    sold = till.post("/v1/sales", body, **{"Idempotency-Key": key}).json()
    till.journal.mark_attempt(sold["record_id"], 1, "mark")
    again = till.post("/v1/sales", body, **{"Idempotency-Key": key})
    assert (again.status_code, again.json()["record_id"]) == (200, sold["record_id"])


def test_cash_that_nobody_asks_about_is_no_answer(till):
    sold = till.post("/v1/sales", till.sale_body()).json()
    till.must_refuse(lambda: say(till, sold), 409, "NO_CASH_ASKED_ABOUT")


@pytest.mark.parametrize("place", ["", "IN_TILL", "gone", None, 1, ["in_till"]])
def test_a_place_that_is_none_is_refused(till, place):
    sold = asked(till)
    till.must_refuse(lambda: say(till, sold, place), 400, "BODY_INVALID", "$.cash")


def test_a_slip_is_not_keyed_in_for_cash(till):
    sold = asked(till)
    till.journal.unknown(sold["record_id"], 1, till.journal.sale(sold["record_id"]).attempts[0].evidence)
    body = {
        "operator": "cashier-1",
        "voucher_no": "000042",
        "rrn": "123456789012",
        "amount_fen": 100,
        "approved": True,
    }
    path = f"/v1/sales/{sold['record_id']}/slip"
    till.must_refuse(lambda: till.post(path, body), 409, "NOTHING_UNKNOWN")


def test_a_shop_that_takes_no_cash_says_so(tmp_path):
    with QuietTill(tmp_path) as till:
        sold = till.post("/v1/sales", in_cash(till)).json()
        assert (sold["state"], sold["reasons"][0]["code"]) == ("refused", "TENDER_NOT_ALLOWED")
