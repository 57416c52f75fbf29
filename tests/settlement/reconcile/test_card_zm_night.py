"""Is a shop that is paid by card, with UnionPay's ZM and ZME as its only files, matched to the fen?

The first nights are over a running acquirer's host: our driver sells, undoes and gives back over TCP, with
and without an order number, and the host writes ZM from its own books. What must lie days apart is written
by the same code.
"""

import datetime

import books
import pytest
import reference_data as reference
from acquirer import EmulatedAcquirer, direct_terminal
from fake_device import promised
from msgspec.structs import replace
from night import CARD_NO, DAY, NEXT_DAY, NightDay, changed, pay_ref, to_pay, triples
from unnamed_day import THIRD_DAY, ZM, UnnamedDay

from settlement.reconcile.kinds import Kind
from settlement.reconcile.match import NOT_OURS
from subsidy import ids
from subsidy.calendar import SHANGHAI
from terminal_agent.checkout.ports import Ask, Back, Say

ONE_DAY = datetime.timedelta(days=1)
PLAIN_FEN = 4990
SOURCES = f"""\
files: incoming
sources:
  - source: acquirer
    layout: unionpay_zm
    file: "zm-{{date}}.txt"
    tenders: [card]
    merchants: {{"{CARD_NO}": ["{reference.SHOP}"]}}
    longest_payment_s: 4500
    names_orders: NAMES
"""


class HostDay(NightDay):
    """A shop whose terminal calls a running host: what moved is in the host's books, and nowhere else."""

    def __init__(self, folder, of, acquirer, *, names):
        super().__init__(folder, of)
        self.acquirer = acquirer
        # The host writes the time that it is; so this day is today.
        self.books.clock.ahead_ms = now_ms() - self.books.clock.at_ms
        self.sources.write_text(SOURCES.replace("NAMES", str(names).lower()), encoding="utf-8")
        field = {} if names else {"order_field": "none"}
        self.terminal = direct_terminal(acquirer.address, folder, reference.TERMINAL, **field)

    def prepared(self, order, fen):
        ask = Ask(order, fen, operator="07", till_no="1")
        return replace(ask, mark=self.terminal.prepare(ask))

    def take(self, held, no=1):
        """Charge a card; return what was asked and what is known of it, as the journal has it."""
        ask = self.prepared(pay_ref(held, no), to_pay(held))
        answer = self.terminal.take(ask)
        paid = answer.say is Say.APPROVED
        if not paid:
            assert self.terminal.reverse(ask, answer.evidence).say is Say.APPROVED
        attempt = self.attempt(held, no, "PAID" if paid else "NOT_PAID")
        return ask, replace(attempt, evidence=answer.evidence)

    def sell(self, *_):
        held = self.hold()
        ask, attempt = self.take(held)
        self.report_paid(held, attempt)
        return held, ask, attempt

    def bring_back(self, held, ask, attempt):
        """Give a sale's money back: by a void, or by a refund once the batch is closed."""
        refund_no = ids.refund_no(ask.pay_ref)
        back = Back(refund_no, ask.amount_fen, attempt.evidence, self.terminal.prepare(ask))
        answer = self.terminal.refund(ask, back)
        assert answer.say is Say.APPROVED, answer
        self.report(self.returning(held), replace(self.returned(held), evidence=answer.evidence))

    def plain_sale(self, fen=PLAIN_FEN):
        order = ids.pay_ref(ids.record_id(now_ms(), bytes(10)), 1)
        assert self.terminal.take(replace(self.prepared(order, fen), pay_ref="")).say is Say.APPROVED

    def nights(self):
        """Run the nights of yesterday and the three days from today on, whose files have what was sold."""
        today = datetime.datetime.now(SHANGHAI).date()
        days = [today + number * ONE_DAY for number in (-1, 0, 1, 2, 3)]
        for one in map(str, days):
            raw = self.acquirer.zm(one, CARD_NO)
            file = self.incoming / (f"zm-{one}.txt" if raw else f"zm-{one}.txt.none")
            file.write_text(raw, encoding="ascii")
        for one in days[:-1]:
            self.pass_to(str(one + ONE_DAY))
            night = self.run(str(one))
            assert night.report.proof.debited.holds
            assert night.report.proof.granted.holds
            yield night.report


def now_ms():
    return round(datetime.datetime.now(SHANGHAI).timestamp() * 1000)


@pytest.fixture
def acquirer(tmp_path):
    with EmulatedAcquirer.start(tmp_path) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["named", "unnamed"])
def host_day(tmp_path, acquirer, request):
    of = books.Books(tmp_path)
    yield HostDay(tmp_path, of, acquirer, names=request.param)
    of.close()


@pytest.fixture
def day(tmp_path):
    of = books.Books(tmp_path)
    yield UnnamedDay(tmp_path, of, ZM)
    of.close()


