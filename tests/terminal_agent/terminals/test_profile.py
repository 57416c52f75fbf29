import re

import pytest
from emulator import PROFILE_FILE, short_profile_text

from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Clocks
from terminal_agent.terminals.profile import CodeClass, Line, Manners, read_profile

SHIPPED = PROFILE_FILE.read_text(encoding="utf-8")


def changed(old: str, new: str) -> str:
    assert old in SHIPPED
    return SHIPPED.replace(old, new, 1)


def test_the_shipped_profile_has_the_waits_of_a_serial_card_terminal():
    profile = read_profile(SHIPPED, PROFILE_FILE.name)
    assert profile.clocks == Clocks(90, 180, 60, 5, 30, 0, 60)
    assert profile.manners == Manners(ack_wait_s=2, sends=3, naks=3, gap_s=0.2, status_wait_s=5)
    assert profile.line == Line(9600, "none", 1)


@pytest.mark.parametrize(
    ("codes", "means"),
    [
        (["00", "A2", "A4", "A5", "A6", "11", "16"], CodeClass.APPROVED),
        (["10"], CodeClass.PARTIAL),
        (["68", "96", "98", "91", ""], CodeClass.UNCLEAR),
        (["B1"], CodeClass.BUSY),
        (["51", "55", "A0", "A1", "25", "zz", "0"], CodeClass.DECLINED),
    ],
)
def test_a_code_says_what_the_profile_says_and_any_other_is_a_no(codes, means):
    profile = read_profile(SHIPPED, PROFILE_FILE.name)
    assert {profile.class_of(code) for code in codes} == {means}


@pytest.mark.parametrize(
    ("codes", "refused"),
    [
        (["51", "61", "25", "12", "64", "zz"], True),
        (["09", "20", "94", "A0", "A1"], False),  # a no to a sale, no sure one to a refund
        (["00", "10", "68", "98", "B1", ""], False),
    ],
)
def test_only_a_sure_no_says_that_no_money_went_back(codes, refused):
    profile = read_profile(SHIPPED, PROFILE_FILE.name)
    assert {profile.refuses_back(code) for code in codes} == {refused}


def test_every_value_of_the_shipped_profile_is_explained():
    # Lists of codes may share one comment of their class.
    bare = [line for line in SHIPPED.splitlines() if re.match(r"  [a-z_]+: ", line) and "#" not in line]
    assert bare == []


def test_milliseconds_become_fractions_of_a_second():
    assert read_profile(short_profile_text(answer_wait_ms=1), "x.yaml").clocks.answer_wait_s == 0.001


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('- "10"', "- 10", "not quoted"),
        ('- "10"', '- "1O0"', "not a response code"),
        ('- "10"', '- "00"', "stands under approved too"),
        ('- "94"', '- "9"', "not a response code"),
        ('- "94"', "- 94", "not quoted"),
        ("  unsure_back:", "  unsure:", "unsure"),
        ("family: stx_lrc", "family: zvt", "not known here"),
        ("parity: none ", "parity: mark ", "not known here"),
        ("baud: 9600 ", 'baud: "9600" ', "quotes"),
        ("sends: 3 ", "sends: 0 ", "below 1"),
        ("ack_wait_ms: 2000", "ack_wait_ms: 2.5", "whole number"),
        ("ack_wait_ms", "ack_wait_s", "ack_wait_s"),
        ("answer_wait_ms: 90000 ", "answer_wait_ms: 0 ", "below 1"),
        ("answer_cap_ms: 180000", "answer_cap_ms: 80000", "shorter than answer_wait_ms"),
        ("  resolver_ms: 60000", "  spare_ms: 60000", "spare_ms"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_a_remedy(old, new, says):
    with pytest.raises(FileError, match=r"stx_lrc\.yaml, line [0-9]+") as refused:
        read_profile(changed(old, new), "stx_lrc.yaml")
    assert says in str(refused.value)
