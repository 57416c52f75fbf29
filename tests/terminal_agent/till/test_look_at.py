"""What is to be looked at at a watched terminal stands with its sale until somebody says it is seen to."""

import pytest
from quiet_till import QuietTill

from subsidy.records.payment import Evidence
from terminal_agent.checkout.look_at_it import Odd


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
