import pytest
from iso8583_messages import shipped

from terminal_agent.iso8583.dialect import Frame
from terminal_agent.iso8583.faults import FrameFault
from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame

TERMINAL = shipped().frame


@pytest.mark.parametrize("kind", ["bin2", "bcd2", "ascii4"])
def test_frames_come_out_whole_however_they_arrive(kind):
    frame = Frame(kind, "6000030000", "603100311001")
    bodies = [b"a", b"b" * 512, b"c" * 9]
    line = b"".join(close_frame(frame, body) for body in bodies)
    for size in (1, 2, 3, 7, len(line)):
        reader = FrameReader(frame)
        found = [one for at in range(0, len(line), size) for one in reader.feed(line[at : at + size])]
        assert [open_frame(frame, one).body for one in found] == bodies
        assert not reader.waits_for_more


@pytest.mark.parametrize(
    ("kind", "length"),
    [("bin2", b"\0\0"), ("bcd2", b"\0\x1a"), ("bcd2", b"\0\0"), ("ascii4", b"00 1"), ("ascii4", b"\xff123")],
)
def test_a_length_that_cannot_be_is_a_fault(kind, length):
    with pytest.raises(FrameFault):
        FrameReader(Frame(kind, "", "")).feed(length)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\x61\0\3\0\0" + bytes(7), "TPDU"),
        (b"\x60\0\3\0", "TPDU"),
        (b"\x60\0\3\0\0\x60\x31\x00\x31\x10", "header"),
        (b"\x60\0\3\0\0\x60\x31\x00\x31\x10\xa1x", "header"),
        (b"\x60\0\3\0\0\x60\x31\x00\x31\x10\x01", "no message"),
    ],
)
def test_what_surrounds_a_message_must_be_right(content, why):
    with pytest.raises(FrameFault, match=why):
        open_frame(TERMINAL, content)


def test_the_host_asks_for_a_new_sign_in_in_the_header():
    asked = open_frame(TERMINAL, bytes.fromhex("6000000003 603100311001".replace("1001", "3001")) + b"x")
    assert not asked.wants_sign_in
    asked = open_frame(TERMINAL, bytes.fromhex("6000000003603103311001") + b"x")
    assert asked.wants_sign_in


@pytest.mark.parametrize(
    ("frame", "body", "given"),
    [
        (TERMINAL, bytes(65_536), {}),
        (Frame("bcd2", "", ""), bytes(10_000), {}),
        (Frame("bin2", "", ""), b"x", {"tpdu": "6000000003"}),
        (TERMINAL, b"x", {"tpdu": "60000"}),
        (TERMINAL, b"x", {"header": "60310031100A"}),
    ],
)
def test_a_frame_that_cannot_be_is_not_written(frame, body, given):
    with pytest.raises(FrameFault):
        close_frame(frame, body, **given)
