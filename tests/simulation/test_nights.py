"""Worlds of several days: what the night, claims and people do with what shops and files say."""

import itertools
import re

import pytest
from sim.cash import CASH, claimed_in_cash
from sim.night_world import NightWorld, run_night_seed, without_faults
from sim.plan import draw_nights


@pytest.mark.parametrize("seed", [1, 2, 8])
def test_nothing_is_lost_and_nothing_doubled_over_the_nights(seed):
    outcome = run_night_seed(seed)

    assert outcome.violations == [], f"scripts/simulate.py --worlds night --seed {seed} --trace"
    assert outcome.sales


def test_a_world_with_nights_and_without_faults_pays_its_merchants():
    outcome = NightWorld(without_faults(3)).run()

    assert outcome.violations == []
    assert outcome.crashes == 0
    assert outcome.moves["record IN_CLAIM PAID_OUT"]


def test_what_is_paid_in_cash_is_claimed_after_its_night_with_its_invoice():
    claimed = []
    with_cash = (seed for seed in itertools.count(1) if CASH in draw_nights(seed).on)
    for seed in itertools.islice(with_cash, 3):
        world = NightWorld(draw_nights(seed), keep=False)
        world.watched.append(lambda world: claimed.append(claimed_in_cash(world)))

        assert world.run().violations == [], f"scripts/simulate.py --worlds night --seed {seed} --trace"
    assert len(claimed) == 3
    assert sum(claimed) >= 3, claimed


def test_a_late_grant_whose_hold_a_restored_centre_never_had_is_in_the_nights_proof():
    outcome = run_night_seed(257)
    assert outcome.violations == []


def test_the_same_seed_is_the_same_nights():
    assert run_night_seed(5).hash == run_night_seed(5).hash


@pytest.mark.parametrize("seed", [3, 4, 6])
def test_tills_are_paid_on_every_day_that_they_are_open(seed):
    plan = without_faults(seed)

    outcome = NightWorld(plan, keep=True).run()

    told = (re.match(r"(\S+) .* till \S+: (sell|show) .*: 200 paid ", one) for one in outcome.lines)
    days = {one[1] for one in told if one}
    assert len(days) == len(plan.days), sorted(days)
    assert not [one for one in outcome.lines if "KEY_REUSED" in one]
