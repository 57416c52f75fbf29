"""Whole worlds: shops, centre and terminals with faults, on a time of their own, seed by seed."""

import os
from pathlib import Path

import pytest
from sim import same
from sim.world import run_seed

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("first", range(1, 41, 10))
def test_nothing_is_lost_and_nothing_doubled(first):
    sold = 0
    for seed in range(first, first + 10):
        outcome = run_seed(seed)

        assert outcome.violations == [], f"python3 scripts/simulate.py --seed {seed} --trace"
        sold += outcome.sales
    assert sold >= 100


def test_a_world_without_faults_sells_to_everybody_who_may_buy():
    from sim.plan import CLASSES

    outcome = run_seed(7, off=CLASSES)

    assert outcome.violations == []
    assert outcome.crashes == 0
    assert outcome.ends["PAID"] + outcome.ends["REFUSED"] == outcome.sales


@pytest.mark.parametrize("seed", [6, 17, 29])
def test_a_journal_that_stays_open_is_as_its_file_would_be(seed):
    from sim.plan import draw
    from sim.world import World

    kept, opened = World(draw(seed)), World(draw(seed))
    opened.keeps_journals = False

    assert kept.keeps_journals
    stayed, was_opened = kept.run(), opened.run()
    assert stayed.crashes > 3  # and each life finds what the one before it has left
    assert (stayed.hash, stayed.moves, stayed.points) == (
        was_opened.hash,
        was_opened.moves,
        was_opened.points,
    )


def test_a_world_leaves_nothing_to_the_next_one():
    hashes = [run_seed(seed).hash for seed in (3, 4, 3, 4, 3)]

    assert hashes == [*hashes[:2] * 2, hashes[0]]


def test_the_same_seed_is_the_same_world_whatever_the_machine(monkeypatch):
    paths = os.pathsep.join(str(REPO / one) for one in ("tests/support", "scripts", "."))
    monkeypatch.setenv("PYTHONPATH", paths)

    # One of them could not open its journal: what it is told then names no folder of this run.
    assert list(same.others(range(60, 64))) == []
