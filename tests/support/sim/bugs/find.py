"""Which seed catches a planted bug? The noted one if it still does, else the first that does."""

from sim.bugs import CAUGHT_BY, known_bugs
from sim.world import run_seed

NO_CLAIM_OF_MONEY = "no program fails by itself"
_MOST = 20_000


def catches(seed: int, bug: str) -> bool:
    """Whether a claim about money or safety is broken with the bug, and none at all without it."""
    off = known_bugs()[bug].off
    broken = {one.claim for one in run_seed(seed, off=off, bug=bug).violations}
    return bool(broken - {NO_CLAIM_OF_MONEY}) and not run_seed(seed, off=off).violations


def seed_for(bug: str) -> int | None:
    """Return the seed, None when none of the first 20,000 is one."""
    noted = CAUGHT_BY.get(bug)
    if noted is not None and catches(noted, bug):
        return noted
    return next((seed for seed in range(1, _MOST + 1) if catches(seed, bug)), None)
