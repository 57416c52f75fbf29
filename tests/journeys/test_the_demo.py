"""The demo is the first thing anybody runs: it must work, and print what the README shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = {
    "sales_paid",
    "sales_refused",
    "returns",
    "granted_fen",
    "returned_fen",
    "records_lost",
    "records_doubled",
    "charged_twice",
    "ledger_sum_fen",
    "night_matched",
    "night_differences",
    "night_planted",
    "seconds",
    "example_sale",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    report = tmp_path_factory.mktemp("demo") / "report.json"
    done = subprocess.run(
        [sys.executable, "scripts/demo.py", "--once", "--report", str(report)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(report.read_text())


def test_every_claim_held_and_the_figures_say_so(told):
    _, report = told
    assert set(report) == KEYS
    assert report["sales_paid"] >= 10
    assert report["sales_refused"] >= 4
    assert report["granted_fen"] > 0
    zero = ("records_lost", "records_doubled", "charged_twice", "ledger_sum_fen", "night_planted")
    assert [report[name] for name in zero] == [0] * len(zero)


def test_the_example_sale_is_a_whole_request(told):
    _, report = told
    assert set(report["example_sale"]) >= {"item", "qualification_code", "till_no", "operator", "tender"}


def test_the_readme_shows_what_the_demo_prints(told):
    printed = {plain(line) for line in told[0].splitlines()}
    block = re.search(
        r"```\n\$ python3 scripts/demo\.py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert block is not None
    shown = [line for line in block[1].splitlines() if line.strip() and line.strip() != "..."]
    assert len(shown) >= 10
    assert [line for line in shown if plain(line) not in printed] == []


def plain(line):
    """Return a line without what differs from run to run: seconds, and that it is indented."""
    return re.sub(r"\d+\.\d s", "N s", line).strip()
