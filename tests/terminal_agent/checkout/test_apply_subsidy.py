"""Decide, hold, pay, record: in that order, each durable before the next, and what ends it on the way."""

import msgspec
import pytest
from unit_shop import SAID, SUBSIDY_FEN, TO_PAY_FEN

from subsidy.policy.decide import Granted, Refused
from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.wire import v1
from terminal_agent.checkout import apply_subsidy
from terminal_agent.checkout.gather_facts import Question
from terminal_agent.checkout.ports import Answer, CentreDenied, CentreUnreachable, KeyMacs, KeyReused, Say
from terminal_agent.checkout.states import AttemptState, SaleState

SILENCE = CentreUnreachable("no answer")


def test_decide_hold_pay_record_in_that_order(unit_shop, monkeypatch):
    decide_here = apply_subsidy.decide_here

    def logged(*arguments):
        decided = decide_here(*arguments)
        unit_shop.log.append("decided")
        return decided

    monkeypatch.setattr(apply_subsidy, "decide_here", logged)

    unit_shop.sell()

    assert unit_shop.log == [
        "facts",
        "pack",
        "decided",
        "asking",
        "hold",
        "held",
        "paying",
        "prepare",
        "marked",
        f"take {TO_PAY_FEN}",
        "finished paid",
    ]


def test_the_record_stands_in_the_outbox_in_the_commit_that_makes_it_paid(unit_shop):
    sale = unit_shop.sell()

    (waiting,) = unit_shop.real_journal.waiting(10)

    assert (waiting.record_id, waiting.kind) == (sale.record_id, "paid")
    entry = msgspec.json.decode(waiting.body, type=v1.Paid)
    assert entry.promise == sale.held.sealed
    assert (entry.paid_fen, entry.amounts.subsidy_fen) == (TO_PAY_FEN, SUBSIDY_FEN)
    assert [one.state for one in entry.attempts] == ["PAID"]


# What ends a sale before money moves.


@pytest.mark.parametrize("at", ["facts", "pack"])
def test_a_centre_that_is_silent_before_the_hold_refuses_the_sale(at, unit_shop):
    unit_shop.centre.instead[at] = SILENCE
    sale = unit_shop.sell()
    assert (sale.state, sale.reasons) == (SaleState.REFUSED, (Refusal.CENTRE_UNREACHABLE,))
    assert not {"asking", "hold", "prepare"} & set(unit_shop.log)


def test_a_centre_that_is_silent_at_the_hold_closes_the_sale_for_it_may_have_been_placed(unit_shop):
    unit_shop.centre.instead["hold"] = SILENCE
    sale = unit_shop.sell()
    assert (sale.state, sale.reasons) == (SaleState.CLOSING, (Refusal.CENTRE_UNREACHABLE,))
    assert [one.kind for one in unit_shop.real_journal.waiting(10)] == ["closed"]
    assert "prepare" not in unit_shop.log


@pytest.mark.parametrize("at", ["facts", "hold"])
def test_a_device_that_is_not_accepted_is_told_so(at, unit_shop):
    unit_shop.centre.instead[at] = CentreDenied("FROZEN: call the service platform")
    assert unit_shop.sell().reasons == (Refusal.DEVICE_NOT_ACCEPTED,)


def test_a_centre_that_refuses_the_hold_refuses_the_sale_and_nothing_is_open(unit_shop):
    unit_shop.centre.instead["hold"] = v1.Refused(
        v=1, record_id="0" * 36, reasons=(Refusal.TOO_MANY_OPEN_HOLDS,)
    )
    sale = unit_shop.sell()
    assert (sale.state, sale.reasons) == (SaleState.REFUSED, (Refusal.TOO_MANY_OPEN_HOLDS,))
    assert unit_shop.real_journal.waiting(10) == ()


def test_a_way_of_paying_that_is_not_there_is_refused(unit_shop):
    sale = unit_shop.sell(tender=Tender.CASH)
    assert sale.reasons == (Refusal.TENDER_NOT_ALLOWED,)
    assert "hold" not in unit_shop.log


def test_without_room_on_the_disk_nothing_is_asked_for_held_or_charged(unit_shop):
    unit_shop.has_room = False
    sale = unit_shop.sell()
    assert (sale.state, sale.reasons) == (SaleState.REFUSED, (Refusal.HOST_DISK_LOW,))
    assert not {"facts", "asking", "hold", "prepare"} & set(unit_shop.log)
    unit_shop.has_room = True
    assert unit_shop.sell().state is SaleState.PAID


def test_a_disk_that_fills_up_later_keeps_no_sale_from_its_end(unit_shop):
    held = unit_shop.open().sale
    unit_shop.has_room = False
    assert unit_shop.work(held).state is SaleState.PAID


def test_another_amount_than_was_agreed_is_not_even_asked_for(unit_shop):
    sale = unit_shop.sell(expected_paid_fen=TO_PAY_FEN - 1)
    assert (sale.state, sale.reasons) == (SaleState.REFUSED, (Refusal.QUOTE_CHANGED,))
    assert "hold" not in unit_shop.log


