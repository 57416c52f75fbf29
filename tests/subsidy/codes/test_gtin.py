"""Is this a product's bar code number?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.codes import BadCode
from subsidy.codes.gtin import read


def with_check(body: str) -> str:
    """Return `body` with its mod-10 check digit, worked out here from the GS1 rule."""
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("6901234567892", "6901234567892"),
        ("6923450657713", "6923450657713"),
        ("036000291452", "0036000291452"),
        ("0036000291452", "0036000291452"),
        ("00036000291452", "0036000291452"),
        ("96385074", "96385074"),
        ("4006381333931", "4006381333931"),  # made elsewhere: whether it is covered is the library's word
    ],
)
def test_a_bar_code_has_one_spelling(text, number):
    assert read(text) == number


@given(st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_every_ean_13_with_its_check_digit_is_read_as_it_is(body):
    assert read(with_check(body)) == with_check(body)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.integers(0, 12), st.integers(1, 9))
def test_one_changed_digit_is_always_noticed(body, at, step):
    number = with_check(body)
    changed = number[:at] + str((int(number[at]) + step) % 10) + number[at + 1 :]
    with pytest.raises(BadCode, match="check digit is wrong; scan it again"):
        read(changed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "8, 12, 13 or 14 digits"),
        ("690123456789", "check digit is wrong"),
        ("06901234567893", "check digit is wrong"),
        ("16901234567899", "the bar code of a case"),
        ("６901234567892", "8, 12, 13 or 14 digits"),
        ("6901234567892\n", "8, 12, 13 or 14 digits"),
        (" 6901234567892", "8, 12, 13 or 14 digits"),
        ("690-1234567892", "8, 12, 13 or 14 digits"),
        ("690123456", "8, 12, 13 or 14 digits"),
        ("690123456789212345", "8, 12, 13 or 14 digits"),
    ],
)
def test_what_is_no_bar_code_is_refused(text, says):
    with pytest.raises(BadCode, match=says):
        read(text)
