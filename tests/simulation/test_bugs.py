"""The simulator would find them: each planted bug is caught by a claim about money or safety."""

import pytest
from sim.bugs import CAUGHT_BY, NOT_CAUGHT_YET, known_bugs
from sim.bugs.find import NO_CLAIM_OF_MONEY
from sim.world import run_seed


@pytest.mark.parametrize("name", sorted(CAUGHT_BY))
def test_a_planted_bug_is_caught_by_what_must_hold(name):
    seed = CAUGHT_BY[name]

    with_it, without = run_seed(seed, bug=name), run_seed(seed)

    assert [one.claim for one in with_it.violations if one.claim != NO_CLAIM_OF_MONEY]
    assert without.violations == []


def test_a_bug_that_nothing_catches_yet_is_said_to_be_one():
    assert known_bugs().keys() - CAUGHT_BY.keys() == NOT_CAUGHT_YET
