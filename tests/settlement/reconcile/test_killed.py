"""Killed (SIGKILL) at any statement, around any commit: does a rerun give the same books and bytes?"""

import os
import shutil
import signal

import pytest
from books import Books
from night import NEXT_DAY, NightDay, changed, pay_ref
from sqlalchemy import event

from settlement.reconcile import run
from subsidy.policy.model import Tender

EVERY = 13
THIRD_DAY = "2026-03-03"


class Killed(NightDay):
    """The night of a day that is there already, in a folder of its own."""

    def __init__(self, folder, like):
        self.folder = folder
        self.books = Books.reopen(folder, like.books)
        self.sources = folder / "night.yaml"


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The books on the third morning: a hold to end, one to book, an item to settle, three to open."""
    day = NightDay(tmp_path_factory.mktemp("before"))
    day.hold()
    day.charge(day.hold())
    late, gone, foreign = day.sell(), day.sell(), day.sell()
    rows = {one.pay_ref: one for one in day.card}
    day.card = [changed(one, mid="9" * 15) if one.pay_ref == pay_ref(foreign) else one for one in day.card]
    day.card = [one for one in day.card if one.pay_ref not in (pay_ref(late), pay_ref(gone))]
    day.write_files()
    day.pass_to(NEXT_DAY)
    day.run()
    day.sell_and_return(Tender.QR_SCAN)
    day.card.append(changed(rows[pay_ref(late)], at=f"{NEXT_DAY}T08:00:00+08:00"))
    day.card.append(changed(rows[pay_ref(gone)], pay_ref="NOBODYS-1", at=f"{NEXT_DAY}T08:00:00+08:00"))
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    return day


def copy_of(before, folder):
    shutil.copytree(before.folder, folder)
    return Killed(folder, before)


def run_until_killed(day, at_statement):
    """Run the night in a process of its own that is killed at a statement; return whether it was."""
    child = os.fork()
    if child == 0:
        left = [at_statement]

        def count(*_arguments):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        for name in ("before_cursor_execute", "after_cursor_execute", "commit", "begin"):
            event.listen(day.books.engine, name, count)
        try:
            day.run(NEXT_DAY)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_night_that_is_killed_anywhere_ends_the_same_when_it_is_run_again(before, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 1)
    whole = copy_of(before, tmp_path / "whole")
    content = whole.run(NEXT_DAY).content
    books = whole.books.state_hash()
    states = dict(whole.books.sql_rows("SELECT state, count(*) FROM record GROUP BY state"))
    assert states == {"RELEASED": 1, "PAYABLE": 2, "BLOCKED": 2, "RETURNED": 1}
    point = killed = 0
    while True:
        point += 1 if point < 20 else EVERY
        day = copy_of(before, tmp_path / f"killed-{point}")
        if not run_until_killed(day, point):
            break
        killed += 1
        assert day.run(NEXT_DAY).content == content, point
        assert day.books.state_hash() == books, point
        shutil.rmtree(day.folder)
    assert killed > 25
