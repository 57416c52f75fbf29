"""Frames typed byte by byte from the rules of the protocol. Never to be regenerated from our own output."""

import pytest
from iso8583_messages import codec, shipped

from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame

CARD = "6299998473651209384"

# A sale at a UnionPay terminal, from the stripe, with a PIN:
# bits 2 3 4 11 14 22 25 26 35 41 42 49 52 53 60 64.
SALE = (
    "0200"
    "70240 4C0 20C0 9811"
    "19 6299998473651209384 0"
    "000000"
    "000000329900"
    "000123"
    "3012"
    "0210"
    "00"
    "12"
    "35 6299998473651209384D301252010000000 0"
    "454D553030303031"
    "454D55303030303030303030303031"
    "313536"
    "0A1B2C3D4E5F6071"
    "2600000000000000"
    "0011 22000001000 0"
    "3132333435363738"
)
SALE_FIELDS = {
    "2": CARD,
    "3": "000000",
    "4": "000000329900",
    "11": "000123",
    "14": "3012",
    "22": "021",
    "25": "00",
    "26": "12",
    "35": f"{CARD}D301252010000000",
    "41": "EMU00001",
    "42": "EMU000000000001",
    "49": "156",
    "52": "0A1B2C3D4E5F6071",
    "53": "2600000000000000",
    "60": "22000001000",
    "64": "3132333435363738",
}

# The host's yes: bits 3 4 11 12 13 15 25 32 37 38 39 41 42 49 60 63 64, with a note in Chinese.
YES = (
    "0210"
    "303A 0081 0EC0 8013"
    "000000"
    "000000329900"
    "000123"
    "101112"
    "0301"
    "0302"
    "00"
    "08 01020000"
    "303132333435363738393031"
    "313233343536"
    "3030"
    "454D553030303031"
    "454D55303030303030303030303031"
    "313536"
    "0014 22000001000500"
    "0011 435550 BDBBD2D7B3C9B9A6"
    "3132333435363738"
)
YES_FIELDS = {
    "3": "000000",
    "4": "000000329900",
    "11": "000123",
    "12": "101112",
    "13": "0301",
    "15": "0302",
    "25": "00",
    "32": "01020000",
    "37": "012345678901",
    "38": "123456",
    "39": "00",
    "41": "EMU00001",
    "42": "EMU000000000001",
    "49": "156",
    "60": "22000001000500",
    "63": "CUP交易成功",
    "64": "3132333435363738",
}

# A settlement's answer and a reversal, on the MIS line: field 22 padded at its start, odd numbers end in F.
REVERSAL = (
    "0400"
    "7020048002C0801 9"
    "19 6299998473651209384 F"
    "000000"
    "000000329900"
    "000123"
    "0021"
    "00"
    "3938"
    "454D553030303031"
    "454D55303030303030303030303031"
    "313536"
    "0011 22000001000 F"
    "0012 000001000123"
    "3132333435363738"
)
REVERSAL_FIELDS = {
    "2": CARD,
    "3": "000000",
    "4": "000000329900",
    "11": "000123",
    "22": "021",
    "25": "00",
    "39": "98",
    "41": "EMU00001",
    "42": "EMU000000000001",
    "49": "156",
    "60": "22000001000",
    "61": "000001000123",
    "64": "3132333435363738",
}


def typed(text):
    return bytes.fromhex(text.replace(" ", ""))


GOLDEN = pytest.mark.parametrize(
    ("dialect", "mti", "written", "fields"),
    [
        ("unionpay_terminal", "0200", SALE, SALE_FIELDS),
        ("unionpay_terminal", "0210", YES, YES_FIELDS),
        ("mis_line", "0400", REVERSAL, REVERSAL_FIELDS),
    ],
    ids=["sale", "yes", "reversal"],
)


@GOLDEN
def test_a_typed_message_is_what_we_write(dialect, mti, written, fields):
    assert codec(dialect).encode(mti, fields).hex() == typed(written).hex()


@GOLDEN
def test_a_typed_message_reads_as_its_fields(dialect, mti, written, fields):
    message = codec(dialect).decode(typed(written), clear_test_card=True)
    assert (message.mti, message.fields) == (mti, fields)


@pytest.mark.parametrize(
    ("dialect", "around"),
    [
        ("unionpay_terminal", "00 15 6000030000 603100311001"),
        ("mis_line", "30303135 6003690000"),
    ],
)
def test_a_typed_frame_is_what_we_write_and_read(dialect, around):
    frame = shipped(dialect).frame
    body = b"0123456789"
    written = close_frame(frame, body)
    assert written == typed(around) + body
    (content,) = FrameReader(frame).feed(written)
    assert open_frame(frame, content).body == body
