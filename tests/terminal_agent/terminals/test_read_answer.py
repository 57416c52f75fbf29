import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.records.payment import Evidence
from terminal_agent.terminals.framing import FramingFault, pack
from terminal_agent.terminals.read_answer import read_answer

CARD = "6299998473651209384"
TYPE = (0x01, b"\x02")


def said(*fields: tuple[int, bytes]):
    return read_answer(pack([TYPE, *fields]))


def test_an_empty_answer_is_an_empty_evidence():
    assert said().evidence == Evidence()
    assert (said().kind, said().amount_fen, said().order) == (2, None, "")


def test_an_answer_without_its_type_is_none_of_ours():
    for fields in ([], [(0x01, b"")], [(0x01, b"02")]):
        with pytest.raises(FramingFault):
            read_answer(pack(fields))


def test_fields_padded_to_a_fixed_width_are_read():
    answer = said((0x0E, b"000017  "), (0x02, b"\x00000000339915"), (0x0F, b"A1    "))
    assert (answer.evidence.trace, answer.amount_fen, answer.evidence.auth) == ("000017", 339_915, "A1")


@pytest.mark.parametrize(
    "tag", [0x04, 0x05, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x1A, 0x02], ids=hex
)
@pytest.mark.parametrize(
    "value",
    [
        CARD.encode(),
        CARD[:16].encode(),
        b"13800138000",
        b"11010519491231002X",
        bytes.fromhex(CARD + "F"),
        CARD.encode().hex().encode(),
        "１２３４５６".encode("gbk"),
        b"\xff\xfe",
        b"00 017",
    ],
)
def test_what_has_not_the_shape_of_its_field_is_dropped(tag, value):
    answer = said((tag, value))
    assert (answer.evidence, answer.amount_fen, answer.nonce, answer.memo) == (Evidence(), None, "", "")


@pytest.mark.parametrize("order", ["AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01", "AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01R"])
def test_a_pay_ref_and_a_refund_number_are_ours(order):
    assert said((0xFF, order.encode())).order == order


@pytest.mark.parametrize("value", [CARD.encode(), b"PLAIN-ORDER-7", b"AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E0"])
def test_an_order_that_is_no_pay_ref_is_known_to_be_another_and_not_kept(value):
    assert said((0xFF, value)).order == "?"


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (CARD, "629999*********9384"),
        ("6299 9984 7365 1209 384", "629999*********9384"),
        ("629999******9384", "629999******9384"),
        ("13800138000", ""),  # eleven digits are no card
        (CARD.encode().hex(), ""),
        (bytes.fromhex(CARD + "F"), ""),
        (CARD + "=3012520100000", ""),
        ("", ""),
    ],
)
def test_a_card_number_is_kept_as_its_first_six_and_last_four(value, kept):
    raw = value if isinstance(value, bytes) else value.encode()
    assert said((0x0B, raw)).evidence.masked_pan == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("余额不足", "余额不足"),
        ("交易失败, 请联系发卡行 (51)", "交易失败, 请联系发卡行 (51)"),
        ("NOT ENOUGH MONEY", "NOT ENOUGH MONEY"),
        (f"卡号{CARD}", ""),
        (f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:16]}", ""),
        ("-".join(CARD), ""),
        ("电话13800138000", ""),
        ("６２９９９９８４７３６５１２０９３８４", ""),
        (".".join(CARD), ""),
        (CARD.encode().hex(), ""),
        (bytes.fromhex(CARD + "F"), ""),
        (bytes.fromhex("6262636465666768"), ""),  # a packed number that happens to look like letters
        (b"\x13\x80\x01\x38\x00\x0f", ""),
        (b"\x81", ""),
        ("长" * 60, ""),
        ("[x]", ""),
    ],
)
def test_text_is_kept_only_when_it_cannot_hide_a_number(value, kept):
    raw = value if isinstance(value, bytes) else value.encode("gbk")
    text = said((0x19, raw)).evidence.text
    assert text == kept


@given(st.binary(max_size=200))
def test_any_frame_is_read_or_refused_in_our_way(data):
    with contextlib.suppress(FramingFault):
        read_answer(data)


@given(st.dictionaries(st.integers(0x02, 0xFF), st.binary(max_size=40), max_size=20))
def test_any_fields_are_read(fields):
    read_answer(pack([TYPE, *fields.items()]))
