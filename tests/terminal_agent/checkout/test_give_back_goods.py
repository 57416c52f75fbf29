"""Goods come back: the centre agrees first, then the shopper's money goes back, once, whatever is cut."""

import pytest
from return_desk import VOIDED, WISH, Cut, ReturnDesk
from unit_shop import BY_PHONE, SAID, TO_PAY_FEN

from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.give_back_goods import FOUND_LATE, NoLink, Refunding
from terminal_agent.checkout.goods_return import Goods, Wish
from terminal_agent.checkout.ports import (
    Answer,
    CentreDenied,
    CentreUnreachable,
    KeyMacs,
    KeyReused,
    Say,
)
from terminal_agent.checkout.states import ReturnState, SaleState

S, R = SaleState, ReturnState
REFUND = f"refund {TO_PAY_FEN}"
YES = Answer(Say.APPROVED, TO_PAY_FEN, VOIDED)


@pytest.fixture
def desk(tmp_path, moves_taken):
    desk = ReturnDesk(tmp_path)
    yield desk
    moves_taken |= {tuple(row) for row in desk.rows("SELECT DISTINCT what, before, after FROM move")}
    desk.connection.close()


@pytest.fixture
def sold(desk):
    sale = desk.sell()
    desk.log.clear()
    return sale


def test_the_money_goes_back_only_when_everything_before_it_is_durable(desk, sold):
    after, refusal = desk.give_back(sold)

    assert (after.state, refusal) == (S.RETURNED, None)
    assert desk.log == [
        *("facts", "report", "returning", "block"),
        *("prepare", "sending", REFUND, "given back", "finished returned"),
    ]
    back = desk.payment.backs[0]
    assert (back.refund_no, back.fen, back.evidence, back.mark) == (
        after.attempts[0].pay_ref + "R",
        TO_PAY_FEN,
        SAID,
        "000041",
    )


def test_the_centre_is_told_of_its_beginning_and_of_its_end(desk, sold):
    after, _ = desk.give_back(sold)

    begun, ended = desk.entries(after, v1.Returning, v1.Returned)
    assert (begun.refund_no, begun.refund_fen) == (after.returns[0].refund_no, TO_PAY_FEN)
    assert (begun.operator, begun.supervisor, begun.reason) == ("cashier-1", "supervisor-1", "不喜欢颜色")
    assert (ended.refunded, ended.refund_no, ended.refund_fen, ended.evidence) == (
        True,
        begun.refund_no,
        TO_PAY_FEN,
        VOIDED,
    )


def test_a_phone_is_refunded_by_its_own_link(desk):
    desk.channel.takes[0] = Answer(Say.APPROVED, TO_PAY_FEN, Evidence(code="SUCCESS", channel_no="42"))
    sale = desk.sell(way=BY_PHONE)
    after, _ = desk.give_back(sale)
    assert after.state is S.RETURNED
    assert len(desk.channel.backs) == 1
    assert desk.payment.backs == []


def test_a_payment_that_the_centre_knows_is_not_reported_again(desk, sold):
    desk.acknowledge_all()
    desk.give_back(sold)
    assert "report" not in desk.log


@pytest.mark.parametrize("what", ["facts", "report"])
def test_with_the_line_down_nothing_is_begun(what, desk, sold):
    if what == "facts":
        desk.centre.instead["facts"] = CentreUnreachable("down")
    else:
        desk.reports = False
    before = desk.everything()

    after, refusal = desk.give_back(sold)

    assert (after.state, refusal) == (S.PAID, Refusal.CENTRE_UNREACHABLE)
    assert [table for table, rows in desk.everything().items() if rows != before[table]] in ([], ["outbox"])
    assert desk.entries(after, v1.Returning) == []


def test_a_centre_that_refuses_this_device_is_told_so(desk, sold):
    desk.centre.instead["facts"] = CentreDenied("frozen")
    after, refusal = desk.give_back(sold)
    assert (after.state, refusal) == (S.PAID, Refusal.DEVICE_NOT_ACCEPTED)


def test_without_the_centres_word_nothing_is_refunded_until_the_till_asks_again(desk, sold):
    desk.centre.instead["block"] = CentreUnreachable("down")
    waiting, refusal = desk.give_back(sold)
    assert (waiting.state, refusal) == (S.RETURNING, Refusal.CENTRE_UNREACHABLE)

    desk.acknowledge_all()  # the entry goes up by itself, with nobody at the till
    desk.lane.look_at_parked()
    desk.restart()
    assert desk.now(sold).returns[0].may_refund
    assert desk.payment.backs == []

    del desk.centre.instead["block"]
    after, refusal = desk.give_back(sold)
    assert (after.state, refusal) == (S.RETURNED, None)
    assert len(after.returns) == 1