def test_another_amount_in_the_promise_than_was_agreed_is_not_charged(unit_shop):
    other = UnusualCentre(unit_shop)
    sale = unit_shop.sell(expected_paid_fen=TO_PAY_FEN)
    assert other.promised_fen != TO_PAY_FEN
    assert (sale.state, sale.reasons) == (SaleState.CLOSING, (Refusal.QUOTE_CHANGED,))
    assert "prepare" not in unit_shop.log


def test_without_an_agreed_amount_the_promise_is_charged(unit_shop):
    other = UnusualCentre(unit_shop)
    unit_shop.payment.takes[0] = Answer(Say.APPROVED, other.promised_fen, SAID)
    sale = unit_shop.sell()
    assert (sale.state, sale.attempt(1).approved_fen) == (SaleState.PAID, other.promised_fen)


class UnusualCentre:
    """Makes the centre promise for a price that is 100 yuan lower than the one that was asked."""

    promised_fen = TO_PAY_FEN - 8_000

    def __init__(self, shop):
        self._hold = shop.centre.hold
        shop.centre.hold = self.hold

    def hold(self, request, within_s):
        prices = v1.Prices(
            initial_price_fen=request.prices.initial_price_fen,
            merchant_discount_fen=10_000,
            trade_in_fen=0,
        )
        fields = {name: getattr(request, name) for name in request.__struct_fields__}
        return self._hold(v1.HoldRequest(**(fields | {"prices": prices})), within_s)


# The till's wait.


def test_one_budget_is_for_all_that_is_asked(unit_shop):
    unit_shop.centre.takes_s = 1.5
    unit_shop.sell()
    assert unit_shop.centre.within == [5.0, 3.5, 2.0]


def test_no_hold_is_asked_for_when_the_budget_is_used_up(unit_shop):
    unit_shop.centre.takes_s = 2.5
    sale = unit_shop.sell()
    assert sale.reasons == (Refusal.CENTRE_UNREACHABLE,)
    assert "hold" not in unit_shop.log


def test_the_centre_is_told_when_the_till_gives_up(unit_shop):
    unit_shop.centre.takes_s = 1.5
    unit_shop.sell()
    (request,) = [one for one in unit_shop.centre.asked if isinstance(one, v1.HoldRequest)]
    sale = unit_shop.real_journal.sale(request.record_id)
    assert request.created_ms == sale.asked_wall_ms
    assert request.give_up_after_ms == 2_000


# The hold's time.


