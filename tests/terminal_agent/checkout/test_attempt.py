"""What an answer makes of an attempt, and that one attempt is sent at most once."""

import pytest
from unit_shop import SAID, TERMINAL, TO_PAY_FEN, an_attempt

from subsidy.records.payment import Evidence
from terminal_agent.checkout.attempt import Verdict, ask_of, judge
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.states import AttemptState, SaleState

OURS, OTHERS, UNNAMED = (Evidence(terminal_no=one) for one in (TERMINAL, "EMU99999", ""))


@pytest.mark.parametrize(
    ("say", "approved_fen", "evidence", "verdict"),
    [
        (Say.APPROVED, TO_PAY_FEN, OURS, Verdict.PAID),
        (Say.APPROVED, TO_PAY_FEN, UNNAMED, Verdict.PAID),
        (Say.APPROVED, TO_PAY_FEN - 1, OURS, Verdict.UNDO),
        (Say.APPROVED, TO_PAY_FEN + 1, OURS, Verdict.UNDO),
        (Say.APPROVED, 0, OURS, Verdict.UNDO),
        (Say.APPROVED, TO_PAY_FEN, OTHERS, Verdict.UNDO),
        (Say.APPROVED, None, OURS, Verdict.UNKNOWN),  # a yes to no amount is no yes
        (Say.DECLINED, None, OURS, Verdict.NOT_PAID),
        (Say.DECLINED, TO_PAY_FEN, OURS, Verdict.NOT_PAID),
        (Say.DECLINED, None, OTHERS, Verdict.NOT_PAID),
        (Say.NOT_FOUND, None, OURS, Verdict.UNKNOWN),  # "I know of none" is not a no
        (Say.NOT_FOUND, TO_PAY_FEN, OURS, Verdict.UNKNOWN),
        (Say.PENDING, None, OURS, Verdict.UNKNOWN),
        (Say.PENDING, TO_PAY_FEN, OURS, Verdict.UNKNOWN),
        (Say.UNCLEAR, None, OURS, Verdict.UNKNOWN),
        (Say.UNCLEAR, TO_PAY_FEN, OURS, Verdict.UNKNOWN),
    ],
)
def test_only_an_explicit_yes_or_no_counts_and_a_yes_only_to_what_was_asked(
    say, approved_fen, evidence, verdict
):
    assert judge(an_attempt(), Answer(say, approved_fen, evidence)) is verdict


def test_every_word_of_a_link_has_its_verdict():
    for say in Say:
        assert judge(an_attempt(), Answer(say)) in Verdict


def test_an_attempt_is_taken_once_with_its_mark_stored_before(unit_shop):
    unit_shop.sell()
    assert unit_shop.log.count(f"take {TO_PAY_FEN}") == 1
    assert unit_shop.log.index("marked") < unit_shop.log.index(f"take {TO_PAY_FEN}")


def test_a_job_that_was_done_is_not_done_again(unit_shop):
    sale = unit_shop.sell()
    unit_shop.lane.pay(sale.record_id, 1)
    assert unit_shop.log.count(f"take {TO_PAY_FEN}") == 1


def test_nothing_is_sent_to_a_terminal_that_does_not_answer(unit_shop):
    unit_shop.payment.mark = None

    sale = unit_shop.sell()

    assert not any(one.startswith("take") for one in unit_shop.log)
    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert sale.attempt(1).evidence.code == "TERMINAL_SILENT"


def test_nothing_is_sent_for_a_sale_that_was_stopped(unit_shop):
    sale = unit_shop.open().sale
    unit_shop.checkout.stop(sale.record_id, unit_shop.key())

    sale = unit_shop.work(sale)

    assert "prepare" not in unit_shop.log
    assert (sale.state, sale.attempt(1).evidence.code) == (SaleState.CLOSING, "STOPPED")


def test_nothing_is_sent_for_a_sale_that_is_stopped_while_the_terminal_is_asked_for_its_mark(unit_shop):
    sale = unit_shop.open().sale
    prepare = unit_shop.payment.prepare

    def stopped_meanwhile(ask):
        unit_shop.checkout.stop(sale.record_id, unit_shop.key())
        return prepare(ask)

    unit_shop.payment.prepare = stopped_meanwhile

    sale = unit_shop.work(sale)

    assert not any(one.startswith("take") for one in unit_shop.log)
    assert sale.state is SaleState.CLOSING


@pytest.mark.parametrize("clock", ["wall", "steady"])
def test_nothing_is_sent_when_the_holds_time_was_over_in_the_queue(clock, unit_shop):
    sale = unit_shop.open().sale
    setattr(unit_shop.clock, clock, getattr(unit_shop.clock, clock) + 900_000)

    sale = unit_shop.work(sale)

    assert "prepare" not in unit_shop.log
    assert (sale.state, sale.attempt(1).evidence.code) == (SaleState.CLOSING, "HOLD_OVER")
    assert [one.value for one in sale.reasons] == ["HOLD_OVER"]


def test_what_the_terminal_said_is_kept_when_a_later_answer_says_nothing(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.UNCLEAR, None, SAID)
    unit_shop.payment.queries.appendleft(Answer(Say.APPROVED, TO_PAY_FEN))

    sale = unit_shop.sell()

    assert sale.state is SaleState.PAID
    assert sale.attempt(1).evidence == SAID


def test_money_that_was_not_asked_for_is_reversing_before_the_reversal_leaves(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.APPROVED, 1, SAID)
    unit_shop.payment.reversals[0] = Answer(Say.APPROVED)

    sale = unit_shop.sell()

    assert unit_shop.log[-4:] == ["unknown", "reversing", "reverse", "finished not paid"]
    assert unit_shop.payment.voided == [SAID]
    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)


def test_a_card_that_is_charged_although_the_sale_was_stopped_is_given_back(unit_shop):
    sale = unit_shop.open().sale
    unit_shop.payment.before_answer = [lambda: unit_shop.checkout.stop(sale.record_id, unit_shop.key())]
    unit_shop.payment.queries[0] = Answer(Say.APPROVED, TO_PAY_FEN, SAID)
    unit_shop.payment.reversals[0] = Answer(Say.APPROVED)

    sale = unit_shop.work(sale)

    assert (sale.state, sale.attempt(1).state) == (SaleState.CLOSING, AttemptState.NOT_PAID)
    assert unit_shop.log.count(f"take {TO_PAY_FEN}") == unit_shop.log.count("reverse") == 1


def test_a_link_is_told_when_it_may_have_taken_other_payments_since(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.UNCLEAR)
    sale = unit_shop.open().sale
    assert not ask_of(sale, sale.attempt(1)).moved_on

    parked = unit_shop.work(sale)

    assert parked.state is SaleState.PARKED
    assert ask_of(parked, parked.attempt(1)).moved_on