@pytest.mark.parametrize("how", ["in the call", "while idle"])
def test_what_the_centre_does_not_take_in_is_not_refunded(how, desk, sold):
    desk.answer = "quarantined"
    if how == "while idle":
        desk.centre.instead["block"] = CentreUnreachable("down")
        desk.give_back(sold)
        desk.acknowledge_returning(sold.record_id)
        desk.lane.look_at_parked()
    else:
        desk.give_back(sold)

    after = desk.now(sold)
    assert (after.state, after.returns[0].state) == (S.PAID, R.REFUSED)
    assert after.returns[0].evidence.code == "NOT_TAKEN"
    assert desk.payment.backs == []
    assert [one.refunded for one in desk.entries(after, v1.Returned)] == [False]


def test_a_terminal_that_does_not_answer_refunds_nothing(desk, sold):
    desk.payment.mark = None
    after, _ = desk.give_back(sold)
    assert (after.state, after.returns[0].evidence.code) == (S.PAID, "TERMINAL_SILENT")
    assert desk.payment.backs == []


def test_a_refused_refund_leaves_the_sale_paid_and_can_be_tried_again(desk, sold):
    desk.payment.refunds.append(Answer(Say.DECLINED, evidence=Evidence(code="51")))
    refused, _ = desk.give_back(sold)
    assert (refused.state, refused.returns[0].state) == (S.PAID, R.REFUSED)
    assert [one.refunded for one in desk.entries(refused, v1.Returned)] == [False]

    desk.payment.refunds.clear()
    after, _ = desk.give_back(sold)
    assert (after.state, len(after.returns)) == (S.RETURNED, 2)
    assert len({one.refund_no for one in after.returns}) == 1
    assert [one.refunded for one in desk.entries(after, v1.Returned)] == [False, True]
    assert len(desk.entries(after, v1.Returning)) == 2


def test_the_key_of_a_refused_try_begins_no_other(desk, sold):
    key = desk.key()
    desk.payment.refunds.append(Answer(Say.DECLINED))
    desk.give_back(sold, key=key)
    desk.payment.refunds.clear()

    after, refusal = desk.give_back(sold, key=key)
    assert (after.state, len(after.returns), refusal) == (S.PAID, 1, None)


def test_the_key_of_a_try_that_was_refused_while_the_same_request_was_on_its_way_begins_no_other(desk, sold):
    key = desk.key()
    desk.payment.mark = None
    facts = desk.centre.facts

    def overtaken(request, within_s):
        desk.centre.facts = facts
        desk.give_back(sold, key=key)
        return facts(request, within_s)

    desk.centre.facts = overtaken

    after, refusal = desk.give_back(sold, key=key)
    assert (after.state, len(after.returns), refusal) == (S.PAID, 1, None)


def test_a_key_that_came_with_another_body_is_refused(desk, sold):
    desk.give_back(sold, key=KeyMacs("key", "body"))
    with pytest.raises(KeyReused):
        desk.give_back(sold, key=KeyMacs("key", "other body"))


def test_returned_twice_is_the_same_return(desk, sold):
    first, _ = desk.give_back(sold)
    again, refusal = desk.give_back(sold, Wish("cashier-2", "supervisor-2", "again"))
    assert (again, refusal) == (first, None)
    assert desk.given.total() == 1


UNCLEAR = [
    Answer(Say.UNCLEAR),
    Answer(Say.PENDING, evidence=Evidence(code="PROCESSING")),
    Answer(Say.NOT_FOUND),
    Answer(Say.APPROVED, None),
    Answer(Say.APPROVED, TO_PAY_FEN - 1),
]


@pytest.mark.parametrize("said", UNCLEAR, ids=lambda one: f"{one.say} {one.approved_fen}")
def test_only_an_explicit_answer_ends_a_refund_and_every_try_is_the_same(said, desk, sold):
    desk.payment.refunds.append(said)
    pending, refusal = desk.give_back(sold)
    assert (pending.state, pending.returns[0].state, refusal) == (S.RETURNING, R.SENDING, None)

    assert desk.lane.look_at_parked()
    desk.restart()
    assert desk.now(sold).state is S.RETURNING

    desk.payment.refunds.append(YES)
    desk.payment.refunds.popleft()
    assert not desk.lane.look_at_parked()
    assert desk.now(sold).state is S.RETURNED
    assert len(set(map(repr, desk.payment.backs))) == 1


