"""What is to be looked at at a watched terminal stands with its sale until somebody says it is seen to."""

import pytest
from quiet_till import QuietTill

from subsidy.records.payment import Evidence
from terminal_agent.checkout.look_at_it import Odd
from terminal_agent.checkout.sale import WATCHED


@pytest.fixture
def till(tmp_path):
    with QuietTill(tmp_path) as running:
        yield running


def beside(till, record_id=None, trace="000007"):
    """Let an amount be charged beside a sale; return its number."""
    till.journal.look_at("12345678", Odd.CHARGED_BESIDE, record_id, 85_000, ("000001", trace))
    return till.journal.to_look_at()[-1].no


def unpaid(till):
    """Return a sale whose attempt was declined."""
    sold = till.post("/v1/sales", till.sale_body()).json()
    till.journal.not_paid(sold["record_id"], 1, Evidence(code="51"), keep_hold=True)
    return sold["record_id"]


def done(till, no, body=None):
    return till.post(f"/v1/look-at/{no}/done", {"operator": "cashier-1"} if body is None else body)


def test_it_stands_with_its_sale_and_says_what_to_do(till):
    record_id = unpaid(till)
    beside(till, record_id)
    beside(till, None, "000008")
    told = till.send("GET", f"/v1/sales/{record_id}").json()
    assert [one["trace"] for one in told["look_at"]] == ["000007"]
    assert (told["state"], told["next_action"]) == ("not_paid", "VOID_THE_OTHER_CHARGE")
    assert set(told["look_at"][0]) >= {"no", "terminal_no", "what", "zh", "en", "fen", "batch", "at"}


def test_somebody_says_that_it_is_seen_to_and_the_rest_stays(till):
    record_id = unpaid(till)
    first, second = beside(till, record_id), beside(till, None, "000008")
    answer = done(till, first)
    assert (answer.status_code, [one["no"] for one in answer.json()["look_at"]]) == (200, [second])
    assert done(till, first).status_code == 200
    assert till.send("GET", f"/v1/sales/{record_id}").json()["next_action"] == "PAY_AGAIN_OR_STOP"


CARD, PHONE = {"kind": "card"}, {"kind": "qr_show"}


@pytest.mark.parametrize("tender", [CARD, PHONE])
def test_nobody_is_charged_again_before_the_other_charge_is_voided_or_seen_to(till, tender):
    record_id = unpaid(till)
    no = beside(till, record_id)

    def pay():
        return till.post(f"/v1/sales/{record_id}/pay", {"operator": "cashier-1", "tender": tender})

    refused = till.must_refuse(pay, 409, "OTHER_CHARGE_STANDS", "/v1/look-at").json()
    assert (refused["next_action"], refused["record_id"]) == ("VOID_THE_OTHER_CHARGE", record_id)
    done(till, no)
    assert pay().status_code == 200


def test_a_payment_that_was_begun_before_is_asked_about_again_with_its_key(till):
    record_id, key = unpaid(till), till.key()
    path, body = f"/v1/sales/{record_id}/pay", {"operator": "cashier-1", "tender": CARD}
    till.post(path, body, Idempotency_Key=key)
    beside(till, record_id)
    again = till.post(path, body, Idempotency_Key=key)
    assert (again.status_code, len(again.json()["attempts"])) == (200, 2)


def test_the_warning_stays_where_the_next_charge_was_begun_in_the_same_moment(till):
    record_id = unpaid(till)
    till.post(f"/v1/sales/{record_id}/pay", {"operator": "cashier-1", "tender": CARD})
    till.journal.mark_attempt(record_id, 2, WATCHED)
    path = f"/v1/sales/{record_id}"
    assert till.send("GET", path).json()["next_action"] == "CHARGE_AT_TERMINAL"
    no = beside(till, record_id)
    assert till.send("GET", path).json()["next_action"] == "VOID_THE_OTHER_CHARGE"
    done(till, no)
    assert till.send("GET", path).json()["next_action"] == "CHARGE_AT_TERMINAL"


def test_no_cash_is_taken_beside_a_charge_that_stands(tmp_path):
    with QuietTill(tmp_path, cash=True) as till:
        sold = till.post("/v1/sales", {**till.sale_body(), "tender": {"kind": "cash"}}).json()
        till.journal.mark_attempt(sold["record_id"], 1, "mark")
        path = f"/v1/sales/{sold['record_id']}"
        assert till.send("GET", path).json()["next_action"] == "TAKE_CASH"
        beside(till, sold["record_id"])
        assert till.send("GET", path).json()["next_action"] == "VOID_THE_OTHER_CHARGE"


@pytest.mark.parametrize("what", [one for one in Odd if one is not Odd.CHARGED_BESIDE])
def test_what_is_no_other_charge_is_told_and_keeps_nobody_from_paying(till, what):
    record_id = unpaid(till)
    till.journal.look_at("12345678", what, record_id, 85_000, ("000001", "000007"))
    told = till.send("GET", f"/v1/sales/{record_id}").json()
    assert ([one["what"] for one in told["look_at"]], told["next_action"]) == ([what], "PAY_AGAIN_OR_STOP")
    paid = till.post(f"/v1/sales/{record_id}/pay", {"operator": "cashier-1", "tender": CARD})
    assert paid.status_code == 200


def test_a_sale_that_has_ended_is_told_as_it_stands_when_somebody_would_pay_it(till):
    record_id = unpaid(till)
    beside(till, record_id)
    till.journal.close(record_id, "stopped by the cashier")
    told = till.post(f"/v1/sales/{record_id}/pay", {"operator": "cashier-1", "tender": CARD})
    assert (told.status_code, told.json()["next_action"]) == (200, "VOID_THE_OTHER_CHARGE")


@pytest.mark.parametrize("no", [0, -1, 999, 2**63, 10**40])
def test_a_number_that_is_none_is_not_found(till, no):
    beside(till)
    answer = done(till, no)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOTHING_TO_LOOK_AT")
    assert len(till.journal.to_look_at()) == 1


@pytest.mark.parametrize("no", ["x", "1.5", "1" * 5000, "%00", "\u0661"])
def test_what_is_no_number_is_no_address(till, no):
    assert done(till, no).status_code in (400, 404, 414)


@pytest.mark.parametrize(
    "body",
    [{}, {"operator": ""}, {"operator": 7}, {"operator": "6299998473651209384"}, {"operator": "a", "x": 1}],
)
def test_who_says_so_has_a_name_that_may_be_kept(till, body):
    no = beside(till)
    assert done(till, no, body).status_code == 400
    assert len(till.journal.to_look_at()) == 1
