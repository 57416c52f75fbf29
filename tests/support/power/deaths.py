"""What is a piece of dying at the points of a sale and its return, once and twice?"""

from collections.abc import Iterable

from power.kinds import Piece
from sim import crash_points

_POINTS_A_PIECE = 200
# A piece takes every so many-th place: few come after a late one, many after an early one.
_PIECES_OF_PAIRS = 24


def onces() -> int:
    """Return how many pieces all single points are."""
    return -(-crash_points.count() // _POINTS_A_PIECE)


def twices() -> int:
    """Return how many pieces all pairs of places are."""
    return min(_PIECES_OF_PAIRS, len(crash_points.places()))


def once(seed: int) -> Piece:
    """Die at each of some points."""
    points = crash_points.count()
    first = 1 + seed * _POINTS_A_PIECE
    until = min(first + _POINTS_A_PIECE, points + 1)
    # Said once, so that a report adds up: it does not differ from piece to piece.
    saw = {"points of the centre's writer": crash_points.count_of_writer()} if until > points else {}
    return _died(f"points {first} to {until - 1} of {points}", crash_points.singles(1, first, until), saw)


def twice(seed: int) -> Piece:
    """Die at some places, and again at each of those that follow."""
    places = crash_points.places()[seed :: twices()]
    came = (one for first in places for one in crash_points.pairs(first))
    return _died(f"points {', '.join(map(str, places))}, then each place that follows", came, {})


def _died(point: str, came: Iterable[crash_points.Died], saw: dict[str, int]) -> Piece:
    count = 0
    wrong = list[str]()
    for points, outcome in came:
        count += 1
        wrong += [f"dying at {points}: {one.claim}: {one.what[:300]}" for one in outcome.violations]
    return Piece(point, count, wrong, saw)
