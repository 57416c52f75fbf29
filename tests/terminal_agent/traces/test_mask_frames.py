"""What stands in a trace can be read like the real frame, and shows no card, track, PIN or key."""

import random

import pytest
from scanner import Scanner, Secret

from terminal_agent.emulators import line_frames, wire
from terminal_agent.emulators.answers import (
    MADE_UP_CARD,
    MADE_UP_IDENTITY,
    MADE_UP_PHONE,
    MADE_UP_TRACK,
    leak,
)
from terminal_agent.emulators.line_terminal import LineTerminal
from terminal_agent.iso8583.dialect import place_of, read_dialect
from terminal_agent.terminals.framing import unpack
from terminal_agent.terminals.read_answer import read_answer
from terminal_agent.terminals.relay.understand import Reader
from terminal_agent.traces.mask_frames import iso8583_mask, mask_stx_lrc

DIALECT = read_dialect(place_of("unionpay_terminal").read_text(), "unionpay_terminal.yaml")
MASK = iso8583_mask(DIALECT)
READER = Reader(DIALECT, {})
PIN_BLOCK = "9F8E7D6C5B4A3F2E"
SCANNER = Scanner(
    Secret(name, text)
    for name, text in (
        ("card", MADE_UP_CARD),
        ("track", MADE_UP_TRACK[:37]),
        ("pin block", PIN_BLOCK),
        ("phone", MADE_UP_PHONE),
        ("identity", MADE_UP_IDENTITY),
    )
)


def frame(more=None):
    mti, fields = LineTerminal(("127.0.0.1", 1)).request("sale", "000001", 85_000)
    return line_frames.write(mti, fields | (more or {}))[2:]


def test_a_masked_frame_is_understood_as_the_real_one_but_for_the_card():
    real, masked = READER.understand(frame()), READER.understand(MASK(frame()))
    assert masked.evidence.masked_pan == "000000*********0000"
    assert (masked.kind, masked.fen, masked.trace, masked.batch) == (real.kind, 85_000, "000001", "000001")
    assert len(MASK(frame())) == len(frame())


def test_a_masked_frame_shows_nothing_of_the_card():
    assert SCANNER.scan(frame(), "the real one")
    masked = MASK(frame())
    assert SCANNER.scan(masked, "masked") == []
    assert SCANNER.scan(masked.hex().encode(), "masked") == []


def test_chip_data_keeps_only_what_may_be_shown():
    card = MADE_UP_CARD + "F"
    chip = f"5A0A{card}" + "9F2608AABBCCDDEEFF0011" + "9F360200AB"
    masked = MASK(frame({55: chip}))
    assert SCANNER.scan(masked, "masked") == []
    assert READER.understand(masked).kind == "SALE"


@pytest.mark.parametrize(("field", "text"), [(14, "3012"), (44, "01020000   01030000   ")])
def test_a_field_whose_zeros_would_be_no_field_hides_only_itself(field, text):
    """An expiry of zeros has no month: of every sale that carried one, only the size was kept."""
    real = frame({field: text})
    assert READER.understand(real) is not None
    assert READER.understand(MASK(real)).fen == 85_000
    assert text.encode().hex() not in MASK(real).hex()
    assert field != 14 or "3012" not in MASK(real).hex()


def test_what_cannot_be_read_is_not_kept():
    assert MASK(frame()[:-1]) is None
    assert MASK(b"\x60" * 40) is None
    assert MASK(b"") is None
    assert mask_stx_lrc(b"\x9f\x01\x00") is None


def test_any_bytes_are_masked_or_left_out():
    chance = random.Random(8583)
    real = frame({55: f"5A0A{MADE_UP_CARD}F9F360200AB"})
    kept = 0
    for _ in range(3000):
        content = bytearray(real)
        for _ in range(1 + chance.randrange(3)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        masked = MASK(bytes(content))
        if masked is not None:
            kept += 1
            assert MADE_UP_CARD not in masked.hex()
            assert PIN_BLOCK.lower() not in masked.hex()
            assert MADE_UP_TRACK[:37].replace("=", "d") not in masked.hex()
    assert kept > 100


@pytest.mark.parametrize("form", ["text", "bcd", "hex"])
def test_a_serial_frame_with_clear_data_in_any_field_shows_none_of_it(form):
    fields = leak({wire.TYPE: bytes((wire.SALE,)), wire.TRACE: b"000042", wire.CODE: b"00"}, form)
    data = wire.join(fields)
    assert SCANNER.scan(data, "the real one")
    masked = mask_stx_lrc(data)
    assert SCANNER.scan(masked, "masked") == []
    assert len(masked) == len(data)
    assert unpack(masked).keys() == unpack(data).keys()
    said = read_answer(masked)
    assert (said.kind, said.evidence.trace, said.evidence.code) == (wire.SALE, "000042", "00")
