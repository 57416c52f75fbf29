"""When a card does not pay, another one may, under the same hold; and nobody pays twice."""

import pytest
from audit import bookings

PAY = {"operator": "cashier-1", "tender": {"kind": "card"}}


def test_a_second_card_pays_under_the_same_hold(shop):
    shop.terminal().fault("declined", code="51")
    first = shop.sell()
    assert (first["state"], first["next_action"]) == ("not_paid", "PAY_AGAIN_OR_STOP")
    holds_before = shop.proxy.heard("holds")

    second = shop.pay(first["record_id"])

    assert second["state"] == "paid"
    assert [one["state"] for one in second["attempts"]] == ["NOT_PAID", "PAID"]
    assert second["paid_fen"] == first["to_pay_fen"] == second["to_pay_fen"]
    assert shop.charges(first["record_id"]) == 1
    assert shop.proxy.heard("holds") == holds_before
    assert bookings(shop.wait_for_record(first["record_id"], "PAYABLE")) == 1


def test_one_key_is_one_attempt_however_often_it_is_posted(shop):
    shop.terminal().fault("declined", times=2)
    first = shop.sell()

    posted = [shop.submit(lambda: shop.pay(first["record_id"], key="second-card-of-mine")) for _ in range(10)]
    answers = [one.result() for one in posted]

    assert {answer["record_id"] for answer in answers} == {first["record_id"]}
    assert [one["state"] for one in shop.sale(first["record_id"])["attempts"]] == ["NOT_PAID", "NOT_PAID"]
    assert shop.pay(first["record_id"])["state"] == "paid"
    assert shop.charges(first["record_id"]) == 1


def test_many_keys_at_once_are_one_card_at_a_time(shop):
    shop.terminal().fault("declined")
    first = shop.sell()

    posted = [shop.submit(lambda: shop.pay(first["record_id"])) for _ in range(10)]
    assert {one.result()["state"] for one in posted} == {"paid"}

    assert shop.moved(first["record_id"]) == ["sale"]
    assert len(shop.sale(first["record_id"])["attempts"]) == 2


def test_a_paid_sale_takes_no_other_card(shop):
    sold = shop.sell()

    again = shop.pay(sold["record_id"])

    assert (again["state"], len(again["attempts"])) == ("paid", 1)
    assert shop.moved(sold["record_id"]) == ["sale"]


def test_while_the_first_card_is_unknown_no_second_one_is_taken(shop):
    body = shop.body()
    shop.terminal().fault("lost_answer")
    selling = shop.selling(body)
    shop.wait_until_at_work()
    shop.terminal().fault("silent_query")
    first = shop.wait_for_attempt(body["item"]["serial_no"], "UNKNOWN")

    again = shop.call(f"/v1/sales/{first['record_id']}/pay", PAY, wait_s=0).json()

    assert (again["state"], again["next_action"], len(again["attempts"])) == ("unknown", "DO_NOT_CHARGE", 1)
    assert selling.result().json()["state"] == "paid"
    assert shop.moved(first["record_id"]) == ["sale"]


def test_a_second_card_may_pay_while_the_first_is_given_back(shop):
    body = shop.body()
    shop.terminal().fault("wrong_amount", fen=1)
    shop.terminal().fault("unclear_code", on="void", charged=False, times=2)
    selling = shop.selling(body)
    first = shop.wait_for_attempt(body["item"]["serial_no"], "REVERSING")

    sold = shop.pay(first["record_id"])

    assert sold["state"] == "paid"
    assert [one["state"] for one in sold["attempts"]] == ["NOT_PAID", "PAID"]
    assert selling.result().json()["record_id"] == first["record_id"]
    assert shop.moved(first["record_id"]) == ["sale", "void", "sale"]
    assert shop.charges(first["record_id"]) == 1


@pytest.mark.parametrize("kind", ["qr_scan", "cash"])
def test_a_way_of_paying_that_is_not_there_is_refused_and_the_hold_stays(kind, shop):
    shop.terminal().fault("declined")
    first = shop.sell()

    other = shop.post(
        f"/v1/sales/{first['record_id']}/pay", {"operator": "cashier-1", "tender": {"kind": kind}}
    )

    assert [reason["code"] for reason in other["reasons"]] == ["TENDER_NOT_ALLOWED"]
    assert other["state"] == "not_paid"
    assert shop.pay(first["record_id"])["state"] == "paid"
