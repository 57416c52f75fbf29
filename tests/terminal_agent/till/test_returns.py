"""What the till API does with a sale after its payment: returns, late answers, reprints, keyed slips."""

import itertools
import json

import msgspec
import pytest
from quiet_till import PIN, SUPERVISOR, QuietTill
from unit_shop import ack_of

from subsidy.policy.next_action import NextAction
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.ports import CentreUnreachable
from terminal_agent.checkout.sale import FOUND_LATE_MS

CARD = Evidence(code="00", trace="000042", rrn="123456789012", masked_pan="629999*********9384")
WRONG_PIN = "135790"


class Desk(QuietTill):
    """A till whose centre takes returns in."""

    line_is_down = False

    def __init__(self, folder):
        super().__init__(folder)
        self.centre.block = self.block
        asks = self.centre.facts
        self.centre.facts = lambda request, within_s: self._must_reach() or asks(request, within_s)

    def block(self, record_id, within_s):
        self._must_reach()
        self.acknowledge()

    def acknowledge(self):
        self.journal.acknowledge([(ack_of(one), "sealed") for one in self.journal.waiting(1000)])

    def _must_reach(self):
        if self.line_is_down:
            raise CentreUnreachable("down")

    def paid(self, late=False):
        sold = self.post("/v1/sales", self.sale_body()).json()
        if late:
            self.clock.at_ms += FOUND_LATE_MS + 1
        self.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], CARD)
        self.acknowledge()
        self.handed_over.clear()
        return self.sale(sold["record_id"])

    def unknown(self):
        sold = self.post("/v1/sales", self.sale_body()).json()
        self.journal.unknown(sold["record_id"], 1, Evidence())
        self.journal.park(sold["record_id"])
        return self.sale(sold["record_id"])

    def sale(self, record_id):
        return self.send("GET", f"/v1/sales/{record_id}").json()

    def do(self, sale, what, body, **headers):
        return self.post(f"/v1/sales/{sale['record_id']}/{what}", body, **headers)

    def give_back(self, sale, *, key=None, **changes):
        return self.do(sale, "return", body(**changes), **({"Idempotency_Key": key} if key else {}))

    def refunded(self, sale):
        """Let the terminal have given the money back."""
        self.journal.send_refund(sale["record_id"], "000042")
        self.journal.refunded(sale["record_id"], Evidence(code="00", trace="000043", rrn="210987654321"))
        return self.sale(sale["record_id"])

    def entries(self, sale, kind):
        rows = self._connection.execute("SELECT body FROM outbox WHERE record_id = ?", (sale["record_id"],))
        found = [msgspec.json.decode(one, type=v1.Entry) for (one,) in rows.fetchall()]
        return [one for one in found if isinstance(one, kind)]


def body(**changes):
    return {
        "operator": "cashier-1",
        "supervisor": SUPERVISOR,
        "supervisor_pin": PIN,
        "reason": "不喜欢颜色",
        **changes,
    }


SLIP = {
    "operator": "cashier-1",
    "voucher_no": "000042",
    "rrn": "123456789012",
    "amount_fen": 319_920,
    "approved": True,
}


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def sold(desk):
    return desk.paid()


def action(document):
    sentences = document["next_action_text"]
    assert sentences == {
        "zh": NextAction(document["next_action"]).zh,
        "en": NextAction(document["next_action"]).en,
    }
    return document["next_action"]


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
    for what, sent in (("return", body()), ("reprint", {}), ("slip", SLIP)):
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
    heard += [desk.do(sold, "return", {**body(), "more": 1}).text, desk.give_back(sold, reason="\0").text]
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


# Bad bodies.


ADDRESSES = {
    "return": body(),
    "answer": {"operator": "cashier-1", "answer": "handed_over"},
    "slip": SLIP,
    "reprint": {"operator": "cashier-1"},
}
CARD_NO, IDENTITY, PHONE_NO = "6231580209417756038", "32120219900307118X", "13987650412"
WIDE = "电话１３９８７６５０４１２"
LONG = "x" * 1000


