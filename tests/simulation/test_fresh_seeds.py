"""Every commit tries worlds that none before it has tried, for a while."""

import subprocess
import time
from pathlib import Path

from sim.world import run_seed

_REPO = Path(__file__).resolve().parents[2]
_FOR_S = 20
_AT_LEAST = 20


def test_worlds_of_this_commit_lose_nothing_and_double_nothing():
    first = int(_commit()[:7], 16) * 1_000_000
    began_s, tried = time.monotonic(), 0
    while tried < _AT_LEAST or time.monotonic() - began_s < _FOR_S:
        seed = first + tried
        outcome = run_seed(seed)
        assert outcome.violations == [], f"python3 scripts/simulate.py --seed {seed} --trace"
        tried += 1


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=_REPO, capture_output=True, text=True, check=False
    ).stdout.strip()
    return found or "0000001"
