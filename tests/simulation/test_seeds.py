"""Whole worlds: shops, centre and terminals with faults, on a time of their own, seed by seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sim.world import run_seed

REPO = Path(__file__).resolve().parents[2]
_HASHES = """
from sim.world import run_seed
print(*(run_seed(seed).hash for seed in range(300, 306)))
"""


@pytest.mark.parametrize("first", range(1, 41, 10))
def test_nothing_is_lost_and_nothing_doubled(first):
    sold = 0
    for seed in range(first, first + 10):
        outcome = run_seed(seed)

        assert outcome.violations == [], f"python3 scripts/simulate.py --seed {seed} --trace"
        sold += outcome.sales
    assert sold >= 120


def test_a_world_without_faults_sells_to_everybody_who_may_buy():
    from sim.plan import CLASSES

    outcome = run_seed(7, off=CLASSES)

    assert outcome.violations == []
    assert outcome.crashes == 0
    assert outcome.ends["PAID"] + outcome.ends["REFUSED"] == outcome.sales


def test_the_same_seed_is_the_same_world_whatever_the_machine():
    here = [run_seed(seed).hash for seed in range(300, 306)]

    for changes in (
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/New_York", "LC_ALL": "C.UTF-8"},
    ):
        paths = os.pathsep.join(str(REPO / one) for one in ("tests/support", "scripts", "."))
        ran = subprocess.run(
            [sys.executable, "-c", _HASHES],
            env={**os.environ, "PYTHONPATH": paths, **changes},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.split() == here
