"""What else may a till do once a payment is over? Answer for one found late, reprint, key in a slip."""

import pytest
from till_desk import SLIP, action

from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.lane import GOODS_BACK

# Found paid late.


@pytest.fixture
def late(desk):
    return desk.paid(late=True)


def answer(desk, sale, said, **headers):
    return desk.do(sale, "answer", {"operator": "cashier-1", "answer": said}, **headers)


def test_a_sale_found_paid_late_is_open_at_its_till_until_it_is_answered(desk, late):
    assert action(late) == "ASK_HANDED_OVER_OR_REFUND"
    found = desk.send("GET", "/v1/sales?till_no=01&open=1").json()["sales"]
    assert [one["record_id"] for one in found] == [late["record_id"]]
    after = answer(desk, late, "handed_over").json()
    assert (after["state"], after["answered"], action(after)) == ("paid", "handed_over", "NONE")
    assert desk.send("GET", "/v1/sales?till_no=01&open=1").json()["sales"] == []


def test_a_refund_of_goods_that_never_left_needs_no_supervisor(desk, late):
    after = answer(desk, late, "refund").json()
    assert (after["state"], after["answered"]) == ("returned", "refund")
    assert (after["return"]["supervisor"], after["return"]["reason"]) == ("cashier-1", "found paid late")
    assert desk.handed_over == [(late["record_id"], GOODS_BACK)]


def test_an_answer_with_the_line_down_is_stored_and_asked_for_again(desk, late):
    desk.line_is_down = True
    said = answer(desk, late, "refund").json()
    assert (said["state"], said["answered"], action(said)) == ("paid", "refund", "RETURN_LATER")
    assert action(desk.sale(late["record_id"])) == "RETURN_LATER"
    desk.line_is_down = False
    assert answer(desk, late, "refund").json()["state"] == "returned"


def test_the_same_answer_is_the_same_and_another_is_refused(desk, late):
    first = answer(desk, late, "handed_over").json()
    assert answer(desk, late, "handed_over").json() == first
    refused = answer(desk, late, "refund")
    assert (refused.status_code, refused.json()["code"]) == (409, "ANSWERED_OTHERWISE")
    assert desk.sale(late["record_id"]) == first


def test_a_sale_paid_in_time_is_not_asked_about(desk, sold):
    for said in ("handed_over", "refund"):
        desk.must_refuse(lambda said=said: answer(desk, sold, said), 409, "NOT_FOUND_LATE")


def test_goods_that_came_back_were_not_handed_over(desk, late):
    desk.give_back(late)
    desk.must_refuse(lambda: answer(desk, late, "handed_over"), 409, "ANSWERED_OTHERWISE")


# Receipts.


def test_a_receipt_is_printed_again_with_its_mark(desk, sold):
    again = desk.do(sold, "reprint", {}).json()
    head, _, rest = sold["receipt"].partition("\n")
    assert again["receipt"] == f"{head}\n*** 重打印 ***\n{rest}"
    assert "依据                  notice two" in again["receipt"]
    assert {**again, "receipt": None} == {**sold, "receipt": None}


def test_the_receipt_of_a_return_is_printed_again(desk, sold):
    desk.give_back(sold)
    desk.must_refuse(lambda: desk.do(sold, "reprint", {}), 409, "NOTHING_TO_PRINT")
    first = desk.refunded(sold)["receipt"]
    assert desk.do(sold, "reprint", {}).json()["receipt"].replace("*** 重打印 ***\n", "") == first


def test_what_is_not_paid_has_no_receipt(desk):
    unpaid = {"record_id": desk.not_paid_sale().record_id}
    desk.must_refuse(lambda: desk.do(unpaid, "reprint", {}), 409, "NOTHING_TO_PRINT")


def test_the_key_of_one_reprint_is_no_key_of_another(desk, sold):
    path, key = f"/v1/sales/{sold['record_id']}/reprint", desk.key()
    assert desk.post(path, {}, Idempotency_Key=key).status_code == 200
    other = {"operator": "cashier-1"}
    desk.must_refuse(lambda: desk.post(path, other, Idempotency_Key=key), 422, "KEY_REUSED")
    assert desk.post(path, {}, Idempotency_Key=key).status_code == 200


def test_a_reprint_needs_no_body(desk, sold):
    path = f"/v1/sales/{sold['record_id']}/reprint"
    answered = desk.send("POST", path, headers={"Idempotency-Key": desk.key()})
    assert answered.status_code == 200, answered.text


# Keyed slips.


def test_a_keyed_slip_goes_to_the_night_and_pays_nothing(desk):
    parked = desk.unknown()
    after = desk.do(parked, "slip", SLIP).json()
    assert after == parked
    assert action(after) == "DO_NOT_CHARGE"
    (told,) = desk.entries(parked, v1.Supplement)
    assert (told.attempt.state, told.attempt.evidence.code) == ("UNKNOWN", "KEYED_SLIP")
    assert (told.attempt.evidence.trace, told.attempt.evidence.rrn) == ("000042", "123456789012")
    assert told.attempt.evidence.text == "approved 3199.20, by cashier-1"
    assert desk.journal.sale(parked["record_id"]).attempt(1).evidence == Evidence()


def test_the_same_slip_is_told_once_and_a_corrected_one_again(desk):
    parked = desk.unknown()
    key = desk.key()
    for _ in range(2):
        assert desk.do(parked, "slip", SLIP, Idempotency_Key=key).status_code == 200
    desk.do(parked, "slip", SLIP)
    assert len(desk.entries(parked, v1.Supplement)) == 1
    desk.do(parked, "slip", {**SLIP, "approved": False})
    assert len(desk.entries(parked, v1.Supplement)) == 2
    other = {**SLIP, "voucher_no": "000043"}
    desk.must_refuse(lambda: desk.do(parked, "slip", other, Idempotency_Key=key), 422, "KEY_REUSED")


def test_a_slip_is_keyed_in_only_where_something_is_unknown(desk, sold):
    desk.must_refuse(lambda: desk.do(sold, "slip", SLIP), 409, "NOTHING_UNKNOWN")
    unpaid = {"record_id": desk.not_paid_sale().record_id}
    desk.must_refuse(lambda: desk.do(unpaid, "slip", SLIP), 409, "NOTHING_UNKNOWN")
