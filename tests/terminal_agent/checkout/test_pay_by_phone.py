"""A shopper who pays by phone: asked while a password is typed, undone without an answer, never twice."""

from collections import deque

import pytest
from unit_shop import BY_PHONE, CARD, CHANNEL_CLOCKS, PAY_CODE, PHONE, TERMINAL, TO_PAY_FEN

from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Say
from terminal_agent.checkout.states import AttemptState, SaleState

APPROVED = Answer(Say.APPROVED, TO_PAY_FEN, Evidence(code="SUCCESS", channel_no="4200000001"))
CONFIRMED = Answer(Say.APPROVED)
DECLINED = Answer(Say.DECLINED)
NOT_FOUND = Answer(Say.NOT_FOUND)
PENDING = Answer(Say.PENDING)
UNCLEAR = Answer(Say.UNCLEAR)


def sell(shop, take=APPROVED, *queries, reversals=(UNCLEAR,)):
    """Sell an item by phone; the channel says these things in turn."""
    shop.channel.takes = deque([take])
    shop.channel.queries = deque(queries or [UNCLEAR])
    shop.channel.reversals = deque(reversals)
    return shop.sell(way=BY_PHONE)


def test_the_code_reaches_the_one_message_that_takes_money_and_no_store(unit_shop):
    sale = sell(unit_shop)

    assert (sale.state, sale.attempt(1).terminal_no) == (SaleState.PAID, PHONE)
    assert unit_shop.channel.codes == [PAY_CODE]
    for (table,) in unit_shop.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        assert PAY_CODE not in repr(unit_shop.rows(f"SELECT * FROM {table}"))


@pytest.mark.parametrize(
    ("said", "state"), [(APPROVED, SaleState.PAID), (DECLINED, SaleState.HELD)], ids=["typed", "given up"]
)
def test_while_the_password_is_typed_it_is_paying_and_asked_about(said, state, unit_shop):
    seen = []
    query = unit_shop.channel.query

    def looking(ask):
        seen.append([one.attempts[-1].state for one in unit_shop.real_journal.unfinished()])
        return query(ask)

    unit_shop.channel.query = looking
    sale = sell(unit_shop, PENDING, PENDING, UNCLEAR, NOT_FOUND, PENDING, said)

    assert sale.state is state
    assert seen == [[AttemptState.INTENDED]] * 5
    assert "unknown" not in unit_shop.log


def test_a_password_that_nobody_types_is_waited_for_so_long_and_then_the_payment_is_undone(unit_shop):
    started = unit_shop.clock.steady
    sale = sell(unit_shop, PENDING, PENDING, reversals=[UNCLEAR, CONFIRMED])

    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert unit_shop.channel.reversed_ms[0] - started == CHANNEL_CLOCKS.poll_for_s * 1000
    assert unit_shop.log.count("phone reverse") == 2


def test_without_an_answer_it_is_asked_about_before_it_is_undone(unit_shop):
    started = unit_shop.clock.steady
    sale = sell(unit_shop, UNCLEAR, NOT_FOUND, reversals=[CONFIRMED])

    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    assert unit_shop.channel.reversed_ms[0] - started == CHANNEL_CLOCKS.poll_for_s * 1000
    assert unit_shop.log.count("phone query") == 1 + 45 / 5


def test_found_paid_before_it_is_undone_it_is_paid(unit_shop):
    sale = sell(unit_shop, UNCLEAR, UNCLEAR, NOT_FOUND, APPROVED)
    assert sale.state is SaleState.PAID
    assert not unit_shop.channel.reversed_ms


def test_stopped_while_the_password_is_typed_it_is_undone_as_soon_as_the_channel_takes_it(unit_shop):
    unit_shop.channel.takes[0] = PENDING
    unit_shop.channel.queries[0] = PENDING
    unit_shop.channel.reversals[0] = CONFIRMED
    sale = unit_shop.open(way=BY_PHONE).sale
    unit_shop.channel.before_answer.append(lambda: unit_shop.checkout.stop(sale.record_id, unit_shop.key()))
    started = unit_shop.clock.steady

    sale = unit_shop.work(sale)

    assert (sale.state, sale.attempt(1).state) == (SaleState.CLOSING, AttemptState.NOT_PAID)
    assert unit_shop.channel.reversed_ms == [started + CHANNEL_CLOCKS.reverse_not_before_s * 1000]


def test_an_undoing_that_finds_nothing_counts_twice_and_two_host_time_outs_after_the_payment(unit_shop):
    started = unit_shop.clock.steady
    sale = sell(unit_shop, UNCLEAR, UNCLEAR, reversals=[NOT_FOUND])

    assert (sale.state, sale.attempt(1).state) == (SaleState.HELD, AttemptState.NOT_PAID)
    ended = unit_shop.channel.reversed_ms[-1]
    assert ended - started == 2 * CHANNEL_CLOCKS.host_timeout_s * 1000


def test_after_a_restart_it_is_asked_about_anew_and_then_undone_without_the_code(unit_shop):
    unit_shop.channel.reversals[0] = CONFIRMED
    sale = unit_shop.open(way=BY_PHONE).sale
    unit_shop.real_journal.mark_attempt(sale.record_id, 1, "-")

    unit_shop.restart()

    assert unit_shop.now(sale).attempt(1).state is AttemptState.NOT_PAID
    assert unit_shop.channel.codes == []
    assert unit_shop.log.count("phone query") > 1


