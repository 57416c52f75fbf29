"""Which sale is it that a void, refund or reversal at a watched terminal undoes? Pure.

Batch and trace name a sale only until the terminal counts anew: it is replaced under its number, or its
counters are full. So the newest sale with that number is meant, and whatever else the message says must be
true of it. The reference number alone says more than all the rest.
"""

import datetime
from collections.abc import Sequence

import msgspec

from subsidy.records.payment import Evidence

_LONGEST_IN_BATCH_MS = 2 * 86_400_000
"""So long after its sale a void or reversal is believed: both are of the open batch, closed daily."""
_MOST_DATES = 3
"""That reaches two dates further; one more is for 29 February, which our count always has."""
_LEAP_YEAR, _DAYS_A_YEAR = 2000, 366


class Undone(msgspec.Struct, frozen=True):
    """What a message that undoes a sale says of that sale; empty where it says nothing.

    `is_whole` is a void or a reversal: of the whole sale, in its batch. `day` is the sale's, as 0301, and
    `undone_on` the day on which the acquirer says that it undid it.
    """

    fen: int | None = None
    is_whole: bool = True
    rrn: str = ""
    auth: str = ""
    masked_pan: str = ""
    day: str = ""
    undone_on: str = ""


class Known(msgspec.Struct, frozen=True):
    """What is known of a sale. `taken_fen` is None while nobody has said that money was taken.

    `age_ms` is by this host's clock, which may have been set since.
    """

    asked_fen: int
    taken_fen: int | None
    said: Evidence
    age_ms: int


def pick(undone: Undone, candidates: Sequence[Known]) -> int | None:
    """Return the place of the sale that is meant among those with its batch and trace, newest first.

    None when there are none. Whether it can be the one is for `contradiction` to say.
    """
    named = (no for no, one in enumerate(candidates) if undone.rrn and one.said.rrn == undone.rrn)
    return next(named, 0) if candidates else None


def contradiction(undone: Undone, known: Known) -> str:
    """Return what speaks against it that this sale is meant, an empty text for nothing."""
    said = known.said
    amounts = {known.asked_fen, known.taken_fen}
    if undone.fen is not None and undone.is_whole and undone.fen not in amounts:
        return "it names another amount"
    if undone.fen is not None and undone.fen > max(known.asked_fen, known.taken_fen or 0):
        return "it names more than was paid"
    if _both(undone.rrn, said.rrn):
        return "" if undone.rrn == said.rrn else "it names another reference number"
    if _both(undone.auth, said.auth) and undone.auth != said.auth:
        return "it names another authorisation"
    if _both(undone.masked_pan, said.masked_pan) and undone.masked_pan != said.masked_pan:
        return "it names another card"
    if _both(undone.day, said.host_date) and undone.day != said.host_date:
        return "it names another day"
    if undone.is_whole and _is_older_than_a_batch(undone, known):
        return "the sale is older than a batch"
    return ""


def _is_older_than_a_batch(undone: Undone, known: Known) -> bool:
    """Ask the acquirer's calendar where it dates both; only else the clock of this host."""
    sold, undone_on = _date(known.said.host_date), _date(undone.undone_on)
    if sold is None or undone_on is None:
        return known.age_ms > _LONGEST_IN_BATCH_MS
    apart = abs((undone_on - sold).days)
    return min(apart, _DAYS_A_YEAR - apart) > _MOST_DATES


def _date(month_and_day: str) -> datetime.date | None:
    """Return a day written as 0301, in a leap year; None when it is none."""
    try:
        return datetime.date(_LEAP_YEAR, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None


def _both(one: str, other: str) -> bool:
    return "" not in (one, other)
