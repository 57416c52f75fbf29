"""What a message may not say is refused, with the place, and without showing what stood there."""

import pytest
from iso8583_messages import APPROVAL, CARD, PIN_BLOCK, SALE, TRACK, codec

from terminal_agent.iso8583.faults import MessageFault

TERMINAL = codec()
WRITTEN = TERMINAL.encode("0200", SALE)


def refusal_of(body):
    with pytest.raises(MessageFault) as refused:
        TERMINAL.decode(body)
    return str(refused.value)


def with_bit(no, body=WRITTEN):
    bits = int.from_bytes(body[2:10]) | 1 << (64 - no)
    return body[:2] + bits.to_bytes(8) + body[10:]


@pytest.mark.parametrize("no", [1, 5, 24, 43])
def test_a_bit_that_the_dialect_does_not_have_is_refused(no):
    assert f"bit {no} is set" in refusal_of(with_bit(no))


def test_an_empty_bitmap_is_refused():
    assert "no bit" in refusal_of(WRITTEN[:2] + bytes(8))


@pytest.mark.parametrize("end", range(len(WRITTEN)))
def test_a_message_cut_off_anywhere_is_refused(end):
    refusal_of(WRITTEN[:end])


def test_bytes_after_the_last_field_are_refused():
    assert "1 bytes too many" in refusal_of(WRITTEN + b"\0")


PAN_AT = 10
PAN_END = PAN_AT + 1 + 10


@pytest.mark.parametrize(
    ("at", "byte", "where"),
    [
        (PAN_AT, 0x1A, "field 2 at byte 10: its length is not digits"),
        (PAN_AT, 0x20, "field 2 at byte 10: 20 digits, where it takes 12 to 19"),
        (PAN_AT + 1, 0xAB, "field 2 at byte 10: not digits but 'AA99999999999999999'"),
        (PAN_END - 1, 0x4A, "field 2 at byte 10: its half byte too many is not 0 or F"),
        (PAN_END, 0x0D, "field 3 at byte 21: not digits but '9A9999'"),
        (0, 0xE2, "MTI at byte 0: not four digits but 'A999'"),
    ],
)
def test_the_refusal_says_where_and_what(at, byte, where):
    assert refusal_of(WRITTEN[:at] + bytes((byte,)) + WRITTEN[at + 1 :]) == where


def test_another_acquirers_pad_is_taken_where_the_dialect_says_so():
    padded = WRITTEN[: PAN_END - 1] + bytes((WRITTEN[PAN_END - 1] | 0x0F,)) + WRITTEN[PAN_END:]
    assert TERMINAL.decode(padded, clear_test_card=True).fields["2"] == CARD
    mis = codec("mis_line")
    strict = mis.encode("0400", {"2": CARD, "3": "000000"})
    with pytest.raises(MessageFault, match="half byte too many"):
        mis.decode(strict[: PAN_END - 1] + bytes((strict[PAN_END - 1] & 0xF0,)) + strict[PAN_END:])


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("3", "00000A", "field 3: not digits"),
        ("3", "00000", "field 3: 5 digits, where it takes 6"),
        ("3", "00000\u0661", "field 3: not digits"),
        ("4", "000000000000", "field 4: an amount of nothing"),
        ("4", "3299", "field 4: 4 digits, where it takes 12"),
        ("12", "250000", "field 12: not a time"),
        ("13", "1301", "field 13: not a time"),
        ("14", "3013", "field 14: not a time"),
        ("2", "6" * 20, "field 2: 20 digits"),
        ("35", "6299998473651209384", "field 35: not digits with one D"),
        ("41", "EMU0001", "field 41: 7 bytes, where it takes 8"),
        ("41", "EMU000\t1", "field 41: not printable ASCII"),
        ("41", "EMU0000号", "field 41: not a text"),
        ("49", "840", "field 49: not one of 156"),
        ("52", "0A1B", "field 52: 2 bytes, where it takes 8"),
        ("52", "0A1B2C3D4E5F60ZZ", "field 52: not hex"),
        ("52", "0A1B2C3D4E5F60 71", "field 52: not hex alone"),
        ("60", "2200000", "field 60: 7 characters long"),
        ("61", "000001", "field 61: 6 characters long"),
        ("55", "9F2608AABB", "field 55: tag 9F26 says more bytes"),
        ("55", "9F26", "field 55"),
        ("55", "9A0326030", "field 55"),
        ("55", "9A039A9A9A9A03010101", "field 55: tag 9A stands twice"),
        ("55", "00", "field 55"),
        ("55", "9F", "field 55"),
        ("55", "9F8181810100", "field 55: no tag"),
        ("55", "9A83000001AA", "field 55: no length"),
        ("63", "C", "field 63: 1 bytes"),
        ("63", "\ud800\ud800\ud800", "field 63: not a text"),
        ("65", "1", "field 65: unionpay_terminal has no such field"),
        ("p", "1", "field p: unionpay_terminal has no such field"),
        ("3", {"a": "b"}, "field 3: unionpay_terminal knows no parts of it"),
        ("60", {"kind": "22"}, "field 60"),
        ("60", {"kind": "22", "batch": "1"}, "field 60: batch takes 6 characters, not '9'"),
        ("63", {"who": "CUP", "note_2": "x"}, "field 63: its parts are"),
        ("63", {"who": "CUPS"}, "field 63: who is longer than 3 bytes"),
        ("62", {"serial_no": "x y"}, "field 62"),
    ],
)
def test_what_a_field_does_not_take_is_not_written(field, text, why):
    with pytest.raises(MessageFault) as refused:
        TERMINAL.encode("0200", {**SALE, field: text})
    assert str(refused.value).startswith(why)


