"""What a terminal's worker finishes after a restart, and in which order it works."""

from collections import deque

import pytest
from unit_shop import SAID, TERMINAL, TO_PAY_FEN

from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.states import AttemptState, SaleState

TAKE = f"take {TO_PAY_FEN}"
APPROVED = Answer(Say.APPROVED, TO_PAY_FEN, SAID)


def cut_off(shop, *, marked):
    """Return a sale whose agent died with its attempt INTENDED: before or after the mark was stored."""
    sale = shop.open().sale
    if marked:
        assert shop.real_journal.mark_attempt(sale.record_id, 1, shop.payment.mark)
    shop.clock.sleep(1)
    shop.log.clear()
    return sale


def test_without_a_mark_nothing_was_sent_and_the_terminal_is_not_asked(unit_shop):
    sale = cut_off(unit_shop, marked=False)

    unit_shop.restart()

    assert unit_shop.log == ["finished not paid"]
    after = unit_shop.now(sale)
    assert (after.state, after.attempt(1).evidence.code) == (SaleState.CLOSING, "STOPPED")


@pytest.mark.parametrize(
    ("query", "state"),
    [(APPROVED, SaleState.PAID), (Answer(Say.DECLINED), SaleState.CLOSING)],
    ids=["charged", "not charged"],
)
def test_with_a_mark_the_terminal_is_asked_and_never_told_again(query, state, unit_shop):
    sale = cut_off(unit_shop, marked=True)
    unit_shop.payment.queries[0] = query

    unit_shop.restart()

    assert unit_shop.log[:2] == ["unknown", "query"]
    assert TAKE not in unit_shop.log
    assert unit_shop.now(sale).state is state


def test_what_stays_unknown_after_a_restart_is_parked(unit_shop):
    sale = cut_off(unit_shop, marked=True)
    unit_shop.restart()
    assert unit_shop.now(sale).state is SaleState.PARKED
    unit_shop.restart()
    assert unit_shop.now(sale).state is SaleState.PARKED


def test_a_parked_sale_holds_its_terminal_at_no_later_start_but_is_asked_about_as_long_by_resume(unit_shop):
    sales = [cut_off(unit_shop, marked=True) for _ in range(2)]
    unit_shop.restart()
    assert {unit_shop.now(sale).state for sale in sales} == {SaleState.PARKED}
    asked = []
    unit_shop.payment.query = lambda ask: asked.append(ask.pay_ref) or Answer(Say.UNCLEAR)

    class Started(Exception):
        pass

    class Jobs:
        def take(self, timeout_s):
            raise Started

    began_ms = unit_shop.clock.steady_ms()
    with pytest.raises(Started):
        unit_shop.lane.run(Jobs())

    assert asked == [unit_shop.now(sale).attempt(1).pay_ref for sale in sales]
    assert unit_shop.clock.steady_ms() == began_ms
    unit_shop.lane.resume()
    assert unit_shop.clock.steady_ms() == began_ms + 2 * 1000 * unit_shop.payment.clocks.resolver_s


def test_the_oldest_is_finished_first(unit_shop):
    sales = [cut_off(unit_shop, marked=True) for _ in range(3)]
    unit_shop.payment.queries = deque([Answer(Say.DECLINED)] * 3)
    asked = []
    query = unit_shop.payment.query
    unit_shop.payment.query = lambda ask: asked.append(ask.pay_ref) or query(ask)

    unit_shop.restart()

    assert asked == [unit_shop.now(sale).attempt(1).pay_ref for sale in sales]


def test_a_restart_changes_nothing_that_is_finished(unit_shop):
    paid = unit_shop.sell()
    before = unit_shop.rows("SELECT * FROM move")

    unit_shop.restart()

    assert unit_shop.now(paid).state is SaleState.PAID
    assert unit_shop.rows("SELECT * FROM move") == before


