"""A campaign that was ended is taken up where it was, and what was done is told from its ledger."""

import subprocess
import sys

import msgspec
import pytest
from power import campaign
from power.campaign import Kind, Piece
from power.ledger import ROOT, Ledger, Tried, code, report


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "kept" / "ledger.jsonl")


def counting(done, wrong=()):
    """Return a kind of harm that does nothing but note its seeds."""

    def do(seed):
        done.append(seed)
        return Piece("here", 10, list(wrong), {"seen": seed})

    return Kind("harm", 30, do)


def test_a_campaign_ends_when_its_goals_are_reached(ledger):
    done = []
    assert campaign.run(ledger, [counting(done)], 1, lambda one: None) == ([], True)
    assert done == [0, 1, 2]


def test_what_was_done_is_not_done_again(ledger):
    done = []
    kind = counting(done)
    ledger.add(
        Tried("harm", 0, "here", 10, (), {}, 0.1, code(), "", "2026-03-01T04:00:00+00:00"),
    )
    campaign.run(ledger, [kind], 1, lambda one: None)
    assert done == [1, 2]


def test_what_was_done_on_other_code_is_done_again(ledger):
    done = []
    ledger.add(Tried("harm", 0, "here", 30, (), {}, 0.1, "other", "", "2026-03-01T04:00:00+00:00"))
    campaign.run(ledger, [counting(done)], 1, lambda one: None)
    assert done == [0, 1, 2]


def test_nothing_is_begun_when_the_time_is_over(ledger):
    done = []
    assert campaign.run(ledger, [counting(done)], -1, lambda one: None) == ([], False)
    assert done == []


def test_what_did_not_hold_is_returned_and_kept(ledger):
    wrong, _ = campaign.run(ledger, [counting([], ["lost"])], 1, lambda one: None)
    assert wrong == ["lost"] * 3
    assert [one.wrong for one in ledger.lines()] == [("lost",)] * 3


def test_a_line_that_was_cut_off_is_none(ledger, tmp_path):
    campaign.run(ledger, [counting([])], 1, lambda one: None)
    file = tmp_path / "kept" / "ledger.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [one.seed for one in ledger.lines()] == [0, 1]
    campaign.run(ledger, [counting([])], 1, lambda one: None)
    assert [one.seed for one in ledger.lines()] == [0, 1, 2]
    assert all(msgspec.json.decode(line) for line in file.read_bytes().splitlines())


def test_a_report_adds_up_each_kind(ledger):
    campaign.run(ledger, [counting([])], 1, lambda one: None)
    (row,) = [line for line in report(list(ledger.lines())).splitlines() if line.startswith("| harm")]
    assert row.startswith("| harm | 30 | 0 | ")
    assert "3 seen" in row


def test_every_kind_of_harm_has_a_name_and_a_goal():
    names = [one.name for one in campaign.KINDS]
    assert len(names) == len(set(names))
    cuts = sum(one.goal for one in campaign.KINDS if one.name.startswith("power cut"))
    kills = sum(one.goal for one in campaign.KINDS if one.name.endswith("killed"))
    assert (cuts >= 100_000, kills >= 1_300) == (True, True)


def test_the_command_ends_with_4_while_there_is_more_to_do_and_prints_its_report(tmp_path):
    script, kept = ROOT / "scripts" / "campaign.py", tmp_path / "ledger.jsonl"

    def run(*words):
        command = [sys.executable, script, "--ledger", kept, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    done = run("--minutes", "0.1", "--only", "disk full, agent")
    assert (done.returncode, done.stderr) == (0, "")
    assert "held" in done.stdout
    assert run("--minutes", "-1").returncode == 4
    assert "| disk full, agent |" in run("--report").stdout
