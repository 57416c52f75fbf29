"""Whatever was acknowledged before the power went is there afterwards, whole, whatever the disk has kept.

Some hundreds of cuts; `scripts/simulate.py --campaign` makes all of them.
"""

import inspect
import random
import re

import pytest
from power import agent_cuts, centre_cuts
from power.agent_day import MOVES, AgentDay
from power.cut_images import KEPT, LOST, Disk, Judge
from power.recorded_sqlite import Operation

from terminal_agent.journal.journal import SqliteJournal


@pytest.fixture(scope="module")
def day():
    return agent_cuts.record()


def some(recorded, cuts, seed):
    """Return operations, as many as asked, drawn from all."""
    return sorted(random.Random(seed).sample(range(len(recorded.log)), cuts))


def test_a_recorded_day_has_every_transaction_that_the_journal_has():
    writes = re.compile(r"self\._(transaction|end|end_attempt|only_attempt)\(")
    found = {
        name
        for name, method in inspect.getmembers(SqliteJournal, inspect.isfunction)
        if not name.startswith("_") and writes.search(inspect.getsource(method))
    }
    assert found == set(MOVES)


def test_a_day_makes_each_of_them(tmp_path):
    day = AgentDay(tmp_path)
    day.live()
    assert set(MOVES) - day.made == set()


def test_the_agent_has_what_it_acknowledged(day, tmp_path):
    came = list(agent_cuts.cut(day, some(day, 60, seed=1), (LOST, KEPT, 2), agent_cuts.judge_in(tmp_path)))
    assert [one for one in came if one] == []
    assert len(came) == 180
    # A day is many commits, and each of them a state of its own.
    assert len(day.states) > 100


@pytest.mark.parametrize("stretch", centre_cuts.STRETCHES.values(), ids=centre_cuts.STRETCHES)
def test_the_centre_has_what_it_acknowledged(stretch, tmp_path):
    recorded = stretch()
    judge = centre_cuts.judge_in(tmp_path, recorded.database)
    came = list(centre_cuts.cut(recorded, some(recorded, 35, seed=2), (LOST, 3), judge))
    assert [one for one in came if one] == []
    assert len(came) == 70
    assert len(recorded.states) > 5


def test_a_journal_that_did_not_sync_would_be_found_out(day, tmp_path):
    careless = day._replace(log=[one for one in day.log if one.kind != "sync"])
    came = list(agent_cuts.cut(careless, some(careless, 40, seed=3), (LOST,), agent_cuts.judge_in(tmp_path)))
    assert sum(bool(one) for one in came) > 10


def test_a_black_box_that_lost_its_end_is_begun_again(day, tmp_path):
    careless = day._replace(
        log=[one for one in day.log if one.kind != "sync" or not one.file.endswith(".box")]
    )
    came = list(agent_cuts.cut(careless, some(careless, 40, seed=4), (LOST,), agent_cuts.judge_in(tmp_path)))
    assert [one for one in came if one] == []


def test_an_older_write_never_lies_over_a_newer_one():
    disk = Disk()
    for number in range(1, 9):
        disk.do(Operation("write", "a", 0, bytes([number]) * 1024))
    for variant in range(2, 200):
        content = disk.image(variant, "").get("a", b"")
        first = [content[at : at + 1] for at in range(0, len(content), 512)]
        assert all(len(set(content[at : at + 512])) == 1 for at in range(0, len(content), 512)), first


def test_what_was_synced_is_there_in_every_variant():
    disk = Disk()
    disk.do(Operation("write", "a", 0, b"synced"))
    disk.do(Operation("sync", "a"))
    disk.do(Operation("write", "a", 6, b" and not"))
    assert disk.image(LOST, "") == {"a": b"synced"}
    assert disk.image(KEPT, "") == {"a": b"synced and not"}
    assert all(disk.image(variant, "")["a"].startswith(b"synced") for variant in range(2, 50))


def test_a_disk_of_the_same_bytes_that_must_be_the_same_is_judged_once():
    judged = []

    def judge(image, may_be):
        judged.append((image, may_be))
        return "lost" if image["a"] == b"2" else ""

    once = Judge(judge)
    disks = [({"a": b"1"}, ["x"]), ({"a": b"2"}, ["x"]), ({"a": b"1"}, ["x", "y"])]
    assert [once.of(image, may_be) for image, may_be in disks * 2] == ["", "lost", ""] * 2
    assert (judged, once.different) == (disks, 3)