@pytest.mark.parametrize("asking", [False, True], ids=["new", "asking"])
def test_a_sale_that_had_no_promise_is_ended_by_a_restart(asking, unit_shop):
    class PowerCut(Exception):
        pass

    unit_shop.centre.instead["hold" if asking else "facts"] = PowerCut()
    with pytest.raises(PowerCut):
        unit_shop.open()
    (record_id,) = unit_shop.rows("SELECT record_id FROM sale")[0]

    unit_shop.restart()

    sale = unit_shop.real_journal.sale(record_id)
    if asking:
        assert (sale.state, sale.why) == (SaleState.CLOSING, "the agent was restarted")
    else:
        assert (sale.state, sale.reasons) == (SaleState.REFUSED, ("SALE_INTERRUPTED",))


def test_a_hold_without_a_payment_does_not_survive_a_restart(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    assert sale.state is SaleState.HELD

    unit_shop.restart()

    assert unit_shop.now(sale).state is SaleState.CLOSING


def test_each_attempt_is_resolved_or_parked_before_the_next_is_taken(unit_shop):
    first, second = unit_shop.open().sale, unit_shop.open().sale
    unit_shop.log.clear()
    unit_shop.payment.takes = deque([Answer(Say.UNCLEAR), APPROVED])

    unit_shop.work(first)

    assert unit_shop.log.index("parked") < len(unit_shop.log) - 1 - unit_shop.log[::-1].index(TAKE)
    assert unit_shop.now(first).state is SaleState.PARKED
    assert unit_shop.now(second).state is SaleState.PAID


def test_while_idle_it_looks_only_at_what_is_undecided(unit_shop):
    unit_shop.sell()
    waiting = unit_shop.open().sale
    unit_shop.log.clear()

    unit_shop.lane.look_at_parked()

    assert unit_shop.log == []
    assert unit_shop.now(waiting).attempt(1).state is AttemptState.INTENDED


def test_it_resumes_before_it_takes_and_looks_while_it_is_idle(unit_shop):
    cut = cut_off(unit_shop, marked=True)
    unit_shop.payment.queries = deque([APPROVED])
    fresh = unit_shop.open().sale
    unit_shop.log.clear()

    class Over(Exception):
        pass

    class Jobs:
        def __init__(self, jobs):
            self._waiting = deque(jobs)

        def take(self, timeout_s):
            assert timeout_s >= unit_shop.payment.clocks.poll_every_s
            if not self._waiting:
                raise Over
            return self._waiting.popleft()

    # The attempt of a sale that came in meanwhile has no mark yet.
    unit_shop.real_journal.mark_attempt(fresh.record_id, 1, unit_shop.payment.mark)
    with pytest.raises(Over):
        unit_shop.lane.run(Jobs([(cut.record_id, 1), None, (fresh.record_id, 1)]))

    assert TAKE not in unit_shop.log
    assert {unit_shop.now(one).state for one in (cut, fresh)} == {SaleState.PAID}


def test_what_is_undecided_is_asked_about_ever_more_rarely_and_seldom_when_nothing_is(unit_shop):
    parked = cut_off(unit_shop, marked=True)
    unit_shop.payment.queries = deque([Answer(Say.UNCLEAR)])
    pauses = []

    class Over(Exception):
        pass

    class Jobs:
        def take(self, timeout_s):
            pauses.append(timeout_s / unit_shop.payment.clocks.poll_every_s)
            if len(pauses) == 10:
                raise Over
            # Work in between, and in the end an answer.
            if len(pauses) == 8:
                unit_shop.payment.queries = deque([APPROVED])
            return (parked.record_id, 1, None) if len(pauses) == 6 else None

    with pytest.raises(Over):
        unit_shop.lane.run(Jobs())

    assert pauses == [1, 2, 4, 8, 12, 12, 1, 2, 12, 12]
    assert unit_shop.now(parked).state is SaleState.PAID


def test_an_attempt_on_another_terminal_is_not_this_ones(unit_shop):
    cut_off(unit_shop, marked=True)
    assert len(unit_shop.real_journal.open_attempts(TERMINAL)) == 1
    assert unit_shop.real_journal.open_attempts("EMU00002") == []
