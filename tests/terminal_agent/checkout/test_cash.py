"""Cash is where its cashier says that it is: nothing else is known of it, and nothing is done twice."""

import pytest
import small_pack
from return_desk import ReturnDesk
from unit_shop import TERMINAL, TO_PAY_FEN

from subsidy.policy.model import Tender
from subsidy.wire import v1
from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.cash import Cash, CashDesk, Place, asked_of, link_name
from terminal_agent.checkout.give_back_goods import Refunding
from terminal_agent.checkout.lane import GOODS_BACK, Lane
from terminal_agent.checkout.ports import Way
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import AttemptState, ReturnState, SaleState

LINK = link_name(TERMINAL)
IN_TILL, WITH_SHOPPER = Place.IN_TILL, Place.WITH_SHOPPER


class CashShop(ReturnDesk):
    """A shop whose till takes cash. While its worker waits, `then` says what the cashier does next."""

    def _begin(self) -> None:
        super()._begin()
        self.centre._pack = small_pack.pack(("qr_show]", "qr_show, cash]"))
        self.then = []
        real_sleep, clock = type(self.clock).sleep, self.clock

        def sleep(seconds: float) -> None:
            real_sleep(clock, seconds)
            if self.then:
                self.then.pop(0)()

        clock.sleep = sleep
        lanes = {LINK: lambda *job: self.jobs.append(job)}
        self.checkout._lanes = {**self.checkout._lanes, **lanes}
        self.returns._lanes = {**self.returns._lanes, LINK: lambda one: self.jobs.append((one, 0, None))}
        self.desk = CashDesk(self.journal, lanes)
        cash = Cash(self.journal, lambda count: next(self._random)[:count])
        paying = Paying(self.journal, cash, self.clock, self.checkout.hold_is_over, self.board)
        resolver = Resolver(self.journal, cash, self.clock, paying)
        refunding = Refunding(self.journal, cash, self.clock)
        self.cash_lane = Lane(LINK, self.journal, cash, paying, resolver, refunding)

    def restart(self) -> None:
        super().restart()
        self.cash_lane.resume()

    def work(self, sale: Sale) -> Sale:
        while self.jobs:
            self.cash_lane.do(*self.jobs.popleft())
        self.cash_lane.look_at_parked()
        return self.now(sale)

    def in_cash(self, *then) -> Sale:
        """Sell for cash; `then` happens one by one while the worker waits."""
        sale = self.open(tender=Tender.CASH, way=Way(LINK)).sale
        self.then = [lambda do=do: do(sale) for do in then]
        return self.work(sale)

    def say(self, place: Place):
        return lambda sale: self.desk.say(self.now(sale), place, "cashier-1", self.key())

    def stop(self, sale: Sale) -> None:
        self.checkout.stop(sale.record_id, self.key())


@pytest.fixture
def shop(tmp_path):
    """A shop that takes cash."""
    return CashShop(tmp_path)


def paid_entries(shop: CashShop, sale: Sale) -> list[v1.Paid]:
    return shop.entries(sale, v1.Paid)


def test_a_sale_is_paid_once_the_cashier_has_said_that_the_money_is_in_the_till(shop):
    sale = shop.in_cash(shop.say(IN_TILL))
    assert (sale.state, sale.attempts[0].state) == (SaleState.PAID, AttemptState.PAID)
    (entry,) = paid_entries(shop, sale)
    (attempt,) = entry.attempts
    assert (attempt.tender, attempt.terminal_no, attempt.approved_fen) == (Tender.CASH, LINK, TO_PAY_FEN)
    assert (attempt.evidence.code, attempt.evidence.text) == ("CASH", "in_till, by cashier-1")


