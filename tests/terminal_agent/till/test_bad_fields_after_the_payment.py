"""What is in no field's shape of a return, an answer, a slip or a reprint is refused, and changes nothing."""

import itertools

import pytest
from till_desk import SLIP, return_body

ADDRESSES = {
    "return": return_body(),
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
