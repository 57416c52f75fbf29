import pytest
from cpu_time import cpu_time
from hypothesis import given
from hypothesis import strategies as st

from terminal_agent.terminals.framing import (
    LARGEST_DATA,
    Decoder,
    Frame,
    FramingFault,
    Heard,
    check_of,
    frame,
    pack,
    unpack,
)

# Typed by hand from the protocol, never made by our own code.
SALE_REQUEST = bytes.fromhex(
    "02 00 71"  # STX, 71 bytes of data
    "9F 01 00 01 02"  # sale
    "9F 02 00 0C 30 30 30 30 30 30 33 33 39 39 31 35"  # 3399.15 yuan
    "9F 06 00 02 30 37"  # operator 07
    "9F 1A 00 08 32 4C 54 44 37 45 30 31"  # nonce 2LTD7E01
    "9F FF 00 1C 41 47 4C 4D 4B 5A 34 4E 50 46 5A 51 33 42 35 4B 58 36 5A 51 32 4C 54 44 37 45 30 31"
    "03 0C"  # ETX, LRC
)
ANSWER = bytes.fromhex(
    "02 00 37"
    "9F 01 00 01 02"
    "9F 14 00 02 30 30"  # approved
    "9F 19 00 08 BD BB D2 D7 B3 C9 B9 A6"  # 交易成功 in GBK
    "9F 0E 00 06 30 30 30 30 31 37"  # trace 000017
    "9F 23 00 00"  # an empty field
    "03 E5"
)
LAST_TRANSACTION = bytes.fromhex("02 00 05 9F 01 00 01 0F 03 96")


def frames(events):
    return [event.data for event in events if isinstance(event, Frame)]


def other(events):
    return [event for event in events if isinstance(event, Heard)]


def test_the_check_of_the_protocols_example_is_31():
    assert check_of(b"0200|123|\x03") == 0x31


def test_a_sale_request_has_the_bytes_of_the_protocol():
    fields = (
        (0x01, b"\x02"),
        (0x02, b"000000339915"),
        (0x06, b"07"),
        (0x1A, b"2LTD7E01"),
        (0xFF, b"AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"),
    )
    assert frame(pack(fields)) == SALE_REQUEST


def test_a_last_transaction_request_has_the_bytes_of_the_protocol():
    assert frame(pack([(0x01, b"\x0f")])) == LAST_TRANSACTION


def test_an_answer_is_read_field_by_field():
    (data,) = frames(Decoder().feed(ANSWER))
    assert unpack(data) == {
        0x01: b"\x02",
        0x14: b"00",
        0x19: "交易成功".encode("gbk"),
        0x0E: b"000017",
        0x23: b"",
    }


def test_lengths_in_bcd_are_read_where_binary_does_not_fit():
    data = bytes.fromhex("9F 01 00 01 02 9F 14 00 02 30 30 9F 02 00 12 30 30 30 30 30 30 33 33 39 39 31 35")
    assert unpack(data) == {0x01: b"\x02", 0x14: b"00", 0x02: b"000000339915"}


def test_binary_is_read_first_where_both_would_fit():
    data = bytes.fromhex("9F 13 00 10") + b"x" * 16
    assert unpack(data) == {0x13: b"x" * 16}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a tag outside 9Fxx", "9E 01 00 01 02"),
        ("a value cut off", "9F 01 00 05 02"),
        ("a header cut off", "9F 01 00"),
        ("the same tag twice", "9F 02 00 01 31 9F 02 00 01 32"),
        ("bytes left over", "9F 01 00 01 02 00"),
    ],
)
def test_data_that_is_no_row_of_fields_is_one_fault_without_its_content(name, data):
    with pytest.raises(FramingFault) as fault:
        unpack(bytes.fromhex(data))
    assert not any(c.isdigit() for c in str(fault.value)), name


def test_a_field_or_frame_too_long_is_refused_before_it_is_sent():
    assert len(frame(b"x" * LARGEST_DATA)) == 4096
    with pytest.raises(FramingFault):
        frame(b"x" * (LARGEST_DATA + 1))
    with pytest.raises(FramingFault):
        pack([(0x19, b"x" * 5000)])


