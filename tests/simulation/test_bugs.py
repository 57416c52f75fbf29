"""The simulator would find them: each planted bug is caught by a claim about money or safety."""

import functools

import pytest
from sim.bugs import CAUGHT_AT_NIGHT, CAUGHT_BY, known_bugs
from sim.bugs.find import NO_CLAIM_OF_MONEY
from sim.night_world import run_night_seed
from sim.world import run_seed

_WORLDS = [(name, run_seed, seed) for name, seed in sorted(CAUGHT_BY.items())] + [
    (name, run_night_seed, seed) for name, seed in sorted(CAUGHT_AT_NIGHT.items())
]


@functools.cache
def without_bugs(run, seed, off):
    """Return what does not hold in the world as it is; many bugs are caught in the same one."""
    return run(seed, off=off).violations


@pytest.mark.parametrize(("name", "run", "seed"), _WORLDS, ids=[name for name, _, _ in _WORLDS])
def test_a_planted_bug_is_caught_by_what_must_hold(name, run, seed):
    off = tuple(known_bugs()[name].off)
    with_it = run(seed, off=off, bug=name)

    assert [one.claim for one in with_it.violations if one.claim != NO_CLAIM_OF_MONEY]
    assert without_bugs(run, seed, off) == []


def test_every_planted_bug_has_a_seed_that_catches_it():
    assert known_bugs().keys() == CAUGHT_BY.keys() | CAUGHT_AT_NIGHT.keys()
