"""Every kind of card terminal is in worlds: with faults, and dying anywhere in a sale and its return."""

import pytest
from sim import crash_points
from sim.cards.kinds import FIRST, KINDS, draw_kinds, others
from sim.world import run_seed

from terminal_agent.terminals.drivers import DRIVERS

_OTHERS = sorted(KINDS.keys() - {FIRST})


def test_every_driver_stands_beside_tills():
    assert {DRIVERS[one.driver] for one in KINDS.values()} == set(DRIVERS.values())


def test_one_kind_less_leaves_the_others_where_they_were():
    for seed in range(50):
        drawn, without = draw_kinds(seed, (), 3), draw_kinds(seed, ("mis",), 3)
        assert "mis" not in without
        assert [one for one in drawn if one != "mis"] == [
            other for one, other in zip(drawn, without, strict=True) if one != "mis"
        ]


@pytest.mark.parametrize("kind", _OTHERS)
def test_each_kind_loses_nothing_and_doubles_nothing(kind):
    taken = 0
    for seed in range(1, 5):
        outcome = run_seed(seed, off=others(kind))

        assert outcome.violations == [], f"scripts/simulate.py --terminals {kind} --seed {seed} --trace"
        taken += outcome.taken[kind]
    assert taken > 5


@pytest.mark.parametrize("kind", _OTHERS)
def test_dying_anywhere_ends_in_one_charge_and_one_record_or_in_none(kind):
    for points, outcome in crash_points.singles(step=90, first=31, terminals=kind):
        assert outcome.violations == [], points