def test_a_refund_is_repeated_for_the_resolvers_time_and_then_lets_the_terminal_sell(desk, sold):
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    began = desk.clock.steady_ms()
    desk.give_back(sold)
    assert desk.clock.steady_ms() - began == desk.payment.clocks.resolver_s * 1000
    assert desk.sell().state is S.PAID


def test_a_link_is_told_that_it_was_used_for_another_sale_since_a_refund_began(desk, sold):
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    desk.give_back(sold)
    desk.lane.look_at_parked()
    assert not desk.journal.has_moved_on(sold.record_id)

    desk.sell()

    assert desk.journal.has_moved_on(sold.record_id)
    desk.restart()
    assert desk.journal.has_moved_on(sold.record_id)


@pytest.mark.parametrize("is_copy", [True, False], ids=["a copy", "as it is"])
def test_a_link_is_told_that_a_return_may_stand_here_as_it_was_long_ago(is_copy, desk, sold):
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    desk.give_back(sold)
    refunding = Refunding(desk.journal, desk.payment, desk.clock, lambda _: is_copy)
    refunding.look(sold.record_id)
    assert desk.payment.asked_back[-1].moved_on == is_copy


def test_what_was_said_of_an_unclear_refund_is_kept(desk, sold):
    desk.payment.refunds.append(Answer(Say.PENDING, evidence=Evidence(code="PROCESSING")))
    desk.give_back(sold)
    desk.payment.refunds[0] = Answer(Say.UNCLEAR)
    desk.lane.look_at_parked()
    assert desk.now(sold).returns[0].evidence.code == "PROCESSING"


def test_while_goods_come_back_their_serial_number_stays_bound(desk, sold):
    serial_no = sold.request.item.serial_no
    desk.payment.refunds.append(Answer(Say.UNCLEAR))
    desk.give_back(sold)
    assert desk.open(serial_no=serial_no).sale.same_as == sold.record_id

    desk.payment.refunds[0] = YES
    desk.lane.look_at_parked()
    assert desk.sell(serial_no=serial_no).state is S.PAID


def test_a_sale_with_money_of_another_attempt_on_its_way_back_can_be_returned(desk):
    sale = desk.open(way=BY_PHONE).sale
    desk.channel.takes[0] = Answer(Say.APPROVED, 1, Evidence(code="SUCCESS"))
    desk.phone_paying.carry_out(sale.record_id, 1)
    desk.jobs.clear()
    again, refusal = desk.pay_again(desk.now(sale))
    assert refusal is None
    sale = desk.work(again)
    assert [one.state for one in sale.attempts] == ["REVERSING", "PAID"]

    after, _ = desk.give_back(sale)
    assert after.state is S.RETURNED
    desk.channel.reversals[0] = Answer(Say.APPROVED)
    desk.clock.sleep(desk.channel.clocks.reverse_not_before_s)
    desk.phone_lane.look_at_parked()
    told = desk.entries(after, v1.Supplement)
    assert [one.attempt.state for one in told] == ["NOT_PAID"]
    assert desk.given.total() == 1


def test_a_sale_whose_link_is_gone_is_not_begun(desk, sold):
    desk.returns._lanes = {}
    with pytest.raises(NoLink):
        desk.give_back(sold)
    assert desk.now(sold).state is S.PAID


# Found paid late.


@pytest.fixture
def late(desk):
    sale = desk.open().sale
    desk.payment.takes[0] = Answer(Say.UNCLEAR)
    desk.payment.queries[0] = Answer(Say.UNCLEAR)
    parked = desk.work(sale)
    assert parked.state is S.PARKED
    desk.clock.sleep(400)
    desk.payment.queries[0] = Answer(Say.APPROVED, TO_PAY_FEN, SAID)
    desk.lane.look_at_parked()
    found = desk.now(sale)
    assert (found.state, found.found_late) == (S.PAID, True)
    return found


def test_goods_that_were_handed_over_stay_sold(desk, late):
    after, _ = desk.say_about(late, Goods.HANDED_OVER)
    assert (after.state, after.answered.answer) == (S.PAID, Goods.HANDED_OVER)
    assert desk.given.total() == 0


