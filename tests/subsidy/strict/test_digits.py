"""Is this text really digits?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.strict.digits import is_digits, read_count


@pytest.mark.parametrize(("text", "yes"), [
    ("0", True), ("012", True), ("999", True), ("", False), ("1234", False), ("１", False), ("٣", False),
    ("²", False), ("1 ", False), ("1\n", False), ("-1", False), ("1_0", False), ("1.0", False),
])  # fmt: skip
def test_digits_are_ascii_digits_of_the_length_asked(text, yes):
    assert is_digits(text, 1, 3) is yes


@given(st.integers(0, 10**6))
def test_a_count_reads_back(number):
    assert read_count(str(number), 10**6) == number


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a whole number"),
        ("1_000", "is not a whole number"),
        (" 1", "is not a whole number"),
        ("+1", "is not a whole number"),
        ("-0", "is not a whole number"),
        ("１", "is not a whole number"),
        ("1" * 19, "is not a whole number"),
        ("007", "'007' has leading zeros"),
        ("00", "'00' has leading zeros"),
        ("101", "101 is above 100"),
    ],
)
def test_what_is_no_count_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        read_count(text, 100)


@given(st.text(max_size=8))
def test_only_the_one_spelling_of_a_number_is_taken(text):
    try:
        number = read_count(text, 10**9)
    except ValueError:
        return
    assert str(number) == text
