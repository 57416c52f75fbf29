"""How UNKNOWN comes to an explicit answer or is parked, and that nothing is ever paid again."""

from collections import deque

import pytest
from msgspec.structs import replace
from unit_shop import CLOCKS, SAID, TERMINAL, TO_PAY_FEN

from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.states import AttemptState, SaleState

APPROVED = Answer(Say.APPROVED, TO_PAY_FEN, SAID)
DECLINED = Answer(Say.DECLINED)
NOT_FOUND = Answer(Say.NOT_FOUND)
PENDING = Answer(Say.PENDING)
UNCLEAR = Answer(Say.UNCLEAR)
LONG_ENOUGH_S = 2 * CLOCKS.host_timeout_s


class PowerCut(BaseException):
    """The agent is dead."""


def unknown_sale(shop, *queries, reversals=(UNCLEAR,)):
    """Sell an item whose answer does not come; the terminal says `queries` when it is asked."""
    shop.payment.takes[0] = UNCLEAR
    shop.payment.queries = deque(queries or [UNCLEAR])
    shop.payment.reversals = deque(reversals)
    return shop.sell()


@pytest.mark.parametrize(
    ("query", "state", "attempt"),
    [
        (APPROVED, SaleState.PAID, AttemptState.PAID),
        (DECLINED, SaleState.HELD, AttemptState.NOT_PAID),
        (UNCLEAR, SaleState.PARKED, AttemptState.UNKNOWN),
        (PENDING, SaleState.PARKED, AttemptState.UNKNOWN),
    ],
)
def test_an_explicit_answer_ends_it_and_nothing_else_does(query, state, attempt, unit_shop):
    sale = unknown_sale(unit_shop, query)
    assert (sale.state, sale.attempt(1).state) == (state, attempt)


def test_it_asks_and_never_takes_again(unit_shop):
    unknown_sale(unit_shop, UNCLEAR, UNCLEAR, UNCLEAR, APPROVED)
    assert unit_shop.log.count(f"take {TO_PAY_FEN}") == 1
    assert unit_shop.log.count("query") == 4


def test_its_time_is_bounded_and_it_asks_in_the_rhythm_of_the_link(unit_shop):
    unit_shop.payment.takes[0] = UNCLEAR
    sale = unit_shop.open().sale
    started = unit_shop.clock.steady

    assert unit_shop.work(sale).state is SaleState.PARKED

    assert unit_shop.clock.steady - started == CLOCKS.resolver_s * 1000
    assert unit_shop.log.count("query") == 1 + CLOCKS.resolver_s / CLOCKS.poll_every_s


# Not found.


def test_not_found_twice_and_two_host_timeouts_later_is_a_no(unit_shop):
    unit_shop.payment.takes[0] = UNCLEAR
    sale = unit_shop.open().sale
    unit_shop.payment.queries[0] = NOT_FOUND
    started = unit_shop.clock.steady

    sale = unit_shop.work(sale)

    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert unit_shop.clock.steady - started == LONG_ENOUGH_S * 1000


def test_not_found_once_is_no_answer_however_late(unit_shop):
    sale = unknown_sale(unit_shop, UNCLEAR)
    unit_shop.clock.sleep(10 * LONG_ENOUGH_S)
    unit_shop.payment.queries[0] = NOT_FOUND

    assert unit_shop.resolver.look(sale.record_id, 1).attempt(1).state is AttemptState.UNKNOWN
    assert unit_shop.resolver.look(sale.record_id, 1).attempt(1).state is AttemptState.NOT_PAID


def test_not_found_is_no_answer_too_early_and_what_another_run_has_seen_does_not_count(unit_shop):
    sale = unknown_sale(unit_shop, UNCLEAR)
    unit_shop.clock.sleep(10 * LONG_ENOUGH_S)
    unit_shop.payment.queries[0] = NOT_FOUND
    paying = Paying(
        unit_shop.journal,
        unit_shop.payment,
        unit_shop.clock,
        unit_shop.checkout.hold_is_over,
        unit_shop.board,
    )
    started_again = Resolver(unit_shop.journal, unit_shop.payment, unit_shop.clock, paying)

    for _ in range(20):
        assert started_again.look(sale.record_id, 1).attempt(1).state is AttemptState.UNKNOWN
    unit_shop.clock.sleep(LONG_ENOUGH_S)
    assert started_again.look(sale.record_id, 1).attempt(1).state is AttemptState.NOT_PAID


@pytest.mark.parametrize("between", [PENDING, UNCLEAR], ids=["pending", "unclear"])
def test_another_answer_in_between_makes_not_found_count_anew(between, unit_shop):
    sale = unknown_sale(unit_shop, UNCLEAR)
    unit_shop.clock.sleep(10 * LONG_ENOUGH_S)
    for answer in (NOT_FOUND, between, NOT_FOUND):
        unit_shop.payment.queries[0] = answer
        assert unit_shop.resolver.look(sale.record_id, 1).attempt(1).state is AttemptState.UNKNOWN
    assert unit_shop.resolver.look(sale.record_id, 1).attempt(1).state is AttemptState.NOT_PAID


