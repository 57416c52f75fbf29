"""Does an administrative division lie in another?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.codes import BadCode
from subsidy.codes.region import covers, read

DIVISIONS = st.from_regex(r"[1-9][0-9]{5}", fullmatch=True)


@pytest.mark.parametrize(
    ("area", "region", "yes"),
    [
        ("321200", "321202", True),
        ("321200", "321283", True),
        ("321200", "321200", True),
        ("320000", "321202", True),
        ("321202", "321202", True),
        ("321202", "321203", False),
        ("321202", "321200", False),  # the city is not in its district
        ("321200", "320000", False),
        ("321200", "321302", False),
        ("321200", "331202", False),  # the same city and county segments in another province
        ("321200", "3212", False),
        ("321200", "32120", False),
        ("321200", "3212021", False),
        ("321200", "32120２", False),
        ("321200", "321202\n", False),
        ("321200", "", False),
    ],
)
def test_segments_are_compared_one_by_one(area, region, yes):
    assert covers(area, region) is yes


@given(DIVISIONS)
def test_a_division_lies_in_itself_its_city_and_its_province(region):
    assert covers(region, region)
    assert covers(region[:4] + "00", region)
    assert covers(region[:2] + "0000", region)


@given(DIVISIONS, DIVISIONS)
def test_what_is_covered_shares_the_segments_that_are_not_00(area, region):
    if covers(area, region):
        said = area[:2] if area[2:4] == "00" else area[:4] if area[4:] == "00" else area
        assert region[: len(said)] == said


@pytest.mark.parametrize("text", ["321202", "321284", "830000"])
def test_six_digits_are_a_division_code_also_when_it_was_withdrawn(text):
    assert read(text) == text


@pytest.mark.parametrize(
    "text", ["", "3212", "3212022", "032120", "32120a", "32120２", "321202\n", " 321202"]
)
def test_anything_else_is_not(text):
    with pytest.raises(BadCode, match="6 digits, as in 321202"):
        read(text)
