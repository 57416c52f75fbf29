"""A code is shown and scanned: while the hold lasts, and certainly gone before the hold is given up."""

from collections import deque
from types import SimpleNamespace

import pytest
from unit_shop import SHOWN, TO_PAY_FEN

from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Say, Way
from terminal_agent.checkout.states import AttemptState, SaleState

CODE = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"
SHOWS = Answer(Say.PENDING, show=CODE)
WAITS = Answer(Say.PENDING)
PAID = Answer(Say.APPROVED, TO_PAY_FEN, Evidence(code="SUCCESS"))
CLOSED = Answer(Say.APPROVED, evidence=Evidence(code="CLOSED"))


@pytest.fixture
def shop(unit_shop):
    unit_shop.shown.takes[0] = SHOWS
    unit_shop.shown.queries = deque([WAITS])
    unit_shop.shown.reversals = deque([Answer(Say.UNCLEAR)])
    return unit_shop


def show(shop):
    return shop.open(way=Way(SHOWN), tender=Tender.QR_SHOW).sale


def test_the_link_is_told_how_long_the_code_may_be_paid(shop):
    shop.shown.queries[0] = PAID
    sale = shop.work(show(shop))
    assert sale.state is SaleState.PAID
    asked = shop.shown.asked[0]
    assert (asked.show_until_ms, asked.show_for_s) == (sale.asked_wall_ms + 900_000, 900)
    assert asked.pay_code is None


@pytest.mark.parametrize("wrong_by_ms", [-86_400_000, -200_000, 200_000, 3_600_000])
def test_a_code_ends_with_its_hold_also_where_the_shops_clock_is_wrong(wrong_by_ms, shop):
    """With a clock that is ahead it could be paid after the hold is over: the centre's time says when."""
    shop.shown.queries[0] = PAID
    shop.centre._clock = SimpleNamespace(wall_ms=lambda: shop.clock.wall_ms() - wrong_by_ms)
    sale = shop.work(show(shop))
    asked_by_the_centre_ms = sale.asked_wall_ms - wrong_by_ms
    assert shop.shown.asked[0].show_until_ms == asked_by_the_centre_ms + 900_000


def test_the_code_stands_on_the_board_only_while_it_may_be_scanned(shop):
    sale = show(shop)
    pay_ref = sale.attempt(1).pay_ref
    seen = []
    shop.shown.on_query = lambda: seen.append(shop.board.code(pay_ref))
    shop.shown.queries = deque([WAITS, WAITS, PAID])
    assert shop.board.code(pay_ref) is None
    assert shop.work(sale).state is SaleState.PAID
    assert seen == [CODE, CODE, CODE]
    assert shop.board.code(pay_ref) is None


def test_a_shopper_may_take_as_long_as_the_hold_lasts(shop):
    """A password is waited for 45 seconds; a shown code for the whole hold, and not longer."""
    sale = show(shop)
    begun = shop.clock.steady_ms()
    shop.shown.reversals[0] = CLOSED
    sale = shop.work(sale)
    assert 900 <= (shop.clock.steady_ms() - begun) / 1000 <= 930
    assert (sale.state, sale.attempt(1).state) == (SaleState.CLOSING, AttemptState.NOT_PAID)
    assert [one.value for one in sale.reasons] == ["HOLD_OVER"]


def test_without_a_confirmed_close_the_hold_is_kept(shop):
    sale = shop.work(show(shop))
    assert (sale.state, sale.attempt(1).state) == (SaleState.PARKED, AttemptState.REVERSING)
    assert shop.rows("SELECT count(*) FROM outbox") == [(0,)]
    shop.shown.reversals[0] = CLOSED
    shop.shown_lane.look_at_parked()
    assert shop.now(sale).state is SaleState.CLOSING


def test_the_cashier_stops_it_and_the_order_is_closed(shop):
    sale = show(shop)
    shop.shown.on_query = lambda: shop.checkout.stop(sale.record_id, shop.key())
    shop.shown.reversals[0] = CLOSED
    sale = shop.work(sale)
    assert (sale.state, sale.why) == (SaleState.CLOSING, "stopped by the cashier")


def test_who_scans_while_the_order_is_closed_gets_the_money_back(shop):
    sale = show(shop)
    shop.shown.on_query = lambda: shop.checkout.stop(sale.record_id, shop.key())
    shop.shown.reversals[0] = Answer(Say.DECLINED, evidence=Evidence(code="SUCCESS"))
    shop.shown.refunds[0] = Answer(Say.APPROVED, TO_PAY_FEN)
    sale = shop.work(sale)
    assert (sale.state, sale.attempt(1).state) == (SaleState.CLOSING, AttemptState.GIVEN_BACK)


def test_a_scan_in_the_last_moment_counts(shop):
    sale = show(shop)
    over = shop.clock.steady_ms() + 900_000
    shop.shown.on_query = lambda: (
        shop.shown.queries.__setitem__(0, PAID) if shop.clock.steady_ms() >= over else None
    )
    assert shop.work(sale).state is SaleState.PAID


def test_after_a_restart_no_code_is_shown_and_the_order_is_closed(shop):
    sale = show(shop)
    shop.journal.mark_attempt(sale.record_id, 1, "-")
    shop.board.put(sale.attempt(1).pay_ref, CODE)
    shop.shown.reversals[0] = CLOSED
    shop.restart()
    assert shop.board.code(sale.attempt(1).pay_ref) is None
    assert shop.now(sale).state is SaleState.CLOSING


def test_who_scanned_while_the_agent_was_down_has_paid(shop):
    sale = show(shop)
    shop.journal.mark_attempt(sale.record_id, 1, "-")
    shop.shown.queries[0] = PAID
    shop.restart()
    assert shop.now(sale).state is SaleState.PAID


def test_an_order_that_was_refused_leaves_the_hold_for_another_way(shop):
    shop.shown.takes[0] = Answer(Say.DECLINED)
    assert shop.work(show(shop)).state is SaleState.HELD
