"""Which day is it for the programme?"""

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.calendar import business_day, from_ms, shanghai


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-02-28T15:59:59.999999+00:00", "2026-02-28"),
        ("2026-02-28T16:00:00+00:00", "2026-03-01"),
        ("2026-03-01T00:00:00+08:00", "2026-03-01"),
        ("2025-12-31T11:00:00-05:00", "2026-01-01"),
    ],
)
def test_the_day_is_that_of_shanghai(at, day):
    assert business_day(datetime.datetime.fromisoformat(at)).isoformat() == day


@given(
    st.datetimes(
        datetime.datetime(2000, 1, 1), datetime.datetime(2100, 1, 1), timezones=st.just(datetime.UTC)
    )
)
def test_the_fixed_offset_says_what_the_time_zone_database_says(at):
    there = at.astimezone(zoneinfo.ZoneInfo("Asia/Shanghai"))
    assert shanghai(at).replace(tzinfo=None) == there.replace(tzinfo=None)


@given(st.integers(0, 4_000_000_000_000))
def test_milliseconds_are_kept(at_ms):
    at = from_ms(at_ms)
    assert at.utcoffset() == datetime.timedelta(hours=8)
    assert (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(
        milliseconds=1
    ) == at_ms


def test_an_instant_without_an_offset_is_a_bug():
    with pytest.raises(AssertionError):
        shanghai(datetime.datetime(2026, 3, 1))