# From one way of paying to another.


def reversing_by_phone(shop):
    """Return a sale that is PAYING while its payment by phone is being undone."""
    shop.channel.takes[0] = Answer(Say.APPROVED, TO_PAY_FEN - 1)
    sale = shop.open(way=BY_PHONE).sale
    record_id, no, code = shop.jobs.popleft()
    shop.phone_paying.carry_out(record_id, no, code)
    sale = shop.now(sale)
    assert (sale.state, sale.attempt(1).state) == (SaleState.PAYING, AttemptState.REVERSING)
    return sale


def test_the_card_pays_at_once_and_the_phone_is_given_back_later(unit_shop):
    sale = reversing_by_phone(unit_shop)

    after, refusal = unit_shop.pay_again(sale, CARD)
    assert (refusal, len(after.attempts)) == (None, 2)
    paid = unit_shop.work(sale)
    assert (paid.state, paid.paid_attempt.no) == (SaleState.PAID, 2)

    unit_shop.clock.sleep(60)
    unit_shop.channel.reversals[0] = DECLINED  # too late to be reversed: it stands
    unit_shop.channel.refunds = deque([PENDING, Answer(Say.APPROVED, TO_PAY_FEN - 1)])
    assert unit_shop.phone_lane.look_at_parked()
    assert unit_shop.now(sale).attempt(1).state is AttemptState.GIVING_BACK
    assert not unit_shop.phone_lane.look_at_parked()

    after = unit_shop.now(sale)
    assert [one.state for one in after.attempts] == [AttemptState.GIVEN_BACK, AttemptState.PAID]
    assert unit_shop.rows("SELECT kind FROM outbox ORDER BY seq") == [("paid",), ("supplement",)]


def test_a_yes_of_the_phone_after_it_began_to_be_undone_pays_for_nothing(unit_shop):
    sale = reversing_by_phone(unit_shop)
    unit_shop.channel.queries[0] = APPROVED
    unit_shop.clock.sleep(60)
    unit_shop.phone_lane.look_at_parked()
    assert unit_shop.now(sale).attempt(1).state is AttemptState.REVERSING
    assert unit_shop.rows("SELECT count(*) FROM outbox") == [(0,)]


def test_a_sale_begun_by_card_is_paid_by_phone_in_the_end(unit_shop):
    unit_shop.payment.takes = deque([DECLINED])
    sale = unit_shop.sell()
    unit_shop.channel.takes[0] = DECLINED
    for way in (BY_PHONE, CARD):
        unit_shop.pay_again(sale, way)
        assert unit_shop.work(sale).state is SaleState.HELD
    unit_shop.channel.takes[0] = APPROVED
    unit_shop.pay_again(sale, BY_PHONE)

    sale = unit_shop.work(sale)

    assert sale.state is SaleState.PAID
    assert [one.tender.value for one in sale.attempts] == ["card", "qr_scan", "card", "qr_scan"]
    assert unit_shop.log.count("hold") == 1


def test_no_card_while_the_phone_may_still_pay(unit_shop):
    unit_shop.channel.takes[0] = UNCLEAR
    sale = unit_shop.open(way=BY_PHONE).sale
    unit_shop.phone_paying.carry_out(sale.record_id, 1, BY_PHONE.pay_code)
    after, refusal = unit_shop.pay_again(sale, CARD)
    assert (refusal, [one.state for one in after.attempts]) == (None, [AttemptState.UNKNOWN])


@pytest.mark.parametrize(
    ("tender", "way"),
    [(Tender.QR_SCAN, None), (Tender.CASH, BY_PHONE)],
    ids=["no link", "not in the pack"],
)
def test_a_tender_that_cannot_be_taken_begins_nothing(tender, way, unit_shop):
    unit_shop.payment.takes[0] = DECLINED
    sale = unit_shop.sell()
    key = unit_shop.key()
    after, refusal = unit_shop.checkout.pay_again(sale.record_id, tender, way, "cashier-1", key)
    assert refusal is Refusal.TENDER_NOT_ALLOWED
    assert len(after.attempts) == 1


def test_of_two_ways_asked_for_at_once_one_is_begun_and_no_other_worker_calls_it_not_paid(unit_shop):
    unit_shop.payment.takes[0] = DECLINED
    sale = unit_shop.sell()
    begin = unit_shop.real_journal.begin_attempt

    def overtaken(*asked):
        unit_shop.real_journal.begin_attempt = begin
        unit_shop.pay_again(sale, BY_PHONE)
        return begin(*asked)

    unit_shop.real_journal.begin_attempt = overtaken
    unit_shop.pay_again(sale, CARD)
    unit_shop.channel.takes[0] = APPROVED
    by_phone, *by_card = unit_shop.jobs
    unit_shop.channel.before_answer = [lambda: [unit_shop.lane.pay(*job) for job in by_card]]

    unit_shop.phone_lane.pay(*by_phone)

    assert unit_shop.now(sale).state is SaleState.PAID
    assert [one.terminal_no for one in unit_shop.now(sale).attempts] == [TERMINAL, PHONE]
    assert by_card == []