def test_cash_that_was_not_taken_leaves_the_hold_for_another_way(shop):
    sale = shop.in_cash(shop.say(WITH_SHOPPER))
    assert (sale.state, sale.attempts[0].state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert asked_of(sale) is None


def test_nobody_saying_anything_makes_nothing_paid_and_nothing_not_paid(shop):
    sale = shop.in_cash()
    assert (sale.state, sale.attempts[0].state) == (SaleState.PARKED, AttemptState.UNKNOWN)
    for _ in range(50):
        shop.cash_lane.look_at_parked()
    assert shop.now(sale).attempts[0].state is AttemptState.UNKNOWN
    assert shop.desk.waits_for(TERMINAL) == sale.record_id


@pytest.mark.parametrize(("place", "state"), [(IN_TILL, SaleState.PAID), (WITH_SHOPPER, SaleState.CLOSING)])
def test_a_parked_sale_is_ended_by_the_word_however_late(shop, place, state):
    sale = shop.in_cash()
    shop.clock.sleep(7200)
    assert shop.say(place)(sale)
    assert shop.work(sale).state is state
    assert shop.desk.waits_for(TERMINAL) is None


def test_a_stopped_sale_whose_cash_was_taken_is_closed_once_the_shopper_has_it_again(shop):
    sale = shop.in_cash(shop.stop, shop.say(IN_TILL))
    assert sale.attempts[0].state is AttemptState.REVERSING
    assert paid_entries(shop, sale) == []
    shop.say(IN_TILL)(sale)
    assert shop.work(sale).attempts[0].state is AttemptState.REVERSING
    shop.say(WITH_SHOPPER)(sale)
    ended = shop.work(sale)
    assert (ended.state, ended.attempts[0].state) == (SaleState.CLOSING, AttemptState.NOT_PAID)


def test_a_stopped_sale_does_not_end_before_somebody_says_where_the_cash_is(shop):
    sale = shop.in_cash(shop.stop)
    assert sale.attempts[0].state is AttemptState.UNKNOWN
    shop.say(WITH_SHOPPER)(sale)
    assert shop.work(sale).state is SaleState.CLOSING


def test_a_word_that_the_power_cut_overtook_counts_after_the_restart(shop):
    """The word is durable by itself: the worker never saw it."""
    sale = shop.open(tender=Tender.CASH, way=Way(LINK)).sale
    shop.real_journal.mark_attempt(sale.record_id, 1, "0123456789abcdef")
    assert shop.say(IN_TILL)(sale)
    assert shop.now(sale).state is SaleState.PAYING
    shop.restart()
    assert shop.now(sale).state is SaleState.PAID
    assert len(paid_entries(shop, sale)) == 1


def test_cash_that_was_asked_for_before_a_power_cut_is_asked_about_after_it(shop):
    sale = shop.open(tender=Tender.CASH, way=Way(LINK)).sale
    shop.real_journal.mark_attempt(sale.record_id, 1, "0123456789abcdef")
    shop.restart()
    assert shop.now(sale).state is SaleState.PARKED
    asked = asked_of(shop.now(sale))
    assert asked is not None
    assert (asked.fen, asked.no) == (TO_PAY_FEN, 1)


def test_no_word_is_taken_before_the_cash_was_asked_for(shop):
    sale = shop.open(tender=Tender.CASH, way=Way(LINK)).sale
    assert shop.say(IN_TILL)(sale) is False
    assert shop.rows("SELECT * FROM cash_word") == []


def test_a_word_about_a_paid_sale_is_not_taken(shop):
    sale = shop.in_cash(shop.say(IN_TILL))
    assert shop.say(WITH_SHOPPER)(sale) is False
    assert shop.now(sale).state is SaleState.PAID


def test_the_same_request_again_says_nothing_new(shop):
    sale = shop.in_cash()
    key = shop.key()
    assert shop.desk.say(shop.now(sale), IN_TILL, "cashier-1", key)
    shop.work(sale)
    assert shop.desk.say(shop.now(sale), IN_TILL, "cashier-1", key)
    assert len(paid_entries(shop, sale)) == 1


def test_a_card_pays_under_the_same_hold_after_cash_was_not_taken(shop):
    sale = shop.in_cash(shop.say(WITH_SHOPPER))
    after, refusal = shop.pay_again(sale)
    assert refusal is None
    assert after.attempts[-1].tender is Tender.CARD


# Returns.


def test_goods_paid_in_cash_come_back_for_cash_once(shop):
    sale = shop.in_cash(shop.say(IN_TILL))
    shop.give_back(sale)
    asked = shop.work(sale)
    assert (asked.state, asked.returns[-1].state) == (SaleState.RETURNING, ReturnState.SENDING)
    assert asked_of(asked).no == GOODS_BACK
    assert shop.desk.waits_for(TERMINAL) == sale.record_id
    shop.say(WITH_SHOPPER)(sale)
    done = shop.work(sale)
    assert (done.state, done.returns[-1].state) == (SaleState.RETURNED, ReturnState.REFUNDED)
    (entry,) = shop.entries(sale, v1.Returned)
    assert (entry.refunded, entry.refund_fen, entry.evidence.code) == (True, TO_PAY_FEN, "CASH")
    assert shop.say(WITH_SHOPPER)(sale) is False


def test_cash_that_could_not_be_given_back_leaves_the_sale_paid_and_can_be_tried_again(shop):
    sale = shop.in_cash(shop.say(IN_TILL))
    shop.give_back(sale)
    shop.work(sale)
    shop.say(IN_TILL)(sale)
    assert (shop.work(sale).state, shop.now(sale).returns[-1].state) == (SaleState.PAID, ReturnState.REFUSED)
    shop.give_back(sale)
    again = shop.work(sale)
    assert again.returns[-1].state is ReturnState.SENDING  # the first try's word is not this one's
    shop.say(WITH_SHOPPER)(sale)
    assert shop.work(sale).state is SaleState.RETURNED


def test_a_return_in_cash_that_a_power_cut_overtook_is_asked_about_again_and_not_begun_again(shop):
    sale = shop.in_cash(shop.say(IN_TILL))
    shop.give_back(sale)
    shop.work(sale)
    shop.restart()
    assert shop.now(sale).returns[-1].state is ReturnState.SENDING
    shop.say(WITH_SHOPPER)(sale)
    assert shop.work(sale).state is SaleState.RETURNED
    assert len(shop.now(sale).returns) == 1
