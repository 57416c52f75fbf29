"""Dying anywhere in a sale and its return, at the shop or at the centre, changes nothing that matters."""

import itertools

from sim import crash_points


def test_dying_at_any_point_ends_in_one_charge_and_one_record_or_in_none():
    # Every point takes minutes: scripts/simulate.py --crash-points 1. Here every fortieth.
    for points, outcome in crash_points.singles(step=40, first=7):
        assert outcome.violations == [], points


def test_dying_twice_does_neither():
    for points, outcome in itertools.islice(crash_points.pairs(15, seed=1), 15):
        assert outcome.violations == [], points
