"""Dying anywhere in a sale and its return, at the shop or at the centre, changes nothing that matters.

Every point and every pair of them take a while: scripts/simulate.py --campaign --only death. Here some.
"""

import itertools

import pytest
from sim import crash_points
from sim.crash_points import SaleAndReturn
from sim.rows import is_at_rest


def test_dying_at_any_point_ends_in_one_charge_and_one_record_or_in_none():
    for points, outcome in crash_points.singles(step=30, first=7):
        assert outcome.violations == [], points


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_dying_again_after_the_restart_does_neither(share):
    places = crash_points.places()
    for points, outcome in crash_points.pairs(places[int(share * len(places))], step=15):
        assert outcome.violations == [], points
        assert outcome.crashes == 2, points


def test_where_one_dies_within_a_place_makes_no_difference():
    places = [*crash_points.places(), crash_points.count() + 1]
    wide = [(first, after) for first, after in itertools.pairwise(places) if after - first > 2]
    assert len(wide) > 40
    for first, after in wide[::8]:
        assert told(first) == told(after - 1), (first, after)


def told(point):
    """Return what was told of a world, but for the words of the statement before which somebody died."""
    outcome = SaleAndReturn((point,), keep=True).run()
    assert outcome.crashes == 1
    return [line for line in outcome.lines if "is killed at" not in line]


def test_points_go_on_until_everything_is_reported():
    resting = []

    class Looking(SaleAndReturn):
        def _heal(self):
            resting.append(is_at_rest(self))
            super()._heal()

    world = Looking()
    world.run()
    assert resting == [True]
    assert world.of_writer > 50