def test_a_wrong_check_is_broken_and_the_next_frame_is_read():
    wrong = ANSWER[:-1] + bytes((ANSWER[-1] ^ 1,))
    events = Decoder().feed(wrong + ANSWER)
    assert other(events) == [Heard.BROKEN]
    assert len(frames(events)) == 1


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\x00garbage", b"\x02", b"\x02\x02\x02", b"\x02\x00\x09\x55", b"\x02\x99\x99", b"\x02\x0a\x00"],
)
def test_garbage_before_a_frame_is_dropped_also_when_it_looks_like_a_start(garbage):
    decoder = Decoder()
    events = decoder.feed(garbage + ANSWER) + decoder.gap()
    assert frames(events) == frames(Decoder().feed(ANSWER))
    assert other(events) == []


def test_a_stray_start_that_claims_a_long_frame_loses_nothing_after_the_gap():
    decoder = Decoder()
    assert decoder.feed(b"\x02\x40\x00" + ANSWER) == []
    assert decoder.waits_for_more
    assert len(frames(decoder.gap())) == 1
    assert not decoder.waits_for_more


def test_a_frame_cut_off_is_broken_at_the_gap_and_never_before():
    decoder = Decoder()
    assert decoder.feed(ANSWER[:-1]) == []
    assert decoder.gap() == [Heard.BROKEN]
    assert decoder.gap() == []
    assert frames(decoder.feed(ANSWER)) != []


def test_ack_and_nak_are_heard_between_frames_only():
    assert Decoder().feed(b"\x06") == [Heard.ACK]
    assert Decoder().feed(b"\x15") == [Heard.NAK]
    inside = frame(pack([(0x19, b"\x06\x15\x06")]))
    assert other(Decoder().feed(b"\x06" + inside)) == [Heard.ACK]
    # Nor in what was a frame before the line damaged it.
    assert Heard.ACK not in Decoder().feed(inside[:-2] + b"\xff\xff")


def test_a_frame_shows_its_size_and_not_its_content():
    (event,) = Decoder().feed(ANSWER)
    assert repr(event) == "Frame(37 bytes)"


@given(st.binary(max_size=300), st.integers(1, 7))
def test_no_bytes_raise_anything_but_our_fault(noise, size):
    decoder = Decoder()
    events = []
    for at in range(0, len(noise), size):
        events += decoder.feed(noise[at : at + size])
    events += decoder.gap()
    assert not decoder.waits_for_more
    for data in [*frames(events), noise]:
        try:
            unpack(data)
        except FramingFault:
            continue


@given(st.integers(0, len(ANSWER) - 1), st.integers(1, 255))
def test_one_changed_byte_is_never_taken_for_the_answer(at, change):
    changed = bytearray(ANSWER)
    changed[at] ^= change
    decoder = Decoder()
    assert frames(decoder.feed(bytes(changed)) + decoder.gap()) == []


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=8), st.data())
def test_frames_are_read_whole_however_the_line_cuts_them(contents, data):
    line = b"\x06".join(frame(pack([(0x19, content)])) for content in contents)
    decoder = Decoder()
    events = []
    at = 0
    while at < len(line):
        size = data.draw(st.integers(1, len(line) - at))
        events += decoder.feed(line[at : at + size])
        at += size
    assert [unpack(one)[0x19] for one in frames(events)] == contents
    assert not decoder.waits_for_more


@given(st.dictionaries(st.integers(0, 255), st.binary(max_size=300), max_size=8))
def test_what_is_packed_is_unpacked(fields):
    assert unpack(pack(fields.items())) == fields


@pytest.mark.parametrize(
    "piece",
    [
        b"\x02",  # a start at every byte
        b"\x02\x40\x90",  # a start that claims the longest frame
        b"\x02\x00\x01\x03\x03",
        b"\x02\x00\x00\x03",
        b"\x02\x10\x00" + b"\x03" * 50,
    ],
)
def test_the_work_grows_with_what_arrives_and_no_faster(piece):
    def seconds(size):
        bytes_in = piece * (size // len(piece))
        with cpu_time() as cost:
            decoder = Decoder()
            for at in range(0, len(bytes_in), 64):
                decoder.feed(bytes_in[at : at + 64])
            decoder.gap()
        return cost.s

    seconds(20_000)
    small = min(seconds(20_000) for _ in range(3))
    assert seconds(200_000) < 30 * small + 0.05
