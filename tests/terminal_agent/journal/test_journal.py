"""One call, one transaction: moves are compare-and-set, and what belongs together commits together."""

import pytest
from unit_shop import SAID, TO_PAY_FEN

from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, KeyMacs, KeyReused, Say
from terminal_agent.checkout.states import AttemptState, SaleState
from terminal_agent.journal import outbox


class PowerCut(Exception):
    pass


def everything(shop):
    tables = ("sale", "attempt", "outbox", "counter", "idempotency_key", "move")
    return {table: shop.rows(f"SELECT * FROM {table}") for table in tables}


@pytest.fixture
def cut_before_the_outbox(monkeypatch):
    def cut(*_):
        raise PowerCut

    monkeypatch.setattr(outbox, "append", cut)


def test_an_outcome_without_its_record_never_was(unit_shop, cut_before_the_outbox):
    sale = unit_shop.open().sale
    before = everything(unit_shop)
    with pytest.raises(PowerCut):
        unit_shop.real_journal.paid(sale.record_id, 1, TO_PAY_FEN, SAID)
    assert everything(unit_shop) == before


def test_an_end_without_its_record_never_was(unit_shop, cut_before_the_outbox):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    before = everything(unit_shop)
    with pytest.raises(PowerCut):
        unit_shop.real_journal.close(sale.record_id, "stopped")
    with pytest.raises(PowerCut):
        unit_shop.real_journal.wish_stop(sale.record_id, unit_shop.key())
    assert everything(unit_shop) == before


# A call that finds the sale elsewhere changes nothing.

CALLS = {
    "ask": lambda journal, sale: journal.ask(sale.record_id, 1, 1),
    "refuse": lambda journal, sale: journal.refuse(sale.record_id, (Refusal.FUND_EXHAUSTED,)),
    "hold": lambda journal, sale: journal.hold(sale.record_id, sale.held),
    "close": lambda journal, sale: journal.close(sale.record_id, "why"),
    "park": lambda journal, sale: journal.park(sale.record_id),
    "paid": lambda journal, sale: journal.paid(sale.record_id, 1, TO_PAY_FEN, SAID),
    "not_paid": lambda journal, sale: journal.not_paid(sale.record_id, 1, Evidence(), keep_hold=True),
    "unknown": lambda journal, sale: journal.unknown(sale.record_id, 1, Evidence()),
    "reversing": lambda journal, sale: journal.reversing(sale.record_id, 1, Evidence()),
    "mark": lambda journal, sale: journal.mark_attempt(sale.record_id, 1, "000099"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_nothing_moves_a_paid_sale(call, unit_shop):
    sale = unit_shop.sell()
    before = everything(unit_shop)
    call(unit_shop.real_journal, sale)
    assert everything(unit_shop) == before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_nothing_but_its_ack_moves_a_closing_sale(call, unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    sale = unit_shop.checkout.stop(sale.record_id, unit_shop.key())
    before = everything(unit_shop)
    call(unit_shop.real_journal, sale)
    assert everything(unit_shop) == before


def test_a_mark_is_stored_once(unit_shop):
    sale = unit_shop.open().sale
    assert unit_shop.real_journal.mark_attempt(sale.record_id, 1, "000041") is True
    assert unit_shop.real_journal.mark_attempt(sale.record_id, 1, "000042") is False
    assert unit_shop.now(sale).attempt(1).mark == "000041"


def test_a_yes_to_a_stopped_sale_is_unknown_with_what_was_said(unit_shop):
    sale = unit_shop.open().sale
    unit_shop.checkout.stop(sale.record_id, unit_shop.key())
    after = unit_shop.real_journal.paid(sale.record_id, 1, TO_PAY_FEN, SAID)
    assert (after.state, after.attempt(1).state) == (SaleState.PAYING, AttemptState.UNKNOWN)
    assert after.attempt(1).evidence == SAID
    assert unit_shop.real_journal.waiting(10) == ()


def test_numbers_are_counted_in_the_transaction_that_uses_them(unit_shop):
    first, second = unit_shop.open().sale, unit_shop.open().sale
    assert (first.hold_no, second.hold_no) == (1, 2)
    unit_shop.restart()
    assert unit_shop.open().sale.hold_no == 3


def test_a_refused_sale_uses_no_hold_number(unit_shop):
    unit_shop.open(serial_no="SN-A")
    unit_shop.open(serial_no="SN-A")
    assert unit_shop.open().sale.hold_no == 2


def test_a_key_with_another_body_is_refused_wherever_it_comes(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    key = unit_shop.key()
    sale = unit_shop.sell(key=key)
    other = KeyMacs(key.key, "another body")
    before = everything(unit_shop)
    with pytest.raises(KeyReused):
        unit_shop.real_journal.wish_stop(sale.record_id, other)
    with pytest.raises(KeyReused):
        unit_shop.real_journal.begin_attempt(sale.record_id, Tender.CARD, "EMU00001", "o", other)
    assert everything(unit_shop) == before


def test_a_sale_takes_ninety_nine_attempts_and_no_more(unit_shop):
    unit_shop.payment.takes[0] = Answer(Say.DECLINED)
    sale = unit_shop.sell()
    for _ in range(120):
        unit_shop.pay_again(sale)
        unit_shop.work(sale)
    assert len(unit_shop.now(sale).attempts) == 99


def test_a_serial_number_binds_as_long_as_its_sale_is_open_or_paid(unit_shop):
    sale = unit_shop.sell(serial_no="SN-A", code="QC-A")
    journal = unit_shop.real_journal
    assert journal.binding("SN-A", "mac of QC-B").record_id == sale.record_id
    assert journal.binding("SN-B", "mac of QC-A") is None
    assert journal.binding("SN-B", "mac of QC-B") is None


def test_an_item_without_a_serial_number_binds_nobody_elses(unit_shop):
    assert unit_shop.open(serial_no=None).sale.reasons
    assert unit_shop.real_journal.binding(None, "mac of another") is None


def test_a_journal_belongs_to_one_device_for_ever(unit_shop):
    enrolled, _ = unit_shop.real_journal.enrolled()
    with pytest.raises(Exception, match="UNIQUE"):
        unit_shop.real_journal.enrol(enrolled, "https://other.example")
    assert unit_shop.real_journal.enrolled()[1] == "https://centre.example"


def test_whoever_watches_hears_of_a_change_after_it_is_done(unit_shop):
    seen = []
    journal = unit_shop.real_journal
    journal._changed = lambda: seen.append(("changed", unit_shop.connection.in_transaction))
    journal._entry_written = lambda: seen.append(("entry", unit_shop.connection.in_transaction))
    sale = unit_shop.open().sale
    assert set(seen) == {("changed", False)}
    seen.clear()
    journal.paid(sale.record_id, 1, TO_PAY_FEN, SAID)
    assert seen == [("changed", False), ("entry", False)]
