"""How long does a till wait for an answer? Until it can do something, be it before everything is known."""

import re
import threading
import time

import pytest

from subsidy.records.payment import Evidence
from terminal_agent.checkout.resume import RESTARTED
from terminal_agent.system import Changes

WAIT_S = 30
CARD = {"operator": "cashier-1", "tender": {"kind": "card"}}


@pytest.fixture
def undone(till):
    """A sale whose only payment is being taken back, and what asks for that payment again."""
    sale = till.not_paid_sale()
    key = till.key()

    def ask(**more):
        path = f"/v1/sales/{sale.record_id}/pay?wait_s={more.get('wait_s', WAIT_S)}"
        return till.post(path, CARD, Idempotency_Key=key).json()

    no = len(ask(wait_s=0)["attempts"])
    till.journal.mark_attempt(sale.record_id, no, "000041")
    till.journal.unknown(sale.record_id, no, Evidence())
    till.journal.reversing(sale.record_id, no, Evidence())
    return sale, no, ask


def test_money_on_its_way_back_is_not_waited_for_when_the_shopper_may_pay_another_way(undone):
    _, _, ask = undone
    began = time.monotonic()
    answer = ask()
    assert (answer["state"], answer["next_action"]) == ("unknown", "PAY_ANOTHER_WAY")
    assert time.monotonic() - began < WAIT_S / 2


def test_money_that_is_back_in_a_moment_is_waited_for(till, undone):
    sale, no, ask = undone
    back = threading.Timer(0.5, lambda: till.journal.not_paid(sale.record_id, no, Evidence(), keep_hold=True))
    back.start()
    answer = ask()
    back.join()
    assert (answer["state"], answer["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")


def test_a_stopped_sale_is_waited_for_to_its_end(till, undone):
    sale, no, _ = undone
    back = threading.Timer(4, lambda: till.journal.not_paid(sale.record_id, no, Evidence(), keep_hold=True))
    back.start()
    path = f"/v1/sales/{sale.record_id}/stop?wait_s={WAIT_S}"
    answer = till.post(path, {"operator": "cashier-1"}).json()
    back.join()
    assert (answer["state"], answer["closed_because"]) == ("not_paid", "stopped by the cashier")


def test_a_stop_needs_no_body(till):
    sale = till.not_paid_sale()
    answered = till.send("POST", f"/v1/sales/{sale.record_id}/stop", headers={"Idempotency-Key": till.key()})
    assert answered.status_code == 200, answered.text
    assert answered.json()["closed_because"] == "stopped by the cashier"


def test_money_on_its_way_back_is_waited_for_once_the_hold_is_over(till, undone):
    """Nobody may pay another way then, so an answer before that would only send the cashier back to ask."""
    sale, no, ask = undone
    began_ms, till.clock.at_ms = till.clock.at_ms, till.clock.at_ms + 900_000
    back = threading.Timer(4, lambda: till.journal.not_paid(sale.record_id, no, Evidence(), keep_hold=False))
    back.start()
    try:
        answer = ask()
        assert (answer["state"], answer["next_action"]) == ("not_paid", "SELL_AGAIN")
    finally:
        back.join()
        till.clock.at_ms = began_ms


def test_while_money_is_on_its_way_back_no_other_way_is_offered_once_the_hold_is_over(till, undone):
    sale, no, ask = undone
    path, key = f"/v1/sales/{sale.record_id}", till.key()
    assert till.send("GET", path).json()["next_action"] == "PAY_ANOTHER_WAY"
    began_ms, till.clock.at_ms = till.clock.at_ms, till.clock.at_ms + 900_000
    try:
        shown = till.send("GET", path).json()
        assert (shown["state"], shown["next_action"], shown["reasons"]) == ("unknown", "DO_NOT_CHARGE", [])
        told = till.post(f"{path}/pay?wait_s=0", CARD, Idempotency_Key=key).json()
        assert [one["code"] for one in told["reasons"]] == ["HOLD_OVER"]
        assert (told["state"], told["next_action"], len(told["attempts"])) == ("unknown", "DO_NOT_CHARGE", no)
        assert ask(wait_s=0)["reasons"] == []  # it had begun its attempt
        assert till.journal.sale(sale.record_id).is_open
    finally:
        till.clock.at_ms = began_ms


def test_a_sale_of_an_earlier_run_is_told_as_it_stands_once_the_journal_is_known_to_be_no_old_copy(till):
    sale = till.not_paid_sale()
    till.journal.close(sale.record_id, RESTARTED)
    till.may_have_forgotten = True
    try:
        told = till.send("GET", f"/v1/sales/{sale.record_id}").json()
        assert (told["state"], told["next_action"]) == ("unknown", "DO_NOT_CHARGE")
        other = {"operator": "cashier-1", "tender": {"kind": "cash"}}
        asked = till.post(f"/v1/sales/{sale.record_id}/pay", other).json()
        assert asked["reasons"][0]["code"] == "TENDER_NOT_ALLOWED"
        assert (asked["state"], asked["next_action"]) == ("unknown", "DO_NOT_CHARGE")
        refused = till.post(f"/v1/sales/{sale.record_id}/reprint", {})
        assert (refused.status_code, refused.json()["next_action"]) == (409, "DO_NOT_CHARGE")
        known = threading.Timer(0.5, lambda: setattr(till, "may_have_forgotten", False))
        known.start()
        # The stream does not end with a word that may change: it would be the till's last one.
        events = till.send("GET", f"/v1/sales/{sale.record_id}/events").text
        known.join()
    finally:
        till.may_have_forgotten = False
    assert re.findall(r'"next_action":"([A-Z_]+)"', events) == ["DO_NOT_CHARGE", "SELL_AGAIN"]


def test_what_has_not_changed_is_not_looked_at_again():
    changes, looks = Changes(), []
    threading.Timer(0.6, changes.announce).start()

    assert not changes.wait_until(lambda: bool(looks.append(1)), 1.5)

    assert len(looks) == 2


def test_a_change_in_the_middle_of_a_look_is_looked_at():
    changes, looks = Changes(), []

    def look():
        looks.append(1)
        if len(looks) == 1:
            changes.announce()
            return False
        return True

    assert changes.wait_until(look, 30)
