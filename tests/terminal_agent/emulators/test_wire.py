"""Does the emulator frame as the protocol says? Bytes typed by hand, never made by our own code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.emulators import wire

SALE_REQUEST = bytes.fromhex(
    "02 00 71"
    "9F 01 00 01 02"
    "9F 02 00 0C 30 30 30 30 30 30 33 33 39 39 31 35"
    "9F 06 00 02 30 37"
    "9F 1A 00 08 32 4C 54 44 37 45 30 31"
    "9F FF 00 1C 41 47 4C 4D 4B 5A 34 4E 50 46 5A 51 33 42 35 4B 58 36 5A 51 32 4C 54 44 37 45 30 31"
    "03 0C"
)
ANSWER = bytes.fromhex(
    "02 00 37"
    "9F 01 00 01 02"
    "9F 14 00 02 30 30"
    "9F 19 00 08 BD BB D2 D7 B3 C9 B9 A6"
    "9F 0E 00 06 30 30 30 30 31 37"
    "9F 23 00 00"
    "03 E5"
)


def test_a_request_of_the_protocol_is_read():
    ((kind, middle),) = wire.Listener().hear(SALE_REQUEST, at=0)
    assert kind == "frame"
    assert wire.split(middle) == {
        wire.TYPE: b"\x02",
        wire.AMOUNT: b"000000339915",
        wire.OPERATOR: b"07",
        wire.NONCE: b"2LTD7E01",
        wire.ORDER: b"AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01",
    }


def test_an_answer_has_the_bytes_of_the_protocol():
    fields = {
        wire.TYPE: b"\x02",
        wire.CODE: b"00",
        wire.TEXT: "交易成功".encode("gbk"),
        wire.TRACE: b"000017",
        0x23: b"",
    }
    assert wire.wrap(wire.join(fields)) == ANSWER


def test_a_spoiled_check_is_wrong_in_every_bit():
    assert wire.wrap(b"abc", spoil_check=True)[-1] == wire.wrap(b"abc")[-1] ^ 0xFF


def test_a_wrong_frame_is_bad_and_the_next_one_is_heard():
    listener = wire.Listener()
    heard = listener.hear(SALE_REQUEST[:-1] + b"\xff" + b"\x06\x15" + SALE_REQUEST, at=0)
    assert [kind for kind, _ in heard] == ["bad", "ack", "nak", "frame"]


def test_a_frame_that_pauses_is_forgotten():
    listener = wire.Listener()
    assert listener.hear(SALE_REQUEST[:9], at=0.0) == []
    assert [kind for kind, _ in listener.hear(SALE_REQUEST, at=0.3)] == ["frame"]


@pytest.mark.parametrize("middle", ["9E 01 00 01 02", "9F 01 00 05 02", "9F 01", "9F 01 00 00 9F 01 00 00"])
def test_a_middle_that_is_no_row_of_fields_is_unreadable(middle):
    with pytest.raises(wire.Unreadable):
        wire.split(bytes.fromhex(middle))


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_upset_the_listener(pieces):
    listener = wire.Listener()
    for piece in pieces:
        listener.hear(piece, at=0)


@given(st.binary(max_size=4091))
def test_what_is_wrapped_is_heard(middle):
    assert wire.Listener().hear(wire.wrap(middle), at=0) == [("frame", middle)]