def test_goods_that_never_left_are_refunded_without_a_supervisor(desk, late):
    after, _ = desk.say_about(late, Goods.REFUND)
    assert after.state is S.RETURNED
    assert after.returns[0].wish == Wish("cashier-1", "cashier-1", FOUND_LATE)


def test_the_first_answer_stays(desk, late):
    desk.say_about(late, Goods.HANDED_OVER)
    after, _ = desk.say_about(late, Goods.REFUND)
    assert (after.state, after.answered.answer) == (S.PAID, Goods.HANDED_OVER)
    assert desk.given.total() == 0


def test_an_answer_with_the_line_down_is_kept_and_the_same_answer_goes_on(desk, late):
    desk.centre.instead["facts"] = CentreUnreachable("down")
    key = desk.key()
    after, refusal = desk.say_about(late, Goods.REFUND, key)
    assert (after.state, after.answered.answer, refusal) == (
        S.PAID,
        Goods.REFUND,
        Refusal.CENTRE_UNREACHABLE,
    )
    del desk.centre.instead["facts"]
    assert desk.say_about(late, Goods.REFUND, key)[0].state is S.RETURNED


def test_the_key_of_an_answer_whose_refund_was_refused_begins_no_other(desk, late):
    desk.payment.refunds.append(Answer(Say.DECLINED))
    key = desk.key()
    desk.say_about(late, Goods.REFUND, key)
    desk.payment.refunds.clear()
    assert desk.say_about(late, Goods.REFUND, key)[0].state is S.PAID
    assert desk.say_about(late, Goods.REFUND)[0].state is S.RETURNED


# Cut anywhere.


def steps_of_a_return(folder):
    desk = ReturnDesk(folder)
    sale = desk.sell()
    before = desk.steps
    desk.give_back(sale)
    desk.connection.close()
    return range(before + 1, desk.steps + 1)


def test_cut_at_any_step_the_money_goes_back_once(tmp_path, moves_taken):
    """The steps are those of the first test, each the last thing that happened."""
    seen = {}
    for step in steps_of_a_return(tmp_path / "whole"):
        desk = ReturnDesk(tmp_path / f"{step}")
        sale = desk.sell()
        desk.cut_at = step
        with pytest.raises(Cut) as cut:
            desk.give_back(sale)
        begun = desk.now(sale)
        given = desk.given.total()

        desk.restart()
        resumed = desk.now(sale)
        sending = begun.returns and begun.returns[0].state is R.SENDING
        ended = begun.state is S.RETURNED
        went_on = resumed.state is S.RETURNED
        assert went_on == bool(sending or ended), "only what may have left goes on by itself"
        after, refusal = desk.give_back(sale)

        assert (after.state, refusal, len(after.returns)) == (S.RETURNED, None, 1)
        assert desk.given.total() == 1
        assert [one.refunded for one in desk.entries(after, v1.Returned)] == [True]
        assert len(desk.entries(after, v1.Returning)) == 1
        assert len(set(map(repr, desk.payment.backs))) == 1
        seen[str(cut.value)] = (begun.state, given)
        desk.connection.close()
    assert seen == {
        "facts": (S.PAID, 0),
        "report": (S.PAID, 0),
        "returning": (S.RETURNING, 0),
        "block": (S.RETURNING, 0),
        "prepare": (S.RETURNING, 0),
        "sending": (S.RETURNING, 0),
        REFUND: (S.RETURNING, 0),
        "given back": (S.RETURNING, 1),
        "finished returned": (S.RETURNED, 1),
    }


def test_the_wish_of_the_first_call_is_the_one_that_counts(desk, sold):
    desk.centre.instead["block"] = CentreUnreachable("down")
    desk.give_back(sold)
    del desk.centre.instead["block"]
    after, _ = desk.give_back(sold, Wish("cashier-2", "supervisor-2", "another"))
    assert after.returns[0].wish == WISH


def test_a_centre_that_takes_the_return_and_says_nothing_of_it_has_not_agreed(desk, sold):
    desk.answer = None
    after, refusal = desk.give_back(sold)
    assert (after.state, after.returns[0].state, refusal) == (
        S.RETURNING,
        R.BEGUN,
        Refusal.CENTRE_UNREACHABLE,
    )
    assert desk.payment.backs == []
