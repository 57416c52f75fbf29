"""A campaign that was ended is taken up where it was, and what was done is told from its ledger."""

import subprocess
import sys

import msgspec
import pytest
from power import campaign
from power.kinds import KINDS, Kind, Piece
from power.ledger import ROOT, Ledger, Tried, code
from power.report import into_page, report


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
    assert campaign.run(ledger, [counting(done)], 1, lambda one, so_far: None) == ([], True)
    assert done == [0, 1, 2]


def test_what_was_done_is_not_done_again(ledger):
    done = []
    kind = counting(done)
    ledger.add(
        Tried("harm", 0, "here", 10, (), {}, 0.1, code(), "", "2026-03-01T04:00:00+00:00"),
    )
    campaign.run(ledger, [kind], 1, lambda one, so_far: None)
    assert done == [1, 2]


def test_what_was_done_on_other_code_is_done_again(ledger):
    done = []
    ledger.add(Tried("harm", 0, "here", 30, (), {}, 0.1, "other", "", "2026-03-01T04:00:00+00:00"))
    campaign.run(ledger, [counting(done)], 1, lambda one, so_far: None)
    assert done == [0, 1, 2]


def test_nothing_is_begun_when_the_time_is_over(ledger):
    done = []
    assert campaign.run(ledger, [counting(done)], -1, lambda one, so_far: None) == ([], False)
    assert done == []


def test_what_did_not_hold_is_returned_and_kept(ledger):
    wrong, _ = campaign.run(ledger, [counting([], ["lost"])], 1, lambda one, so_far: None)
    assert wrong == ["lost"] * 3
    assert [one.wrong for one in ledger.lines()] == [("lost",)] * 3


def test_a_line_that_was_cut_off_is_none(ledger, tmp_path):
    campaign.run(ledger, [counting([])], 1, lambda one, so_far: None)
    file = tmp_path / "kept" / "ledger.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [one.seed for one in ledger.lines()] == [0, 1]
    campaign.run(ledger, [counting([])], 1, lambda one, so_far: None)
    assert [one.seed for one in ledger.lines()] == [0, 1, 2]
    assert all(msgspec.json.decode(line) for line in file.read_bytes().splitlines())


def test_what_did_not_hold_is_told_again_when_a_campaign_is_taken_up(ledger):
    campaign.run(ledger, [counting([], ["lost"])], 1, lambda one, so_far: None)
    assert campaign.run(ledger, [counting([])], 1, lambda one, so_far: None) == (["lost"] * 3, True)


def test_what_has_no_goal_is_done_in_all_its_pieces(ledger):
    done, told = [], []
    kind = msgspec.structs.replace(counting(done), goal=None, pieces=lambda: 4)
    result = campaign.run(ledger, [kind], 1, lambda one, so_far: told.append(so_far))
    assert (result, done, told[-1]) == (([], True), [0, 1, 2, 3], "4 of 4 pieces")


def test_a_piece_that_broke_off_is_wrong_and_is_done_again_the_next_time(ledger):
    done, breaks = [], [True]

    def do(seed):
        if seed == 1 and breaks:
            breaks.clear()
            raise OSError("no port is free")
        done.append(seed)
        return Piece("here", 10, [])

    kind = Kind("harm", None, do, lambda: 3)
    wrong, is_whole = campaign.run(ledger, [kind], 1, lambda one, so_far: None)
    assert (wrong, is_whole, done) == (["OSError: no port is free"], True, [0, 2])
    assert campaign.run(ledger, [kind], 1, lambda one, so_far: None) == ([], True)
    assert done == [0, 2, 1]


def test_a_report_adds_up_each_kind_on_its_code_and_before(ledger):
    ledger.add(Tried("harm", 0, "here", 7, ("old",), {}, 0.1, "other", "", "2026-03-01T04:00:00+00:00"))
    campaign.run(ledger, [counting([])], 1, lambda one, so_far: None)
    said = report(list(ledger.lines()), [counting([])])
    (row,) = [line for line in said.splitlines() if line.startswith("| harm")]
    assert row.startswith("| harm | 30 | 30 | 0 | ")
    assert row.endswith("| 3 seen | 7 |")
    assert said.endswith("On this code nothing acknowledged was lost, doubled or corrupt.")


def test_a_report_names_what_did_not_hold(ledger):
    campaign.run(ledger, [counting([], ["lost"])], 1, lambda one, so_far: None)
    said = report(list(ledger.lines()), [counting([])])
    assert said.endswith("- harm, 0: lost\n- harm, 1: lost\n- harm, 2: lost")


def test_the_page_shows_what_the_ledger_says():
    page = campaign.PAGE.read_text()
    assert into_page(page, report(list(Ledger(campaign.LEDGER).lines()), KINDS)) == page


def test_every_kind_of_harm_has_a_name_and_a_goal():
    names = [one.name for one in KINDS]
    assert len(names) == len(set(names))
    cuts = sum(one.goal for one in KINDS if one.name.startswith("power cut"))
    kills = sum(one.goal for one in KINDS if one.name.endswith("killed"))
    assert (cuts >= 100_000, kills >= 1_300) == (True, True)


def test_the_command_ends_with_4_while_there_is_more_to_do_and_says_what_was_done(tmp_path):
    script, kept = ROOT / "scripts" / "simulate.py", tmp_path / "ledger.jsonl"

    def run(*words):
        command = [sys.executable, script, "--campaign", "--ledger", kept, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    done = run("--only", "disk full, agent")
    assert (done.returncode, done.stderr) == (0, "")
    assert "held" in done.stdout
    more = run("--minutes", "0")
    assert more.returncode == 4
    assert "| disk full, agent | 1 | " in more.stdout


def test_a_kind_that_is_not_there_is_said(tmp_path, capsys):
    assert campaign.command(tmp_path / "ledger.jsonl", ["earthquake"], 1) == 2
    assert "There are: one death in a sale and its return; " in capsys.readouterr().out