def test_not_found_is_never_a_no_on_a_link_that_cannot_know(unit_shop):
    unit_shop.payment.not_found_is_no = False
    sale = unknown_sale(unit_shop, NOT_FOUND)
    assert (sale.state, sale.attempt(1).state) == (SaleState.PARKED, AttemptState.UNKNOWN)


# The one-way door.


def reversing_sale(shop, *reversals):
    shop.payment.takes[0] = Answer(Say.APPROVED, 1, SAID)
    shop.payment.queries = deque([APPROVED])
    shop.payment.reversals = deque(reversals)
    return shop.sell()


@pytest.mark.parametrize("said", [UNCLEAR, PENDING], ids=lambda answer: answer.say.value)
def test_what_is_being_reversed_is_reversed_until_that_is_confirmed(said, unit_shop):
    sale = reversing_sale(unit_shop, said, said, Answer(Say.APPROVED))
    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert unit_shop.log.count("reverse") == 3


@pytest.mark.parametrize("said", [UNCLEAR, PENDING, DECLINED, NOT_FOUND], ids=lambda one: one.say.value)
def test_what_can_no_longer_be_reversed_is_refunded_until_that_is_confirmed(said, unit_shop):
    """Settled: the void is refused for good, so the money goes back under a number of its own."""
    unit_shop.payment.refunds = deque([said, said, Answer(Say.APPROVED, 1)])

    sale = reversing_sale(unit_shop, DECLINED)

    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.GIVEN_BACK)
    assert unit_shop.log.count("refund 1") == 3
    back = unit_shop.payment.backs[0]
    assert unit_shop.payment.backs == [back] * 3
    assert (back.refund_no, back.evidence, back.mark) == (f"{sale.attempt(1).pay_ref}R", SAID, "000041")
    assert unit_shop.log.index("giving back") < unit_shop.log.index("refund 1")
    # The whole of what was taken: a channel that is told another total gives nothing back.
    assert {ask.amount_fen for ask in unit_shop.payment.asked_back} == {1}


def test_a_refund_that_was_refused_is_tried_anew_under_a_new_mark(unit_shop):
    marks = iter(["000041", "000042", "000043", "000044"])
    prepare = unit_shop.payment.prepare

    def prepared(ask):
        unit_shop.payment.mark = next(marks)
        return prepare(ask)

    unit_shop.payment.prepare = prepared
    unit_shop.payment.refunds = deque([DECLINED, UNCLEAR, Answer(Say.APPROVED, 1)])

    sale = reversing_sale(unit_shop, DECLINED)

    assert sale.attempt(1).state is AttemptState.GIVEN_BACK
    assert [one.mark for one in unit_shop.payment.backs] == ["000042", "000043", "000043"]
    assert len({one.refund_no for one in unit_shop.payment.backs}) == 1


def test_a_refund_of_another_amount_has_not_given_it_back(unit_shop):
    unit_shop.payment.refunds = deque([Answer(Say.APPROVED, 2)])
    sale = reversing_sale(unit_shop, DECLINED)
    assert (sale.state, sale.attempt(1).state) == (SaleState.PARKED, AttemptState.GIVING_BACK)


def test_what_is_being_given_back_goes_on_being_given_back_after_a_restart(unit_shop):
    sale = reversing_sale(unit_shop, DECLINED)
    assert sale.attempt(1).state is AttemptState.GIVING_BACK
    unit_shop.log.clear()
    unit_shop.payment.refunds[0] = Answer(Say.APPROVED, 1)

    unit_shop.restart()

    assert unit_shop.log == ["refund 1", "given back"]
    after = unit_shop.now(sale)
    assert (after.state, after.attempt(1).state) == (SaleState.CLOSING, AttemptState.GIVEN_BACK)


def test_nothing_is_refunded_while_the_terminal_is_away_that_would_have_to_tell_its_last_trace(unit_shop):
    unit_shop.payment.before_answer.append(lambda: setattr(unit_shop.payment, "mark", None))
    sale = reversing_sale(unit_shop, DECLINED)
    assert sale.attempt(1).state is AttemptState.REVERSING
    assert not unit_shop.payment.backs


def test_no_query_is_heard_once_it_is_reversing(unit_shop):
    sale = reversing_sale(unit_shop, UNCLEAR)
    assert (sale.state, sale.attempt(1).state) == (SaleState.PARKED, AttemptState.REVERSING)
    assert "query" not in unit_shop.log


def test_a_yes_that_comes_late_makes_nothing_paid_that_is_being_reversed(unit_shop):
    sale = reversing_sale(unit_shop, UNCLEAR)

    after = unit_shop.paying.record(sale, sale.attempt(1), APPROVED)

    assert (after.state, after.attempt(1).state) == (SaleState.PARKED, AttemptState.REVERSING)
    assert unit_shop.rows("SELECT count(*) FROM outbox") == [(0,)]


def test_it_stays_reversing_over_a_restart(unit_shop):
    sale = reversing_sale(unit_shop, UNCLEAR)
    unit_shop.payment.reversals[0] = Answer(Say.APPROVED)
    unit_shop.log.clear()

    unit_shop.restart()

    assert unit_shop.log == ["reverse", "finished not paid"]
    assert unit_shop.payment.voided[-1] == SAID
    assert unit_shop.now(sale).attempt(1).state is AttemptState.NOT_PAID


