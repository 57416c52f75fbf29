"""The table of payment codes is a file: the shipped one is what holds without it; a wrong one is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.strict.yaml_text import FileError
from terminal_agent.channels.code_rules import read_rules
from terminal_agent.channels.codes import Wallet, route

FILE = Path(__file__).resolve().parents[3] / "config/channels/payment_codes.yaml"
SHIPPED = FILE.read_text(encoding="utf-8")
RULES = read_rules(SHIPPED, FILE.name)


def whose(code, rules=RULES):
    found = route(code, rules)
    return None if found is None else found.wallet


@given(st.from_regex(r"(1[0-9]|2[4-9]|3[01]|6[123])[0-9]{12,24}", fullmatch=True))
def test_the_shipped_file_says_what_holds_without_it(code):
    built_in = route(code)
    assert whose(code) is (None if built_in is None else built_in.wallet)


def test_new_first_digits_are_a_line_in_the_file():
    code = "160000000000000017"
    assert whose(code) is None
    assert whose(code, read_rules(SHIPPED.replace('"15"]', '"15", "16"]'), FILE.name)) is Wallet.WECHAT


@pytest.mark.parametrize("code", ["62" + "1" * 16, "62" + "1" * 18, "６2" + "1" * 17, "62" + "1" * 16 + "x"])
def test_a_code_of_another_length_or_with_other_signs_is_nobodys(code):
    assert whose(code) is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("wechat:", "paypal:", "is no wallet"),
        ('"10"', "10", "not quoted"),
        ('"10"', '"1x"', "no first digits"),
        ('["62"]', "[]", "no prefix"),
        ('["62"]', '["10"]', ""),
        ("least_digits: 16", "least_digits: 25", "below least_digits"),
        ("least_digits: 16", "least_digits: 2", "below"),
        ("least_digits: 16", "digits: 16", "unknown key|missing"),
        ('["62"]', '["2512"]', "could be a code of alipay too"),
        ('["62"]', '["2"]', "could be a code of alipay too"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(old, new, problem):
    assert old in SHIPPED
    text = SHIPPED.replace(old, new, 1)
    if new == '["10"]':
        # Another length tells them apart.
        assert whose("10" + "1" * 17, read_rules(text, FILE.name)) is Wallet.UNIONPAY
        return
    with pytest.raises(FileError, match=problem) as refused:
        read_rules(text, FILE.name)
    assert refused.value.line > 1
    assert refused.value.remedy
