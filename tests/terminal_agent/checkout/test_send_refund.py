"""A refund that was refused may be done by an earlier try that arrives later: it is waited for."""

import pytest
from msgspec.structs import replace
from return_desk import ReturnDesk
from unit_shop import BY_PHONE, TO_PAY_FEN

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.states import AttemptState, ReturnState, SaleState

S, R = SaleState, ReturnState
SILENCE = Answer(Say.UNCLEAR)
REFUSED = Answer(Say.DECLINED, evidence=Evidence(code="NOT_ENOUGH"))
DONE = Answer(Say.APPROVED, TO_PAY_FEN, Evidence(code="SUCCESS"))


@pytest.fixture
def desk(tmp_path):
    desk = ReturnDesk(tmp_path)
    desk.channel.takes[0] = DONE
    desk.channel.clocks = replace(desk.channel.clocks, resolver_s=10)
    yield desk
    desk.connection.close()


@pytest.fixture
def sold(desk):
    return desk.sell(way=BY_PHONE)


def look(desk, sale):
    desk.phone_lane.look_at_parked()
    return desk.now(sale).returns[-1].state


def two_time_outs(desk):
    return 2 * desk.channel.clocks.host_timeout_s


def test_refused_at_the_first_try_it_is_refused_at_once(desk, sold):
    desk.channel.refunds.append(REFUSED)
    after, _ = desk.give_back(sold)
    assert (after.state, after.returns[0].state) == (S.PAID, R.REFUSED)


@pytest.mark.parametrize("unanswered", [SILENCE, Answer(Say.NOT_FOUND)], ids=["silence", "not found"])
def test_refused_after_a_try_without_an_answer_it_is_refused_two_time_outs_later(unanswered, desk, sold):
    began_ms = desk.clock.steady_ms()
    desk.channel.refunds += [unanswered, REFUSED]
    waiting, _ = desk.give_back(sold)
    assert (waiting.state, waiting.returns[0].state) == (S.RETURNING, R.SENDING)
    assert waiting.returns[0].evidence.code == "NOT_ENOUGH"

    passed_s = (desk.clock.steady_ms() - began_ms) / 1000
    desk.clock.sleep(two_time_outs(desk) - passed_s - 1)
    assert look(desk, sold) is R.SENDING
    desk.clock.sleep(1)
    assert look(desk, sold) is R.REFUSED
    assert desk.now(sold).state is S.PAID


def test_each_try_without_an_answer_is_waited_for_anew(desk, sold):
    desk.channel.refunds.append(SILENCE)
    desk.give_back(sold)
    desk.clock.sleep(two_time_outs(desk))
    assert look(desk, sold) is R.SENDING
    desk.channel.refunds[0] = REFUSED
    assert look(desk, sold) is R.SENDING


def test_a_delayed_copy_that_refunds_after_a_later_try_was_refused_is_found(desk, sold):
    desk.channel.refunds += [SILENCE, REFUSED]
    desk.give_back(sold)

    desk.channel.refunds[0] = DONE
    assert look(desk, sold) is R.REFUNDED
    assert desk.now(sold).state is S.RETURNED


def test_what_another_run_has_sent_counts_as_unanswered(desk, sold):
    desk.channel.refunds.append(SILENCE)
    desk.give_back(sold)
    desk.channel.refunds[0] = REFUSED
    desk.clock.sleep(10 * two_time_outs(desk))

    desk.restart()
    assert look(desk, sold) is R.SENDING
    desk.clock.sleep(two_time_outs(desk))
    assert look(desk, sold) is R.REFUSED


def test_a_new_return_after_a_refused_one_is_refused_at_once_again(desk, sold):
    desk.channel.refunds.append(REFUSED)
    desk.give_back(sold)
    after, _ = desk.give_back(sold)
    assert [one.state for one in after.returns] == [R.REFUSED, R.REFUSED]


def test_a_terminal_that_can_know_what_was_done_is_believed_at_once(desk):
    sold = desk.sell()
    desk.payment.refunds += [SILENCE, REFUSED]
    after, _ = desk.give_back(sold)
    assert after.returns[0].state is R.REFUSED


def test_money_that_cannot_be_reversed_gets_no_new_mark_while_a_try_may_be_on_its_way(desk):
    sale = desk.open(way=BY_PHONE).sale
    desk.channel.takes[0] = Answer(Say.APPROVED, 1, Evidence(code="SUCCESS"))
    desk.channel.reversals[0] = Answer(Say.DECLINED)
    desk.channel.refunds += [SILENCE, REFUSED]
    desk.channel.before_answer.append(lambda: setattr(desk.channel, "mark", "first"))
    desk.phone_lane.pay(sale.record_id, 1)
    desk.clock.sleep(desk.channel.clocks.reverse_not_before_s)
    desk.phone_lane.look_at_parked()
    assert desk.now(sale).attempts[0].state is AttemptState.GIVING_BACK

    desk.channel.mark = "second"
    desk.phone_lane.look_at_parked()
    assert desk.now(sale).attempts[0].back_mark == "first"
    desk.clock.sleep(two_time_outs(desk))
    desk.phone_lane.look_at_parked()
    assert desk.now(sale).attempts[0].back_mark == "second"


def remembered(lane):
    """Return all that a lane keeps in memory of attempts and refunds, by their numbers."""
    resolver, refunding = lane._resolver, lane._refunding
    return [
        *refunding._refunds._quiet_ms,
        *resolver._refunds._quiet_ms,
        *resolver._not_found,
        *lane._paying._begun_ms,
    ]


def test_only_what_is_open_is_remembered_however_much_was_sold_and_given_back(desk):
    for number in range(20):
        desk.channel.takes[0] = DONE
        # All are given back, or refused; some answers are lost first.
        desk.channel.refunds.clear()
        desk.channel.refunds += [SILENCE] * (number % 2) + [[DONE, REFUSED][number // 2 % 2]] * 9
        given, _ = desk.give_back(desk.sell(way=BY_PHONE))
        desk.clock.sleep(two_time_outs(desk))
        look(desk, given)
        assert desk.now(given).state is not S.RETURNING
    desk.channel.refunds.clear()
    desk.channel.refunds += [SILENCE] * 9
    waits, _ = desk.give_back(desk.sell(way=BY_PHONE))
    assert look(desk, waits) is R.SENDING
    assert remembered(desk.phone_lane) == [desk.now(waits).returns[-1].refund_no]


def test_looking_at_what_is_open_does_not_begin_its_waiting_anew(desk, sold):
    desk.channel.refunds += [SILENCE, *[REFUSED] * 9]
    desk.give_back(sold)
    for _ in range(4):
        desk.clock.sleep(two_time_outs(desk) / 4)
        state = look(desk, sold)
    assert state is R.REFUSED
