"""Every commit tries 2,000 worlds that none before it has tried."""

import subprocess
import sys
from pathlib import Path

_REPO = Path(__file__).resolve().parents[2]
_SEEDS = 2_000


def test_worlds_of_this_commit_lose_nothing_and_double_nothing(monkeypatch):
    monkeypatch.chdir(_REPO)
    first = int(_commit()[:7], 16) * 1_000_000
    tried = subprocess.run(
        [sys.executable, "scripts/simulate.py", "--start", str(first), "--seeds", str(_SEEDS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert f"{_SEEDS} seeds in " in tried.stdout
    assert "\n0 seeds broke a claim" in tried.stdout


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return found or "0000001"