@pytest.mark.parametrize("mti", ["", "200", "02OO", "02000", "\u0660200"])
def test_a_message_type_is_four_digits(mti):
    with pytest.raises(MessageFault, match="MTI"):
        TERMINAL.encode(mti, SALE)


def test_writing_changes_nothing_of_what_was_given():
    given = dict(SALE)
    TERMINAL.encode("0200", given, seal=lambda data: b"12345678")
    assert given == SALE


@pytest.mark.parametrize("size", [24, 40, 56, 60, 84])
def test_key_blocks_have_a_size_that_there_is(size):
    answer = {"39": "00", "60": "00000001003", "62": "AB" * size}
    message = TERMINAL.decode(TERMINAL.encode("0810", answer))
    assert message.part(62, "keys") == f"{size} bytes"
    assert set(message.fields["62"]) == {"*"}
    with pytest.raises(MessageFault, match="field 62"):
        TERMINAL.encode("0810", {**answer, "62": "AB" * (size + 1)})


@pytest.mark.parametrize(
    ("field", "parts", "text"),
    [
        ("60", {"kind": "22", "batch": "000001", "function": "000"}, "22000001000"),
        ("61", {"batch": "000001", "trace": "000123", "date": "0301"}, "0000010001230301"),
        ("44", {"receiving": "01020000   ", "acquiring": "03040000   "}, "01020000   03040000   "),
        ("63", {"who": "CUP", "note_1": "交易成功"}, "CUP交易成功            "),
        ("62", {"serial_no": "A1"}, b"Sequence No02A1".hex().upper()),
        ("55", {"9A": "260301", "9F1E": "31"}, "9A032603019F1E0131"),
    ],
)
def test_a_field_may_be_given_as_its_parts(field, parts, text):
    of = {"60": "00000001001"} if field == "62" else {}
    body = TERMINAL.encode("0800", {**of, field: parts})
    message = TERMINAL.decode(body, clear_test_card=True)
    assert message.fields[field] == text
    assert message.parts[field] == parts


def test_totals_have_their_parts_in_a_settlement():
    totals = "000000329900" + "001" + "000000100000" + "001" + "1" + "0" * 31
    message = TERMINAL.decode(TERMINAL.encode("0510", {"48": totals}))
    assert message.part(48, "domestic_debit_fen") == "000000329900"
    assert message.part(48, "domestic_balanced") == "1"
    assert message.fields["48"] == totals
    with pytest.raises(MessageFault, match="field 48"):
        TERMINAL.encode("0500", {"48": totals[:-1]})


def test_private_order_data_has_its_parts_on_a_mis_line():
    mis = codec("mis_line")
    parts = {"kind": "MI", "again": "0", "request_no": "MFRGGZDFMZTWQ2LKNNWG23TPOA01", "rest": ""}
    body = mis.encode("0200", {"48": parts})
    assert mis.decode(body).parts["48"] == parts
    with pytest.raises(MessageFault, match="repeat flag"):
        mis.encode("0200", {"48": "MI205abcde"})


CANARIES = (CARD, TRACK, TRACK.partition("D")[2], PIN_BLOCK, "3012", "5A0A6299998473651209384F", CARD[6:15])


@pytest.mark.parametrize(
    ("mti", "fields"), [("0200", SALE), ("0210", APPROVAL), ("0320", {"48": f"01{CARD}"})]
)
def test_card_data_is_masked_where_it_is_read(mti, fields):
    hostile = dict(fields)
    if "55" in fields:
        hostile["55"] = f"5A0A{CARD}0" + "5F24033012315F200A" + b"ZHANG SAN ".hex().upper() + "9A03260301"
        hostile["63"] = f"CUP{CARD} 13800138000"
        hostile["62"] = hostile["57"] = hostile["59"] = CARD + "0"
    message = TERMINAL.decode(TERMINAL.encode(mti, hostile))
    shown = f"{message!r} {message.fields} {message.parts}"
    assert [one for one in CANARIES if one in shown] == []
    assert b"ZHANG SAN".hex().upper() not in shown
    if "2" in fields:
        assert message.fields["2"] == "629999*********9384"
    if "55" in fields:
        assert message.parts["55"]["9A"] == "260301"


@pytest.mark.parametrize("before", range(20))
def test_a_card_that_its_parts_cut_in_two_is_not_shown_in_halves(before):
    message = TERMINAL.decode(TERMINAL.encode("0210", {**APPROVAL, "63": f"CUP{' ' * before}{CARD}"}))
    shown = f"{message.fields} {message.parts}"
    assert [half for half in (CARD[:10], CARD[10:], CARD[5:12]) if half in shown] == []


def test_clear_data_is_there_for_a_test_card_only_when_asked():
    message = TERMINAL.decode(WRITTEN, clear_test_card=True)
    assert message.fields == SALE
    assert CARD not in repr(message)


@pytest.mark.parametrize("at", range(len(WRITTEN)))
def test_no_refusal_shows_card_data(at):
    for byte in (0x00, 0x99, 0xAB, 0xFF):
        shown = ""
        try:
            TERMINAL.decode(WRITTEN[:at] + bytes((byte,)) + WRITTEN[at + 1 :])
        except MessageFault as refused:
            shown = f"{refused} {refused!r} {vars(refused)}"
        assert [one for one in CANARIES if one in shown] == []