def test_a_day_of_sales_voids_refunds_and_lost_answers_is_matched_without_a_difference(host_day):
    sold, voided, refunded = (host_day.sell() for _ in range(3))
    host_day.bring_back(*voided)
    host_day.acquirer.fault("lost_answer", on="sale")
    stopped = host_day.hold()
    host_day.report_closed(stopped, host_day.take(stopped)[1])
    host_day.acquirer.fault("lost_answer", on="sale")
    second_card = host_day.hold()
    tries = [host_day.take(second_card, no)[1] for no in (1, 2)]
    assert [one.state for one in tries] == ["NOT_PAID", "PAID"]
    host_day.report_paid(second_card, *tries)
    host_day.plain_sale()
    host_day.acquirer.settle(reference.TERMINAL)
    host_day.bring_back(*refunded)
    assert {"void", "refund", "reversal"} <= {one["kind"] for one in host_day.acquirer.books()}
    reports = list(host_day.nights())
    assert [one.differences for one in reports] == [()] * 4
    records = [host_day.record(one) for one in (sold[0], second_card)]
    assert {(one.state, one.night) for one in records} == {("PAYABLE", "matched")}
    assert {host_day.record(one[0]).state for one in (voided, refunded)} == {"RETURNED"}
    assert host_day.record(stopped).state == "RELEASED"
    assert sum(one.proof.debited.buckets.get(NOT_OURS, 0) for one in reports) == PLAIN_FEN


def test_what_the_host_charged_and_the_shop_denies_is_found(host_day):
    """The shop says that it was reversed; the host has never heard of it."""
    held = host_day.hold()
    _, attempt = host_day.take(held)
    assert attempt.state == "PAID"
    host_day.report_closed(held, replace(attempt, state="NOT_PAID", approved_fen=None))
    found = {(one.kind, one.fen) for report in host_day.nights() for one in report.differences}
    assert found == {(Kind.MISSING_IN_RECORD, to_pay(held))}


def test_a_refund_of_a_later_day_is_put_right_in_zme_and_matched_by_the_sale_that_it_names(day):
    sold = day.sell()
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert day.run().report.differences == ()
    assert day.record(sold).night == "matched"
    day.give_back_goods(sold)
    day.write_files(NEXT_DAY)
    day.write_files(THIRD_DAY)
    day.pass_to(THIRD_DAY)
    report = day.run(NEXT_DAY).report
    assert report.differences == ()
    assert report.proof.debited.holds
    assert report.proof.debited.buckets["matched"] == -to_pay(sold)
    assert report.proof.debited.buckets.get(NOT_OURS, 0) == 0


def test_money_that_went_back_past_the_till_is_a_difference_on_the_same_day_and_the_next(day):
    first, second = day.sell(), day.sell()
    day.refund(first)
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert triples(day.run().report) == [(Kind.REFUND_WITHOUT_RETURN, pay_ref(first), to_pay(first))]
    assert day.record(first).state == "BLOCKED"
    day.take_back(second)  # a void, so that ZM names the sale's reference number
    day.write_files(NEXT_DAY)
    day.pass_to(THIRD_DAY)
    report = day.run(NEXT_DAY).report
    assert (Kind.REFUND_WITHOUT_RETURN, pay_ref(second), to_pay(second)) in triples(report)
    assert day.record(second).state == "BLOCKED"


def test_a_refund_that_names_a_plain_sale_is_nobodys_whatever_the_shops_slip_says(day):
    sold = day.sell()
    day.plain_sale()
    (plain,) = (one for one in day.card if not one.pay_ref)
    day.refund(sold)
    day.card[-1] = changed(day.card[-1], fen=PLAIN_FEN, orig_trace=plain.trace)
    day.report(day.returning(sold), replace(day.returned(sold), evidence=day.slip()))
    assert triples(day.nights().report) == [(Kind.RETURN_WITHOUT_REFUND, pay_ref(sold), to_pay(sold))]


def test_of_two_terminals_that_came_to_one_trace_in_one_second_nothing_is_guessed(day):
    sold = day.sell()
    other = changed(day.card[-1], no=2, tid="EMU00099", rrn="000000000099", fen=PLAIN_FEN)
    day.card.append(other)
    day.write_files()
    day.pass_to(NEXT_DAY)
    assert day.run().report.differences == ()
    day.give_back_goods(sold)
    day.write_files(NEXT_DAY)
    day.write_files(THIRD_DAY)
    day.pass_to(THIRD_DAY)
    day.run(NEXT_DAY)
    day.pass_to("2026-03-04")
    found = triples(day.run(NEXT_DAY).report)
    assert found == [(Kind.RETURN_WITHOUT_REFUND, pay_ref(sold), to_pay(sold))]


def test_a_card_payment_under_a_number_that_is_not_ours_is_not_taken_for_it(day):
    sold = day.sell()
    day.card[-1] = changed(day.card[-1], mid="999999999999999")
    assert triples(day.nights().report) == [(Kind.MISSING_IN_FILE, pay_ref(sold), to_pay(sold))]


def test_the_other_shops_terminal_is_not_asked(day):
    held = day.hold()
    assert promised(held).terminal_no == reference.TERMINAL
    day.charge(held)
    day.move_last("EMU00099")
    day.write_files(DAY)
    day.nights()
    assert day.record(held).state == "RELEASED"
