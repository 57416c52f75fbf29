"""Does it matter where a process dies? Every point of a sale and its return, agent and centre, one by one.

A world without any other fault is run once to count the points: each SQL statement, each COMMIT that nobody
has heard of, each call to a terminal or over the line. Then it is run again for each of them, dying there.
"""

import random
from collections.abc import Iterator

from sim.outcome import Outcome
from sim.plan import small
from sim.world import World

_SEED = 5


def count() -> int:
    """Return how many points there are before everything is quiet."""
    outcome = World(small(_SEED)).run()
    assert outcome.violations == [], outcome.violations
    assert outcome.ends == {"RETURNED": 2}, outcome.ends
    return outcome.points


def singles(step: int = 1, first: int = 1) -> Iterator[tuple[tuple[int, ...], Outcome]]:
    """Die at every point, or at every so many-th."""
    for point in range(first, count() + 1, step):
        yield (point,), World(small(_SEED), crash_at=(point,)).run()


def pairs(many: int, seed: int = 0) -> Iterator[tuple[tuple[int, ...], Outcome]]:
    """Die at two points of one run, drawn from all pairs; the second is counted on after the first."""
    chance, most = random.Random(f"{seed}/pairs"), count()
    for _ in range(many):
        first, second = sorted(chance.sample(range(1, most + 1), 2))
        yield (first, second), World(small(_SEED), crash_at=(first, second)).run()
