"""What does a till hear of a return, from its preview until the money is back, and who may allow it?"""

import json

import pytest
from quiet_till import PIN, SUPERVISOR
from till_desk import SLIP, Desk, action, return_body

from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.ports import CentreUnreachable

WRONG_PIN = "135790"


# A return.


def test_a_return_hands_one_refund_to_the_terminal_and_waits_for_it(desk, sold):
    begun = desk.give_back(sold).json()
    assert (begun["state"], begun["return"]["state"], action(begun)) == (
        "returned",
        "waiting",
        "RETURN_AGAIN",
    )
    assert begun["receipt"] is None
    assert desk.handed_over == [(sold["record_id"], GOODS_BACK)]

    after = desk.refunded(sold)
    assert (after["state"], after["return"]["state"], action(after)) == (
        "returned",
        "refunded",
        "TAKE_THE_GOODS_BACK",
    )
    assert after["return"]["refund_no"] == sold["attempts"][0]["pay_ref"] + "R"
    assert after["return"]["refund_fen"] == sold["paid_fen"]
    assert (after["return"]["operator"], after["return"]["supervisor"]) == ("cashier-1", SUPERVISOR)
    assert after["receipt"].startswith("以旧换新补贴退货小票\n")


def test_a_refund_that_may_have_left_says_refund_no_other_way(desk, sold):
    desk.give_back(sold)
    desk.journal.send_refund(sold["record_id"], "000042")
    pending = desk.sale(sold["record_id"])
    assert (pending["state"], pending["return"]["state"]) == ("returned", "refunding")
    assert action(pending) == "DO_NOT_REFUND_AGAIN"


def test_a_refused_refund_leaves_the_sale_paid_and_says_why(desk, sold):
    desk.give_back(sold)
    desk.journal.send_refund(sold["record_id"], "000042")
    desk.journal.refund_refused(sold["record_id"], Evidence(code="51", text="余额不足"))
    after = desk.sale(sold["record_id"])
    assert (after["state"], after["return"]["state"], action(after)) == ("paid", "refused", "REFUND_REFUSED")
    assert after["return"]["said"]["code"] == "51"


def test_with_the_line_down_the_till_says_when_to_come_back_and_nothing_is_written(desk, sold):
    desk.line_is_down = True
    before = desk.state_hash()
    answer = desk.give_back(sold)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["state"], [one["code"] for one in said["reasons"]]) == ("paid", ["CENTRE_UNREACHABLE"])
    assert action(said) == "RETURN_LATER"
    assert desk.handed_over == []
    # The PIN was right, so its try is forgotten again; nothing else was touched.
    assert desk.state_hash() == before
    desk.line_is_down = False
    assert desk.give_back(sold).json()["state"] == "returned"


def test_a_line_that_goes_down_in_between_says_send_it_again(desk, sold):
    desk.centre.block = lambda _record_id, _within_s: (_ for _ in ()).throw(CentreUnreachable("down"))
    said = desk.give_back(sold).json()
    assert (said["state"], said["return"]["state"]) == ("returned", "waiting_for_centre")
    assert [one["code"] for one in said["reasons"]] == ["CENTRE_UNREACHABLE"]
    assert action(said) == "RETURN_AGAIN"
    assert desk.handed_over == []


def test_twice_is_the_same_return(desk, sold):
    first = desk.give_back(sold).json()
    desk.refunded(sold)
    again = desk.give_back(sold, reason="again").json()
    assert (again["state"], again["return"]["tries"]) == ("returned", 1)
    assert again["return"]["reason"] == first["return"]["reason"]
    assert len(desk.entries(sold, v1.Returning)) == 1


def test_the_same_key_is_the_same_call_and_with_another_body_none(desk, sold):
    key = desk.key()
    assert desk.give_back(sold, key=key).status_code == 200
    assert desk.give_back(sold, key=key).json()["return"]["tries"] == 1
    desk.must_refuse(lambda: desk.give_back(sold, key=key, reason="another"), 422, "KEY_REUSED")


def test_the_pin_is_no_part_of_what_a_key_stands_for(desk, sold):
    """Under a key that lies on the same disk, a MAC of the PIN could be guessed at speed."""
    key = desk.key()
    desk.give_back(sold, key=key)
    stored = desk._connection.execute("SELECT body_mac FROM idempotency_key").fetchall()
    assert desk.give_back(sold, key=key, supervisor_pin=WRONG_PIN).status_code == 403
    assert desk._connection.execute("SELECT body_mac FROM idempotency_key").fetchall() == stored


@pytest.mark.parametrize("made", ["unknown", "not_paid", "paying"])
def test_what_is_not_paid_cannot_be_returned(desk, made):
    if made == "unknown":
        sale = desk.unknown()
    elif made == "not_paid":
        sale = {"record_id": desk.not_paid_sale().record_id}
    else:
        sale = desk.post("/v1/sales", desk.sale_body()).json()
    desk.must_refuse(lambda: desk.give_back(sale), 409, "SALE_NOT_PAID")


