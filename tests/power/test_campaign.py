"""A campaign that was ended is taken up where it was, several pieces at once, and told from its ledger."""

import os
import signal
import subprocess
import sys
import time

import msgspec
import pytest
from power import campaign, every_operation
from power.kinds import DISK_FAULTS, KINDS, Kind, Runs
from power.ledger import BROKEN_OFF, CannotUse, Ledger, Tried
from power.report import into_page, report
from power.shipped import ROOT, code

SHIPS = ("subsidy/money.py",)
HARM = """
import os, time
from pathlib import Path
from power.kinds import Piece

FOLDER = Path(__file__).parent

def count(seed, *wrong):
    (FOLDER / f"began-{seed}").touch()
    return Piece("here", 10, list(wrong), {"seen": seed})

def four():
    return 4

def breaks(seed):
    if seed == 1 and not (FOLDER / "broke").exists():
        (FOLDER / "broke").touch()
        raise OSError("no port is free")
    return count(seed)

def always_breaks(seed):
    raise OSError("no port is free")

def dies(seed):
    print("the last words", flush=True)
    os._exit(3)

def at_once(seed, others):
    count(seed)
    until = time.monotonic() + 60
    while len(list(FOLDER.glob("began-*"))) < int(others):
        assert time.monotonic() < until
        time.sleep(0.02)
    return Piece("here", 10, [])

def lasts(seed):
    try:
        (FOLDER / "lasts").touch()
        time.sleep(600)
    finally:
        (FOLDER / "ended").touch()

def elsewhere(seed):
    import subsidy.masking
    return count(seed)
"""


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "kept" / "ledger.jsonl")


@pytest.fixture
def harm(tmp_path, monkeypatch):
    """Return a maker of kinds of harm that do nothing but note their seeds; each piece is 10 trials."""
    (tmp_path / "harm.py").write_text(HARM)
    monkeypatch.syspath_prepend(tmp_path)

    def kind(do="count", *words, name="harm", goal=30, runs=Runs.COMPUTES):
        return Kind(name, goal, f"harm:{do}", SHIPS, words, runs=runs)

    return kind


def went(ledger, *kinds, minutes=1, workers=1):
    """Run a campaign; return what it returns and the seeds that it has done."""
    told = []
    result = campaign.run(ledger, kinds, minutes, workers, lambda one, so_far: told.append((one, so_far)))
    return result, [one.seed for one, _ in told]


def tried(count=10, *, code=None, seed=0, wrong=()):
    at = "2026-03-01T04:00:00+00:00"
    return Tried("harm", seed, "here", count, wrong, {}, 0.1, code or globals()["code"](SHIPS), "", at)


def test_a_campaign_ends_when_its_goals_are_reached(ledger, harm):
    assert went(ledger, harm()) == (([], True), [0, 1, 2])


def test_what_was_done_is_not_done_again(ledger, harm):
    ledger.add(tried())
    assert went(ledger, harm())[1] == [1, 2]


def test_what_was_done_on_other_code_is_done_again(ledger, harm):
    ledger.add(tried(30, code="other"))
    assert went(ledger, harm())[1] == [0, 1, 2]


def test_nothing_is_begun_when_the_time_is_over(ledger, harm):
    assert went(ledger, harm(), minutes=-1) == (([], False), [])


def test_what_did_not_hold_is_returned_and_kept(ledger, harm):
    (wrong, _), _ = went(ledger, harm("count", "lost"))
    assert wrong == ["lost"] * 3
    assert [one.wrong for one in ledger.lines()] == [("lost",)] * 3


def test_a_line_that_was_cut_off_is_none(ledger, harm, tmp_path):
    went(ledger, harm())
    file = tmp_path / "kept" / "ledger.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [one.seed for one in ledger.lines()] == [0, 1]
    went(ledger, harm())
    assert [one.seed for one in ledger.lines()] == [0, 1, 2]
    assert all(msgspec.json.decode(line) for line in file.read_bytes().splitlines())


def test_what_did_not_hold_is_told_again_when_a_campaign_is_taken_up(ledger, harm):
    went(ledger, harm("count", "lost"))
    assert went(ledger, harm()) == ((["lost"] * 3, True), [])


def test_what_has_no_goal_is_done_in_all_its_pieces(ledger, harm):
    told = []
    kind = msgspec.structs.replace(harm(goal=None), pieces="harm:four")
    result = campaign.run(ledger, [kind], 1, 1, lambda one, so_far: told.append((one.seed, so_far)))
    assert (result, [seed for seed, _ in told], told[-1][1]) == (([], True), [0, 1, 2, 3], "4 of 4 pieces")


def test_a_piece_that_broke_off_is_wrong_and_is_done_again_the_next_time(ledger, harm):
    kind = msgspec.structs.replace(harm("breaks", goal=None), pieces="harm:four")
    assert went(ledger, kind) == ((["OSError: no port is free"], True), [0, 1, 2, 3])
    assert went(ledger, kind) == (([], True), [1])
    assert "DID NOT" not in report(list(ledger.lines()), [kind])
    assert "no port" not in report(list(ledger.lines()), [kind])


