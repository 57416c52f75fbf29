"""Which day is it for the programme?

Days are those of Asia/Shanghai. China has kept UTC+8 without summer time since 1992, so a fixed
offset says the same on every machine, with or without a time zone database.
"""

import datetime
from functools import lru_cache

SHANGHAI = datetime.timezone(datetime.timedelta(hours=8), "Asia/Shanghai")


def shanghai(at: datetime.datetime) -> datetime.datetime:
    """Return the aware instant `at` as Shanghai's clocks show it."""
    assert at.tzinfo is not None
    return at.astimezone(SHANGHAI)


def business_day(at: datetime.datetime) -> datetime.date:
    """Return the programme day on which the aware instant `at` falls."""
    return shanghai(at).date()


# A batch asks of one instant many times.
@lru_cache(maxsize=256)
def from_ms(at_ms: int) -> datetime.datetime:
    """Return Unix milliseconds as an aware instant in Shanghai."""
    whole, rest = divmod(at_ms, 1000)
    return datetime.datetime.fromtimestamp(whole, SHANGHAI).replace(microsecond=rest * 1000)


@lru_cache(maxsize=256)
def day_of_ms(at_ms: int) -> datetime.date:
    """Return the programme day on which an instant in Unix milliseconds falls."""
    return from_ms(at_ms).date()


def end_ms(day: datetime.date) -> int:
    """Return the Unix milliseconds at which the programme day `day` has ended and the next begins.

    >>> end_ms(datetime.date(2026, 3, 1)) - end_ms(datetime.date(2026, 2, 28))
    86400000
    """
    # Not by way of the next day: the calendar's last one has none.
    begins = datetime.datetime.combine(day, datetime.time(), SHANGHAI)
    return (int(begins.timestamp()) + 86_400) * 1000
