"""Is what the centre has acknowledged in its books when it or its server is killed under load?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "kill_centre.py"


@pytest.mark.parametrize(("database", "times"), [("sqlite", 3), ("postgres", 4)])
def test_nothing_acknowledged_is_lost_or_doubled(database, times):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--times", str(times), "--database", database, "--seed", "7", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert (done.returncode, report["faults"]) == (0, []), done.stderr
    assert (report["lost"], report["doubled"]) == (0, 0)
    assert sum(report["kills"].values()) == times
    # It was at work, and cut off in the middle of it.
    assert report["holds_acknowledged"] > 10 * times
    assert report["entries_acknowledged"] > 5 * times
    assert report["asked_again"] > 0