def test_what_breaks_off_again_and_again_is_left_and_the_others_go_on(ledger, harm):
    (wrong, is_whole), _ = went(ledger, harm("always_breaks", name="broken"), harm())
    assert (wrong, is_whole) == (["OSError: no port is free"] * 3, False)
    assert [one.seed for one in ledger.lines() if one.kind == "harm"] == [0, 1, 2]


def test_a_process_that_dies_is_told_with_its_last_words(ledger, harm):
    (wrong, _), _ = went(ledger, harm("dies", goal=1))
    assert wrong == ["its process ended with 3: the last words"] * 3
    assert {one.point for one in ledger.lines()} == {BROKEN_OFF}


def test_as_many_pieces_are_done_at_once_as_there_are_workers(ledger, harm):
    kind = msgspec.structs.replace(harm("at_once", "3", goal=None), pieces="harm:four")
    (wrong, is_whole), seeds = went(ledger, kind, workers=3)
    assert (wrong, is_whole, sorted(seeds)) == ([], True, [0, 1, 2, 3])


def test_what_waits_runs_beside_what_computes(ledger, harm):
    waits = harm("at_once", "2", name="waits", goal=1, runs=Runs.WAITS)
    # Each waits for the other: their seeds are not the same.
    ledger.add(msgspec.structs.replace(tried(), kind="waits", code=code(SHIPS), count=0))
    assert went(ledger, harm("at_once", "2", goal=1), waits)[0] == ([], True)


def test_what_was_tried_elsewhere_than_its_kind_names_is_broken_off(ledger, harm):
    (wrong, _), _ = went(ledger, harm("elsewhere", goal=1))
    assert wrong[0].startswith("OtherCode: it tries subsidy/__init__.py, ")
    assert "subsidy/masking.py" in wrong[0]


def test_two_campaigns_do_not_write_one_ledger(ledger, harm):
    with ledger.alone(), pytest.raises(CannotUse, match="another campaign writes it"):
        went(ledger, harm())


def test_a_ledger_that_cannot_be_used_is_told_and_nothing_is_done(tmp_path, capsys):
    bad = tmp_path / "ledger.jsonl"
    bad.write_text("something else\n")
    assert campaign.command(bad, ["start"], 1, 1) == 2
    assert f"Nothing was done: {bad}, line 1: JSON is malformed" in capsys.readouterr().out
    assert campaign.command(bad / "ledger.jsonl", ["start"], 1, 1) == 2
    assert "cannot be written: File exists. Give another." in capsys.readouterr().out
    assert campaign.command(tmp_path, ["start"], 1, 1) == 2
    assert f"{tmp_path} cannot be read: Is a directory. Give another." in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_campaign_that_is_ended_ends_its_pieces_and_leaves_whole_lines(number, harm, tmp_path):
    kept = tmp_path / "ledger.jsonl"
    program = (
        "from power import campaign, kinds\n"
        f"kind = kinds.Kind('harm', 30, 'harm:lasts', {SHIPS})\n"
        "campaign.KINDS = (kind, kinds.Kind('quick', 10, 'harm:count', kind.ships, runs=kinds.Runs.WAITS))\n"
        f"raise SystemExit(campaign.command(__import__('pathlib').Path({str(kept)!r}), (), 1, 1))\n"
    )
    paths = os.pathsep.join(one for one in sys.path if one)
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout.readline().startswith("quick, here: 10 in ")
    until(lambda: (tmp_path / "lasts").exists())
    running.send_signal(number)
    said = running.communicate(timeout=60)[0]
    until(lambda: (tmp_path / "ended").exists())
    assert [one.kind for one in Ledger(kept).lines()] == ["quick"]
    if number == signal.SIGTERM:
        assert (running.returncode, "| quick | 10 | 10 | 0 |" in said) == (4, True)


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_report_adds_up_each_kind_on_its_code_and_before(ledger, harm):
    ledger.add(tried(7, code="other", wrong=("old",)))
    went(ledger, harm())
    said = report(list(ledger.lines()), [harm()])
    (row,) = [line for line in said.splitlines() if line.startswith("| harm")]
    assert row.startswith("| harm | 30 | 30 | 0 | ")
    assert f"| 3 seen | {code(SHIPS)} (" in row
    assert row.endswith(" UTC | 7 |")
    assert said.endswith("On this code nothing acknowledged was lost, doubled or corrupt.")


def test_a_report_names_what_did_not_hold(ledger, harm):
    went(ledger, harm("count", "lost"))
    said = report(list(ledger.lines()), [harm()])
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
    assert set(DISK_FAULTS) == set(every_operation.FAULTS)


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
    assert campaign.command(tmp_path / "ledger.jsonl", ["earthquake"], 1, 1) == 2
    assert "There are: one death in a sale and its return; " in capsys.readouterr().out