@pytest.mark.parametrize("clock", ["wall", "steady"])
def test_a_hold_whose_time_is_over_on_either_clock_is_closed_and_takes_no_other_card(clock, unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    setattr(unit_shop.clock, clock, getattr(unit_shop.clock, clock) + 900_000)

    after, refusal = unit_shop.pay_again(sale)

    assert refusal is Refusal.HOLD_OVER
    assert (after.state, after.reasons) == (SaleState.CLOSING, (Refusal.HOLD_OVER,))
    assert len(after.attempts) == 1


def test_a_hold_is_closed_by_itself_when_its_time_is_over_and_a_later_card_is_told_why(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    unit_shop.clock.sleep(899.999)
    unit_shop.checkout.close_overdue()
    assert unit_shop.now(sale).state is SaleState.HELD
    unit_shop.clock.sleep(0.001)

    unit_shop.checkout.close_overdue()

    after, _ = unit_shop.pay_again(sale)
    assert (after.state, after.reasons) == (SaleState.CLOSING, (Refusal.HOLD_OVER,))
    assert not unit_shop.jobs


def test_a_payment_under_way_is_not_closed_when_the_holds_time_is_over(unit_shop):
    sale = unit_shop.open().sale
    unit_shop.clock.sleep(10_000)
    unit_shop.checkout.close_overdue()
    assert unit_shop.now(sale).state is SaleState.PAYING


@pytest.mark.parametrize(
    ("where", "left_as", "ends_as"),
    [("facts", SaleState.NEW, SaleState.REFUSED), ("hold", SaleState.ASKING, SaleState.CLOSING)],
)
def test_a_sale_whose_request_fails_halfway_does_not_wait_for_a_restart(
    where, left_as, ends_as, unit_shop, monkeypatch
):
    def full(*_):
        # Nobody ends a sale that its request is still at work on.
        unit_shop.checkout.close_overdue()
        raise OSError("the disk is full")

    monkeypatch.setattr(unit_shop.centre, where, full)
    key = unit_shop.key()
    with pytest.raises(OSError, match="full"):
        unit_shop.open(key=key)
    monkeypatch.undo()
    sale = unit_shop.open(key=key).sale
    assert sale.state is left_as

    unit_shop.checkout.close_overdue()

    after = unit_shop.open(key=key).sale
    assert (after.state, after.reasons) == (ends_as, (Refusal.SALE_INTERRUPTED,))
    assert unit_shop.open().sale.state is SaleState.PAYING


# One item, one sale.


def test_the_same_key_is_the_same_sale_and_asks_nothing_again(unit_shop):
    key = unit_shop.key()
    first = unit_shop.open(key=key)
    unit_shop.log.clear()

    again = unit_shop.open(key=key)

    assert (again.new, again.sale.record_id) == (False, first.sale.record_id)
    assert unit_shop.log == []


def test_the_same_key_with_another_body_is_refused(unit_shop):
    key = unit_shop.key()
    unit_shop.open(key=key)
    with pytest.raises(KeyReused):
        unit_shop.open(key=KeyMacs(key.key, "another body"))


@pytest.mark.parametrize("same", [{"serial_no": "SN-A"}, {"code": "QC-A"}], ids=["serial number", "person"])
def test_a_sale_of_what_is_open_here_is_that_sale(same, unit_shop):
    first = unit_shop.open(**same).sale

    second = unit_shop.open(**same)

    assert (second.new, second.sale.same_as) == (False, first.record_id)
    assert second.sale.reasons == (Refusal.SALE_ALREADY_OPEN,)
    assert unit_shop.log.count("hold") == 1


def test_a_sale_that_another_has_overtaken_is_that_sale_whatever_the_facts_say(unit_shop):
    """Two at once: the other one's hold may itself be why the facts said no."""
    facts = unit_shop.centre.facts

    def overtaken(request, within_s):
        unit_shop.centre.facts = facts
        assert unit_shop.open(serial_no="SN-A").sale.state is SaleState.PAYING
        raise SILENCE

    unit_shop.centre.facts = overtaken

    sale = unit_shop.open(serial_no="SN-A").sale

    assert sale.reasons == (Refusal.SALE_ALREADY_OPEN,)
    assert unit_shop.real_journal.sale(sale.same_as).state is SaleState.PAYING


def test_what_was_given_up_is_released_at_the_centre_before_it_is_asked_about_again(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    given_up = unit_shop.sell(serial_no="SN-A")
    unit_shop.checkout.stop(given_up.record_id, unit_shop.key())
    unit_shop.log.clear()

    again = unit_shop.open(serial_no="SN-A").sale

    assert unit_shop.log[:3] == ["release", "facts", "pack"]
    assert unit_shop.now(given_up).state is SaleState.CLOSED
    assert again.state is SaleState.PAYING


def test_what_cannot_be_released_is_not_sold_again(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    given_up = unit_shop.sell(serial_no="SN-A")
    unit_shop.checkout.stop(given_up.record_id, unit_shop.key())
    unit_shop.centre.instead["release"] = SILENCE

    again = unit_shop.open(serial_no="SN-A").sale

    assert again.reasons == (Refusal.CENTRE_UNREACHABLE,)
    assert unit_shop.now(given_up).state is SaleState.CLOSING


# Quotes, second cards and stopping.


def test_a_quote_holds_and_stores_nothing(unit_shop):
    sale = unit_shop.open().sale
    moves = unit_shop.rows("SELECT count(*) FROM sale")
    unit_shop.log.clear()
    request = sale.request

    def quote(serial_no, qualification):
        item = v1.Item(gtin=request.item.gtin, serial_no=serial_no)
        question = Question(item, request.prices, "QC-9", request.terminal_no, Tender.CARD)
        return unit_shop.checkout.quote(question, qualification)

    assert isinstance(quote("SN-NEW", "mac of QC-9"), Granted)
    assert quote(request.item.serial_no, "mac of QC-9") == Refused((Refusal.SALE_ALREADY_OPEN,))
    unit_shop.centre.instead["facts"] = SILENCE
    assert quote("SN-NEW", "mac of QC-9") == Refused((Refusal.CENTRE_UNREACHABLE,))
    assert "hold" not in unit_shop.log
    assert unit_shop.rows("SELECT count(*) FROM sale") == moves


def test_a_second_card_has_its_own_reference_under_the_same_hold(unit_shop):
    unit_shop.payment.takes.appendleft(Answer(Say.DECLINED))
    sale = unit_shop.sell()

    unit_shop.pay_again(sale)

    sale = unit_shop.work(sale)
    first, second = sale.attempts
    assert sale.state is SaleState.PAID
    assert (first.pay_ref[-2:], second.pay_ref[-2:]) == ("01", "02")
    assert first.pay_ref[:-2] == second.pay_ref[:-2]
    assert unit_shop.log.count("hold") == 1


def test_no_second_card_while_the_first_is_unknown(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.UNCLEAR)
    sale = unit_shop.open().sale
    unit_shop.paying.carry_out(sale.record_id, 1)

    after, _ = unit_shop.pay_again(sale)

    assert [one.state for one in after.attempts] == [AttemptState.UNKNOWN]


def test_a_sale_that_is_stopped_while_the_hold_is_asked_for_is_closed_without_a_payment(unit_shop):
    hold = unit_shop.centre.hold

    def stopped_meanwhile(request, within_s):
        unit_shop.checkout.stop(request.record_id, unit_shop.key())
        return hold(request, within_s)

    unit_shop.centre.hold = stopped_meanwhile

    sale = unit_shop.sell()

    assert (sale.state, sale.attempts) == (SaleState.CLOSING, ())
    assert "prepare" not in unit_shop.log
