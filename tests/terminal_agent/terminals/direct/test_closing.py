"""A batch whose closing was not answered is asked about, and told, by the next closing."""

import threading

import pytest
from acquirer import direct_terminal, new_number, profile_text
from lone_agent import LoneAgent
from return_desk import ReturnDesk
from unit_shop import TERMINAL

from terminal_agent.app import Agent
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.states import SaleState
from terminal_agent.config import read_config
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.terminals.direct.closing import NotConfirmed, close_batches, may_still_move, words_on
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


@pytest.fixture
def desk(tmp_path, moves_taken):
    desk = ReturnDesk(tmp_path)
    yield desk
    moves_taken |= {tuple(row) for row in desk.rows("SELECT DISTINCT what, before, after FROM move")}
    desk.connection.close()


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


class Full:
    """A journal with more in batch 000001 than a settlement can say."""

    def __init__(self, journal, sales, backs):
        self._journal, self._full = journal, (sales * 100, sales, backs * 100, backs)

    def __getattr__(self, name):
        return getattr(self._journal, name)

    def moved_in_batch(self, terminal_no, batch, merchant_no):
        return self._full if batch == "000001" else (0, 0, 0, 0)


@pytest.mark.parametrize(("sales", "backs"), [(1000, 0), (0, 1000)])
def test_a_batch_of_more_than_a_settlement_can_say_is_left_to_the_acquirer_in_words(
    sales, backs, acquirer, at, opened, number
):
    with pytest.raises(NotConfirmed) as wrong:
        close_batches(number, at(), Full(opened(), sales, backs))
    assert f"Batch 000001 of {number} has {sales} sales and {backs} given back" in str(wrong.value)
    assert "999 of each" in str(wrong.value)
    assert "Have the acquirer close the batch at the host" in str(wrong.value)
    assert batches_settled(acquirer, number) == []
    assert opened().untold_closings(number) == ()
    acquirer.settle(number)
    (only,) = close_batches(number, at(), Full(opened(), sales, backs))
    assert (only.batch, only.balanced) == ("000002", True)


def test_a_closing_that_could_never_be_asked_stands_in_the_way_of_no_other(acquirer, at, opened, number):
    opened().begin_closing(number, "000001")
    acquirer.settle(number)
    first, second = close_batches(number, at(), Full(opened(), 1000, 0))
    assert (first.batch, first.theirs, first.balanced) == ("000001", None, False)
    assert "the host was not asked. Compare it with the acquirer's file" in words_on(first)
    assert (second.batch, second.balanced) == ("000002", True)


def test_a_batch_of_as_much_as_a_settlement_can_say_is_closed(acquirer, at, opened, number):
    (only,) = close_batches(number, at(), Full(opened(), 999, 999))
    assert (only.batch, only.theirs, only.balanced) == ("000001", NOTHING, False)


def test_an_agent_counts_what_is_in_the_batch_and_status_says_that_it_is_full(
    acquirer, number, tmp_path, monkeypatch, prepared
):
    host = LoneAgent(tmp_path)
    (tmp_path / "direct.yaml").write_text(profile_text(number), encoding="utf-8")
    one = f'  {number}: {{driver: iso8583_direct, port: "{acquirer.address}", profile: direct.yaml}}\n'
    text = host.config.read_text(encoding="utf-8")
    host.config.write_text(text.replace("terminals:\n", f"terminals:\n{one}", 1), encoding="utf-8")
    monkeypatch.setattr(SqliteJournal, "moved_in_batch", lambda *_: (90_000, 900, 0, 0))
    agent = Agent(read_config(host.config), lambda event, **more: None)
    try:
        payment = agent._payments[number]
        assert payment.take(prepared(at=payment)).evidence.code == "BATCH_FULL"
        (line,) = [one["line"] for one in agent.status()["terminals"] if one["terminal_no"] == number]
        assert f"`terminal-agent settle {number}`" in line["problem"]
    finally:
        agent.journal.shut()


def test_a_host_that_is_away_is_said(number, tmp_path, opened):
    with pytest.raises(NotConfirmed, match="is not there"):
        close_batches(number, direct_terminal("127.0.0.1:1", tmp_path, number), opened())


OPEN_MARKS = [
    ("@EMU000000000002.{number}", False),
    ("@EMU000000000001.EMU99999", False),
    ("@EMU000000000001.{number}", True),
    ("", True),
]


@pytest.mark.parametrize(("at_merchant", "expected"), OPEN_MARKS)
def test_what_another_merchant_left_open_keeps_no_batch_from_being_closed(
    at_merchant, expected, unit_shop, tmp_path, number
):
    payment = direct_terminal("127.0.0.1:1", tmp_path, number, merchant='"EMU000000000001"')
    journal = unit_shop.real_journal
    assert not may_still_move(TERMINAL, payment, journal)
    unit_shop.payment.mark = f"S.000001.000017.0131.a-1{at_merchant.format(number=number)}"
    unit_shop.payment.takes[0] = Answer(Say.UNCLEAR)
    assert unit_shop.sell().state is SaleState.PARKED
    assert may_still_move(TERMINAL, payment, journal) is expected


@pytest.mark.parametrize(("at_merchant", "expected"), OPEN_MARKS)
def test_a_return_that_another_merchant_left_open_keeps_no_batch_from_being_closed(
    at_merchant, expected, desk, tmp_path, number
):
    payment = direct_terminal("127.0.0.1:1", tmp_path, number, merchant='"EMU000000000001"')
    sold = desk.sell()
    desk.payment.mark = f"B.000001.000017.000018{at_merchant.format(number=number)}"
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    after, _ = desk.give_back(sold)
    assert after.state is SaleState.RETURNING
    assert may_still_move(TERMINAL, payment, desk.real_journal) is expected
