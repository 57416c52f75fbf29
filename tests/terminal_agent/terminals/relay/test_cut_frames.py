"""Frames come out as they went in, however the line cut them; everything else is told, never guessed."""

import random

import pytest

from terminal_agent.emulators import line_frames
from terminal_agent.emulators.line_terminal import LineTerminal
from terminal_agent.terminals.relay.cut_frames import LARGEST, Cutter, Unreadable

TERMINAL = LineTerminal(("127.0.0.1", 1))
FRAMES = [line_frames.write(*TERMINAL.request("sale", f"{no:06d}", no * 100)) for no in (1, 2, 3)]
STREAM = b"".join(FRAMES)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(FRAMES[0]), len(FRAMES[0]) + 1, len(STREAM)])
def test_frames_are_the_same_however_they_are_cut(size):
    cutter = Cutter()
    found = []
    for at in range(0, len(STREAM), size):
        found += cutter.feed(STREAM[at : at + size])
    assert found == [frame[2:] for frame in FRAMES]
    assert cutter.lost is None
    assert not cutter.is_inside


def test_half_a_frame_is_known_to_be_half():
    for cut in range(1, len(FRAMES[0])):
        cutter = Cutter()
        assert cutter.feed(FRAMES[0][:cut]) == []
        assert cutter.is_inside
        assert cutter.lost is None


@pytest.mark.parametrize(
    "record", [b"\x16\x03\x01\x02\x00\x01", b"\x15\x03\x03", b"\x17\x03\x04", b"\x16\x03"]
)
def test_a_line_that_the_terminal_encrypts_is_called_so(record):
    cutter = Cutter()
    assert cutter.feed(record) == []
    assert cutter.lost is Unreadable.ENCRYPTED


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n", b"\x00\x00", b"\x00\x0e", (LARGEST + 1).to_bytes(2), b"\x01\x00\x61"]
)
def test_what_is_no_frame_is_called_so_and_nothing_after_it_is_believed(garbage):
    cutter = Cutter()
    assert cutter.feed(FRAMES[0] + garbage) == [FRAMES[0][2:]]
    assert cutter.lost is Unreadable.NO_FRAMES
    assert cutter.feed(FRAMES[1]) == []
    assert not cutter.is_inside


def test_after_a_gap_nothing_is_believed():
    cutter = Cutter()
    cutter.feed(FRAMES[0][:30])
    cutter.lose()
    assert cutter.feed(FRAMES[0][40:] + FRAMES[1]) == []


def test_any_bytes_at_all_give_frames_or_a_reason_and_hold_little():
    chance = random.Random(20261128)
    for _ in range(20_000):
        stream = bytearray(STREAM)
        for _ in range(chance.randrange(4)):
            stream[chance.randrange(len(stream))] = chance.randrange(256)
        del stream[chance.randrange(len(stream)) :]
        cutter = Cutter()
        found = []
        for part in (stream[:100], stream[100:], chance.randbytes(chance.randrange(8))):
            found += cutter.feed(bytes(part))
        assert all(15 <= len(one) <= LARGEST and one[0] == 0x60 for one in found)
        assert len(cutter._held) <= LARGEST + 2
        assert cutter.lost is None or not cutter.is_inside