def test_found_paid_with_another_amount_it_is_given_back(unit_shop):
    sale = unknown_sale(
        unit_shop, Answer(Say.APPROVED, TO_PAY_FEN - 1, SAID), reversals=[Answer(Say.APPROVED)]
    )
    assert unit_shop.payment.voided == [SAID]
    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)


def test_what_was_given_back_instead_of_reversed_is_counted_in_the_batch_of_its_refund(unit_shop):
    """The terminal's totals left it out, and the host's settlement did not balance."""
    in_batch = replace(SAID, batch="000007")
    unit_shop.payment.refunds[0] = Answer(
        Say.APPROVED, TO_PAY_FEN - 1, replace(SAID, batch="000008", trace="000077")
    )
    sale = unknown_sale(
        unit_shop, Answer(Say.APPROVED, TO_PAY_FEN - 1, in_batch), reversals=[Answer(Say.DECLINED)]
    )
    assert sale.attempt(1).state is AttemptState.GIVEN_BACK
    assert sale.attempt(1).evidence == in_batch
    totals = unit_shop.real_journal.moved_in_batch
    assert totals(TERMINAL, "000007", "") == (TO_PAY_FEN - 1, 1, 0, 0)
    assert totals(TERMINAL, "000008", "") == (0, 0, TO_PAY_FEN - 1, 1)


def test_a_batch_of_the_same_number_at_another_merchant_is_another_batch(unit_shop):
    """After a change of merchants the first batch was closed with what the old one's had come to."""
    first, second = (replace(SAID, batch=one, merchant_no="EMU000000000001") for one in ("000007", "000008"))
    unit_shop.payment.refunds[0] = Answer(Say.APPROVED, TO_PAY_FEN - 1, second)
    unknown_sale(unit_shop, Answer(Say.APPROVED, TO_PAY_FEN - 1, first), reversals=[Answer(Say.DECLINED)])
    totals = unit_shop.real_journal.moved_in_batch
    for batch in ("000007", "000008"):
        assert totals(TERMINAL, batch, "EMU000000000001") != (0, 0, 0, 0)
        assert totals(TERMINAL, batch, "EMU000000000002") == (0, 0, 0, 0)


# Parked.


@pytest.mark.parametrize(
    ("query", "state"), [(APPROVED, SaleState.PAID), (DECLINED, SaleState.HELD)], ids=["paid", "not paid"]
)
def test_a_parked_sale_is_settled_when_the_terminal_is_idle(query, state, unit_shop):
    sale = unknown_sale(unit_shop)
    assert sale.state is SaleState.PARKED
    unit_shop.payment.queries[0] = query

    unit_shop.lane.look_at_parked()

    assert unit_shop.now(sale).state is state


def test_a_parked_sale_that_was_stopped_closes_when_it_was_not_paid(unit_shop):
    sale = unknown_sale(unit_shop)
    unit_shop.checkout.stop(sale.record_id, unit_shop.key())
    unit_shop.payment.queries[0] = DECLINED

    unit_shop.lane.look_at_parked()

    assert unit_shop.now(sale).state is SaleState.CLOSING


def test_a_parked_sale_whose_time_is_over_closes_when_it_was_not_paid(unit_shop):
    sale = unknown_sale(unit_shop)
    unit_shop.clock.sleep(900)
    unit_shop.payment.queries[0] = DECLINED

    unit_shop.lane.look_at_parked()

    after = unit_shop.now(sale)
    assert (after.state, [one.value for one in after.reasons]) == (SaleState.CLOSING, ["HOLD_OVER"])


def test_a_parked_sale_whose_time_is_over_is_paid_when_it_was_paid(unit_shop):
    """The hold's time stops a payment from starting, and nothing else."""
    sale = unknown_sale(unit_shop)
    unit_shop.clock.sleep(10_000)
    unit_shop.payment.queries[0] = APPROVED

    unit_shop.lane.look_at_parked()

    assert unit_shop.now(sale).state is SaleState.PAID


@pytest.mark.parametrize("is_copy", [True, False], ids=["a copy", "as it is"])
def test_a_link_is_told_that_a_sale_may_stand_here_as_it_was_long_ago(is_copy, unit_shop):
    def die():
        raise PowerCut

    unit_shop.payment.on_query = die
    with pytest.raises(PowerCut):
        unknown_sale(unit_shop, UNCLEAR)
    unit_shop.payment.on_query = lambda: None
    (sale,) = unit_shop.journal.unfinished()
    assert sale.state is SaleState.PAYING
    paying = Paying(
        unit_shop.journal,
        unit_shop.payment,
        unit_shop.clock,
        unit_shop.checkout.hold_is_over,
        unit_shop.board,
    )
    resolver = Resolver(unit_shop.journal, unit_shop.payment, unit_shop.clock, paying, lambda _: is_copy)

    resolver.look(sale.record_id, 1)

    assert unit_shop.payment.asked_about[-1].moved_on == is_copy
