"""Is this a resident identity number? All numbers here are made up."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.codes import BadCode
from subsidy.codes.resident_id import read

TODAY = datetime.date(2026, 3, 1)
# Taizhou's codes exist since 1996 or later (321204 since 2012, 321284 until then), and 81 to 83 are
# those of residents from Hong Kong, Macao and Taiwan: people with older birth dates have them all.
REGIONS = ["321202", "321203", "321204", "321281", "321282", "321283", "321284", "810000", "820000", "830000",
           "110101", "329001"]  # fmt: skip
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def identity(region: str, born: datetime.date, sequence: int) -> str:
    """Make a number up. The check character is worked out here, from GB 11643 and not from our code."""
    body = f"{region}{born:%Y%m%d}{sequence:03d}"
    rest = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11
    return body + "10X98765432"[rest]


@given(
    st.sampled_from(REGIONS),
    st.dates(datetime.date(1950, 1, 1), datetime.date(2020, 12, 31)),
    st.integers(0, 999),
)
def test_every_real_shape_is_accepted_whenever_its_county_came_to_be(region, born, sequence):
    number = identity(region, born, sequence)
    assert read(number, TODAY) == number
    assert read(f" {number.lower()} ", TODAY) == number


@given(
    st.sampled_from(REGIONS),
    st.dates(datetime.date(1950, 1, 1), datetime.date(2020, 12, 31)),
    st.integers(0, 999),
    st.integers(0, 17),
    st.sampled_from("0123456789X"),
)
def test_one_changed_character_is_always_noticed(region, born, sequence, at, other):
    number = identity(region, born, sequence)
    changed = number[:at] + other + number[at + 1 :]
    if changed != number:
        with pytest.raises(BadCode):
            read(changed, TODAY)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("321202199001010", "17 digits and a digit or X"),
        ("", "17 digits"),
        ("３２１２０２199001011234", "17 digits"),
        ("321202199001011234\n5", "17 digits"),
        ("021202199001011234", "17 digits"),
        ("32120219900101123Y", "17 digits"),
        ("32120219900101X234", "17 digits"),
        ("321202199002301234", "birth date does not exist"),
        ("321202199013011234", "birth date does not exist"),
        ("321202000001011234", "birth date does not exist"),
    ],
)
def test_what_is_no_number_is_refused(number, says):
    with pytest.raises(BadCode, match=says):
        read(number, TODAY)


def test_the_examples_of_the_standard_are_accepted():
    assert read("11010519491231002X", TODAY) == "11010519491231002X"
    assert read("440524188001010014", TODAY) == "440524188001010014"


def test_nobody_is_born_tomorrow_or_before_1870():
    assert read(identity("321202", TODAY, 1), TODAY)
    for born in (TODAY + datetime.timedelta(days=1), datetime.date(1869, 12, 31)):
        with pytest.raises(BadCode, match="birth date cannot be"):
            read(identity("321202", born, 1), TODAY)


def test_the_error_never_holds_the_number():
    number = identity("321202", datetime.date(1990, 1, 1), 123)
    wrong = number[:-1] + ("0" if number[-1] != "0" else "1")
    with pytest.raises(BadCode) as raised:
        read(wrong, TODAY)
    assert "1990" not in str(raised.value)
    assert "check character is wrong" in str(raised.value)