def test_a_sale_of_another_shop_is_not_known(desk, sold):
    stranger = {"record_id": sold["record_id"][:-1] + ("0" if sold["record_id"][-1] != "0" else "1")}
    for what, sent in (("return", return_body()), ("reprint", {}), ("slip", SLIP)):
        desk.must_refuse(lambda what=what, sent=sent: desk.do(stranger, what, sent), 404, "SALE_UNKNOWN")


def test_the_item_of_a_sale_that_is_being_returned_answers_that_sale(desk, sold):
    desk.give_back(sold)
    again = desk.post("/v1/sales", {**desk.sale_body(), "item": {**desk.sale_body()["item"], **sold["item"]}})
    assert (again.json()["already"], again.json()["record_id"]) == (True, sold["record_id"])


def test_a_return_that_is_open_is_among_what_its_till_has_open(desk, sold):
    def open_here():
        found = desk.send("GET", "/v1/sales?till_no=01&open=1").json()["sales"]
        return [one["record_id"] for one in found]

    assert open_here() == []
    desk.give_back(sold)
    assert open_here() == [sold["record_id"]]
    desk.refunded(sold)
    assert open_here() == []


def test_every_stream_of_a_return_ends_when_the_money_is_back(desk, sold):
    desk.give_back(sold)
    desk.refunded(sold)
    text = desk.send("GET", f"/v1/sales/{sold['record_id']}/events").text
    told = [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]
    assert [one["return"]["state"] for one in told] == ["refunded"]


# The PIN.


def tries_left(answer):
    return answer.json()["tries_left"]


@pytest.mark.parametrize("supervisor", [SUPERVISOR, "nobody"])
def test_a_wrong_pin_is_answered_alike_for_whoever_it_is_and_changes_nothing(desk, sold, supervisor):
    answers = [desk.give_back(sold, supervisor=supervisor, supervisor_pin=WRONG_PIN) for _ in range(7)]
    assert [one.status_code for one in answers] == [403] * 7
    assert [tries_left(one) for one in answers] == [4, 3, 2, 1, 0, 0, 0]
    codes = ["SUPERVISOR_PIN_WRONG"] * 5 + ["SUPERVISOR_LOCKED"] * 2
    assert [one.json()["code"] for one in answers] == codes
    assert desk.sale(sold["record_id"]) == sold
    assert desk.count("goods_return") == 0
    assert desk.count("idempotency_key") == 1  # the sale's own


def test_a_locked_supervisor_is_locked_for_the_next_agent_too(tmp_path):
    with Desk(tmp_path) as desk:
        sold = desk.paid()
        for _ in range(5):
            desk.give_back(sold, supervisor_pin=WRONG_PIN)
    with Desk(tmp_path) as desk:
        assert desk.give_back(sold).json()["code"] == "SUPERVISOR_LOCKED"
        desk.clock.at_ms += 15 * 60_000
        assert desk.give_back(sold, key="key-of-the-next-agent").json()["state"] == "returned"


def test_the_pin_is_looked_at_before_the_sale(desk):
    """What a sale's state is costs whoever guesses PINs a try."""
    unpaid = {"record_id": desk.not_paid_sale().record_id}
    assert desk.give_back(unpaid, supervisor_pin=WRONG_PIN).json()["code"] == "SUPERVISOR_PIN_WRONG"


def test_neither_answers_nor_logs_nor_rows_have_the_pin(desk, sold):
    heard = [desk.give_back(sold, supervisor_pin=pin).text for pin in (WRONG_PIN, PIN)]
    heard += [
        desk.do(sold, "return", {**return_body(), "more": 1}).text,
        desk.give_back(sold, reason="\0").text,
    ]
    heard += [
        repr(desk.logged),
        repr(
            [
                desk._connection.execute(f"SELECT * FROM {one}").fetchall()
                for one in ("sale", "goods_return", "pin_try", "idempotency_key", "outbox")
            ]
        ),
    ]
    assert not [one for one in heard if PIN in one or WRONG_PIN in one]


# The preview.


def test_a_preview_says_what_goes_back_where_and_changes_nothing(desk, sold):
    before = desk.state_hash()
    shown = desk.send("GET", f"/v1/sales/{sold['record_id']}/return").json()
    assert desk.state_hash() == before
    assert shown["goes_back"]["to_shopper_fen"] == sold["paid_fen"]
    assert (shown["goes_back"]["way"], shown["goes_back"]["masked_pan"]) == ("card", "629999*********9384")
    assert sum(one["fen"] for one in shown["goes_back"]["to_funders"]) == sold["subsidy_fen"]
    assert shown["subsidy_to_shopper_fen"] == 0
    assert any("never the subsidy" in one["en"] for one in shown["notes"])
    assert any("merchant owes it" in one["en"] for one in shown["notes"])
    assert (shown["done"], shown["return"]) == (False, None)
    desk.give_back(sold)
    desk.refunded(sold)
    after = desk.send("GET", f"/v1/sales/{sold['record_id']}/return").json()
    assert (after["done"], after["goes_back"]) == (True, shown["goes_back"])


def test_there_is_nothing_to_preview_of_what_is_not_paid(desk):
    unpaid = desk.not_paid_sale().record_id
    desk.must_refuse(lambda: desk.send("GET", f"/v1/sales/{unpaid}/return"), 409, "SALE_NOT_PAID")
