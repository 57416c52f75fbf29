"""Are separated fields and the ECR17 rules on the line as the protocols have them?"""

import re

import pytest
from emulator import PROFILE_FILES, short_profile, short_profile_text
from hypothesis import given
from hypothesis import strategies as st

from subsidy.strict.yaml_text import FileError
from terminal_agent.terminals.framing import (
    ACK,
    NAK,
    CheckFrom,
    Decoder,
    Frame,
    FramingFault,
    Heard,
    Rules,
    frame,
)
from terminal_agent.terminals.profile import read_profile
from terminal_agent.terminals.read_answer import read_answer

PLAIN = short_profile("separated").dialect
CHECKED = short_profile("separated_7f").dialect

# Typed by hand from the protocol, never made by our own code.
EXAMPLE = bytes.fromhex("02 30 32 30 30 7C 31 32 33 7C 03 31")  # 0200|123|, LRC 31
LAST = bytes.fromhex("02 30 32 35 30 7C 03 78")  # 0250|
LAST_7F = bytes.fromhex("02 30 32 35 30 7C 03 07")
SALE = b"\x020200|000000339915|2LTD7E01|AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01|07|\x03"


def frames(events):
    return [event.data for event in events if isinstance(event, Frame)]


def test_the_example_of_the_protocol_has_its_bytes():
    assert frame(b"0200|123|", PLAIN.rules) == EXAMPLE
    assert frames(Decoder(PLAIN.rules).feed(EXAMPLE)) == [b"0200|123|"]


def test_a_last_transaction_request_has_the_bytes_of_either_rule():
    request = PLAIN.pack([(0x01, b"\x0f")])
    assert frame(request, PLAIN.rules) == LAST
    assert frame(request, CHECKED.rules) == LAST_7F


def test_a_sale_has_each_field_in_its_place():
    fields = ((0x01, b"\x02"), (0x02, b"000000339915"), (0x06, b"07"))
    fields += ((0x1A, b"2LTD7E01"), (0xFF, b"AGLMKZ4NPFZQ3B5KX6ZQ2LTD7E01"))
    assert frame(PLAIN.pack(fields), PLAIN.rules)[:-1] == SALE


@pytest.mark.parametrize(
    ("rules", "check"),
    [
        (Rules(has_length=False), 0x31),
        (Rules(has_length=False, check_from=CheckFrom.STX), 0x33),
        (Rules(has_length=False, check_etx=False), 0x32),
        (Rules(has_length=False, check_start=0x7F), 0x4E),
        (Rules(has_length=False, check_start=0x7F, check_from=CheckFrom.STX, check_etx=False), 0x4F),
    ],
)
def test_the_check_begins_and_ends_where_the_rules_say(rules, check):
    assert frame(b"0200|123|", rules)[-1] == check
    assert frames(Decoder(rules).feed(frame(b"0200|123|", rules))) == [b"0200|123|"]


def test_a_checked_ack_ends_with_etx_and_the_lrc_of_both():
    assert CHECKED.rules.signal(ACK) == bytes.fromhex("06 03 7A")
    assert CHECKED.rules.signal(NAK) == bytes.fromhex("15 03 69")
    assert PLAIN.rules.signal(ACK) == b"\x06"
    assert Decoder(CHECKED.rules).feed(bytes.fromhex("06 03 7A")) == [Heard.ACK]


def test_progress_is_a_text_between_soh_and_eot():
    line = b"\x01PLEASE WAIT         \x04" + frame(b"0210|00|", CHECKED.rules)
    decoder = Decoder(CHECKED.rules)
    events = [event for one in line for event in decoder.feed(bytes((one,)))]
    assert events[0] is Heard.PROGRESS
    assert frames(events) == [b"0210|00|"]
    assert Decoder(PLAIN.rules).feed(b"\x01PLEASE WAIT\x04") == []


@pytest.mark.parametrize("garbage", [b"\xff\x00", b"\x02", b"\x02\x02abc", b"\x01\x01", b"\x02xyz"])
@pytest.mark.parametrize("dialect", [PLAIN, CHECKED])
def test_garbage_before_a_frame_is_dropped(garbage, dialect):
    decoder = Decoder(dialect.rules)
    events = decoder.feed(garbage + frame(b"0210|00|", dialect.rules)) + decoder.gap()
    assert frames(events) == [b"0210|00|"]


def test_a_chinese_character_with_a_bar_in_it_is_no_separator():
    name = b"\x83\x7c"  # one character of GBK
    assert name.decode("gbk") != "|"
    data = b"0210|00|EMU000000000001|EMU00001|2LTD7E01||A00001|000000000100||000017|||||" + name + b"|||"
    fields = PLAIN.unpack(data)
    assert fields[0x19] == name
    assert read_answer(data, PLAIN.unpack).evidence.trace == "000017"


def test_what_a_cashier_is_called_cannot_become_another_field():
    packed = PLAIN.pack([(0x01, b"\x02"), (0x06, "a|b\x03|国".encode("gbk"))])
    assert packed == b"0200||||a?b??" + "国".encode("gbk") + b"|"


@pytest.mark.parametrize("data", [b"", b"0999|1|", b"\xff\xff|", b"no bars"])
def test_an_answer_that_is_none_is_one_fault_without_its_content(data):
    with pytest.raises(FramingFault) as fault:
        PLAIN.unpack(data)
    assert not any(c.isdigit() for c in str(fault.value))


def test_a_place_that_the_profile_does_not_name_is_dropped_unread():
    data = b"0210" + b"|" * 16 + b"6299998473651209384=3012|6299998473651209384|"
    assert b"6299998473651209384" not in b"".join(PLAIN.unpack(data).values())


@given(st.binary(max_size=400), st.integers(1, 7), st.sampled_from([PLAIN, CHECKED]))
def test_no_bytes_raise_anything_but_our_fault(noise, size, dialect):
    decoder = Decoder(dialect.rules)
    events = [event for at in range(0, len(noise), size) for event in decoder.feed(noise[at : at + size])]
    events += decoder.gap()
    assert not decoder.waits_for_more
    for data in [*frames(events), noise]:
        try:
            read_answer(data, dialect.unpack)
        except FramingFault:
            continue


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("length: none", "length: bin2", "not known here"),
        ('check_start: "0x00"', 'check_start: "0x55"', "not known here"),
        ('separator: "|"', 'separator: "||"', "no separator"),
        ("sends: [amount, nonce, order, operator]", "sends: [amount, order]", "nonce is missing"),
        ("sends: [amount, nonce, order, operator]", "sends: [amount, nonce, pin]", "not known here"),
        ("sends: [amount, nonce, order, operator]", "sends: [amount, nonce, nonce]", "stands twice"),
        ('answer: "1210"', 'answer: "0210"', "same answer"),
        ("acknowledge: plain", "acknowledge: maybe", "not known here"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_a_remedy(old, new, says):
    text = PROFILE_FILES["separated"].read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(FileError, match=r"x\.yaml, line [0-9]+") as refused:
        read_profile(text.replace(old, new, 1), "x.yaml")
    assert says in str(refused.value)


def test_tagged_fields_need_a_length():
    text = short_profile_text("separated")
    text = re.sub(r"^messages:.*?(?=^# How one frame)", "", text, flags=re.MULTILINE | re.DOTALL)
    with pytest.raises(FileError, match="without a length"):
        read_profile(text, "x.yaml")
