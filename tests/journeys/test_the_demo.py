"""The demo is the first thing anybody runs: it must work, and print what the README shows."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from story.processes import answers

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
    assert report["sales_paid"] >= 20
    assert report["sales_refused"] >= 5
    assert report["returns"] >= 3
    assert report["granted_fen"] > report["returned_fen"] > 0
    zero = ("records_lost", "records_doubled", "charged_twice", "ledger_sum_fen")
    assert [report[name] for name in zero] == [0] * len(zero)
    assert report["night_matched"] > 0
    assert report["night_differences"] == report["night_planted"] >= 8


def test_the_example_sale_is_a_whole_request(told):
    _, report = told
    assert set(report["example_sale"]) >= {"item", "qualification_code", "till_no", "operator", "tender"}


def test_ctrl_c_stops_everything_and_cleans_up(tmp_path):
    report = tmp_path / "report.json"
    demo = subprocess.Popen(
        [sys.executable, "scripts/demo.py", "--report", str(report)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with demo:
        serving = any(line.startswith("Serving until Ctrl-C") for line in demo.stdout)
        assert serving
        assert answers("http://127.0.0.1:8610/v1/status")
        assert json.loads(report.read_text())["charged_twice"] == 0
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 0
    assert not answers("http://127.0.0.1:8610/v1/status")
    assert not answers("http://127.0.0.1:8600/livez")
    assert list(tmp_path.glob("tradein-demo-*")) == []


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
