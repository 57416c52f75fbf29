"""A batch whose closing was not answered is asked about, and told, by the next closing."""

import threading

import pytest
from acquirer import direct_terminal, new_number

from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.terminals.direct.closing import NotConfirmed, close_batches, words_on
from terminal_agent.terminals.direct.messages import Totals

NOTHING = Totals(0, 0, 0, 0)
THEIRS = Totals(12_000, 1, 0, 0)


@pytest.fixture
def number():
    return new_number()


@pytest.fixture
def at(acquirer, tmp_path, number):
    """Return the terminal as a process that has just started sees it."""
    return lambda: direct_terminal(acquirer.address, tmp_path, number)


@pytest.fixture
def opened(tmp_path, clock):
    """Open the journal as a process that has just started does; it has none of the sales."""
    journals = []

    def journal():
        for one in journals:
            one.shut()
        connection = open_journal(tmp_path / "journal.db")
        journals[:] = [SqliteJournal(connection, threading.Lock(), clock, "", lambda: None, lambda: None)]
        return journals[0]

    yield journal
    for one in journals:
        one.shut()


def batches_settled(acquirer, number):
    return [one["batch"] for one in acquirer.books() if (one["kind"], one["tid"]) == ("settled", number)]


@pytest.mark.parametrize("fault", ["lost_answer", "wrong_mac", "no_mac", "cut_answer"])
def test_the_difference_of_a_batch_whose_answer_was_lost_is_told_by_the_next(
    fault, acquirer, at, opened, number, sell
):
    sell(12_000, at=at())
    acquirer.fault(fault, on="settle")
    with pytest.raises(NotConfirmed, match="confirm batch 000001"):
        close_batches(number, at(), opened())
    journal = opened()
    first, second = close_batches(number, at(), journal)
    assert (first.batch, first.ours, first.theirs, first.balanced) == ("000001", NOTHING, THEIRS, False)
    assert "the host has 1 sales of 12000 fen" in words_on(first)
    assert (second.batch, second.balanced) == ("000002", True)
    assert batches_settled(acquirer, number) == ["000001", "000002"]
    for one in (first, second):
        journal.closing_told(number, one.batch)
    assert [one.batch for one in close_batches(number, at(), opened())] == ["000003"]


def test_a_closing_that_never_arrived_is_made_again_with_what_was_sold_since(
    acquirer, at, opened, number, sell
):
    acquirer.fault("lost_request", on="settle")
    with pytest.raises(NotConfirmed):
        close_batches(number, at(), opened())
    sell(12_000, at=at())
    (only,) = close_batches(number, at(), opened())
    assert (only.batch, only.theirs) == ("000001", THEIRS)
    assert batches_settled(acquirer, number) == ["000001"]


def test_what_nobody_was_told_is_told_again(acquirer, at, opened, number):
    close_batches(number, at(), opened())
    again = close_batches(number, at(), opened())
    assert [one.batch for one in again] == ["000001", "000002"]
    assert opened().untold_closings(number) == ("000001", "000002")
    assert opened().untold_closings("EMU99999") == ()


def test_a_host_that_does_not_say_it_again_leaves_it_to_a_person(acquirer, at, opened, number, sell):
    sell(12_000, at=at())
    acquirer.fault("lost_answer", on="settle")
    with pytest.raises(NotConfirmed):
        close_batches(number, at(), opened())
    acquirer.fault("declined", on="settle", code="95")
    first, second = close_batches(number, at(), opened())
    assert (first.theirs, first.code, first.balanced, second.balanced) == (None, "95", False, True)
    assert "compare it with the acquirer's file" in words_on(first)


@pytest.mark.parametrize(("code", "says"), [("96", "did not confirm"), ("05", "refuses to close")])
def test_a_host_that_does_not_close_the_open_batch_leaves_it_open(code, says, acquirer, at, opened, number):
    acquirer.fault("declined", on="settle", code=code)
    with pytest.raises(NotConfirmed, match=says):
        close_batches(number, at(), opened())
    assert batches_settled(acquirer, number) == []
    assert opened().untold_closings(number) == ("000001",)


def test_counting_changes_nothing_and_shows_what_is_not_told(acquirer, at, opened, number):
    acquirer.fault("lost_answer", on="settle")
    with pytest.raises(NotConfirmed):
        close_batches(number, at(), opened())
    counted = close_batches(number, at(), opened(), dry_run=True)
    assert [(one.batch, one.theirs, one.code) for one in counted] == [
        ("000001", None, ""),
        ("000002", None, ""),
    ]
    assert batches_settled(acquirer, number) == ["000001"]
    assert opened().untold_closings(number) == ("000001",)


def test_a_host_that_is_away_is_said(number, tmp_path, opened):
    with pytest.raises(NotConfirmed, match="is not there"):
        close_batches(number, direct_terminal("127.0.0.1:1", tmp_path, number), opened())