def bad_fields():
    for address, good in ADDRESSES.items():
        for name in good:
            for value in (1.5, [], {}, LONG, "", "a\0b", "\x1b[2J", None):
                left_out = address == "reprint" and value is None
                wrong_pin = name == "supervisor_pin" and value in ("a\0b", "\x1b[2J")  # like any other
                if not left_out and not wrong_pin:
                    yield address, name, value


@pytest.mark.parametrize(("address", "name", "value"), list(bad_fields()), ids=repr)
def test_what_is_in_no_fields_shape_is_refused(desk, sold, address, name, value):
    sent = {**ADDRESSES[address], name: value}
    desk.must_refuse(lambda: desk.do(sold, address, sent), 400, "BODY_INVALID", "$")


@pytest.mark.parametrize(
    ("name", "text"),
    list(
        itertools.product(
            ("operator", "supervisor", "reason"), (CARD_NO, IDENTITY, PHONE_NO, f"call {PHONE_NO}", WIDE)
        )
    ),
)
def test_what_looks_like_a_persons_number_is_refused_and_not_repeated(desk, sold, name, text):
    answer = desk.must_refuse(lambda: desk.give_back(sold, **{name: text}), 400, "BODY_INVALID", name)
    assert text not in answer.text


@pytest.mark.parametrize("text", ["a\u2028退款金额 9999.00", "\u202e", "a\u0085b"])
@pytest.mark.parametrize("name", ["operator", "supervisor", "reason"])
def test_what_would_break_a_line_of_the_receipt_is_refused(desk, sold, name, text):
    desk.must_refuse(lambda: desk.give_back(sold, **{name: text}), 400, "BODY_INVALID", name)


def test_a_name_and_a_reason_with_a_space_of_full_width_are_taken(desk, sold):
    said = {"operator": "张\u3000三", "reason": "整机\u3000不喜欢"}
    back = desk.give_back(sold, **said).json()["return"]
    assert {name: back[name] for name in said} == said


@pytest.mark.parametrize("address", [one for one in ADDRESSES if one != "reprint"])
def test_every_field_must_be_there_and_no_other(desk, sold, address):
    good = ADDRESSES[address]
    for name in good:
        without = {one: value for one, value in good.items() if one != name}
        desk.must_refuse(lambda sent=without: desk.do(sold, address, sent), 400, "BODY_INVALID", name)
    desk.must_refuse(lambda: desk.do(sold, address, {**good, "more": 1}), 400, "BODY_INVALID", "$")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_call_without_a_key_is_refused(desk, sold, address):
    desk.must_refuse(
        lambda: desk.do(sold, address, ADDRESSES[address], Idempotency_Key=None), 400, "IDEMPOTENCY_KEY"
    )


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_that_is_none_is_refused(desk, sold, address):
    for raw in (b"[]", b"null", b"{", b'"a"'):
        desk.must_refuse(lambda raw=raw: desk.do(sold, address, raw), 400, "BODY_INVALID", "$")


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


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1, "100", 1.0, True])
def test_a_slip_needs_an_amount(desk, amount):
    parked = desk.unknown()
    desk.must_refuse(
        lambda: desk.do(parked, "slip", {**SLIP, "amount_fen": amount}), 400, "BODY_INVALID", "$"
    )


def test_a_number_of_a_person_is_no_slips(desk):
    parked = desk.unknown()
    for name in ("voucher_no", "rrn"):
        sent = {**SLIP, name: PHONE_NO}
        answered = desk.must_refuse(
            lambda sent=sent: desk.do(parked, "slip", sent), 400, "BODY_INVALID", name
        )
        assert PHONE_NO not in answered.text


def test_every_stream_of_a_return_ends_when_the_money_is_back(desk, sold):
    desk.give_back(sold)
    desk.refunded(sold)
    text = desk.send("GET", f"/v1/sales/{sold['record_id']}/events").text
    told = [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]
    assert [one["return"]["state"] for one in told] == ["refunded"]
