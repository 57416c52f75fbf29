"""What waits for the centre, what a statement says is open, and what an ack may change."""

from dataclasses import dataclass

import pytest
from quiet_till import ENROLLED
from unit_shop import ack_of

from subsidy.wire import v1
from subsidy.wire.chain import GENESIS, entry_hash
from terminal_agent.checkout.ports import Answer, CentreUnreachable, Say
from terminal_agent.checkout.states import SaleState
from terminal_agent.journal import outbox

DECLINED = Answer(Say.DECLINED)
UNCLEAR = Answer(Say.UNCLEAR)


@dataclass
class Row:
    """One kind of sale, and whether its hold is open: before and after its entry was acknowledged."""

    name: str
    make: object
    open_before: bool
    open_after: bool | None = None

    def __str__(self):
        return self.name


def refused_before_the_hold(shop):
    shop.centre.instead["facts"] = CentreUnreachable("silence")
    return shop.sell()


def refused_by_the_fund(shop):
    shop.centre.instead["hold"] = v1.Refused(v=1, record_id="0" * 36, reasons=("FUND_EXHAUSTED",))
    return shop.sell()


def asked_and_not_answered(shop):
    class PowerCut(Exception):
        pass

    shop.centre.instead["hold"] = PowerCut()
    with pytest.raises(PowerCut):
        shop.open()


def asked_and_given_up(shop):
    shop.centre.instead["hold"] = CentreUnreachable("silence")
    return shop.sell()


def paying(shop):
    return shop.open().sale


def not_paid(shop):
    shop.payment.takes[0] = DECLINED
    return shop.sell()


def parked(shop):
    shop.payment.takes[0] = UNCLEAR
    return shop.sell()


def stopped(shop):
    shop.checkout.stop(not_paid(shop).record_id, shop.key())


ROWS = [
    Row("refused before a hold was asked for", refused_before_the_hold, False),
    Row("refused by the fund", refused_by_the_fund, False),
    Row("asked for, and no answer came yet", asked_and_not_answered, True),
    Row("asked for, given up", asked_and_given_up, True, False),
    Row("held and being paid", paying, True),
    Row("held and not paid", not_paid, True),
    Row("parked", parked, True),
    Row("paid", lambda shop: shop.sell(), True, False),
    Row("stopped", stopped, True, False),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_hold_is_open_from_its_number_until_the_ack_of_its_end(row, unit_shop):
    row.make(unit_shop)

    batch = unit_shop.real_journal.cut_batch(10)

    assert bool(batch.statement.open) is row.open_before
    assert bool(batch.entries) is (row.open_after is not None)
    numbered = unit_shop.rows("SELECT record_id, hold_no FROM sale WHERE hold_no IS NOT NULL")
    assert batch.statement.upto_hold_no == len(numbered)
    if row.open_before:
        assert [(one.record_id, one.hold_no) for one in batch.statement.open] == numbered
    if row.open_after is not None:
        unit_shop.real_journal.acknowledge([(ack_of(one), "sealed") for one in batch.entries])
        assert bool(unit_shop.real_journal.cut_batch(10).statement.open) is row.open_after


def test_a_supplement_that_is_acknowledged_ends_no_hold(unit_shop):
    """Only the `paid` or `closed` entry does: here the paid one is not acknowledged yet."""
    unit_shop.payment.takes.extendleft([Answer(Say.APPROVED, 1)])
    sale = unit_shop.open().sale
    unit_shop.paying.carry_out(sale.record_id, 1)
    unit_shop.pay_again(sale)
    unit_shop.work(sale)
    unit_shop.payment.reversals[0] = Answer(Say.APPROVED)
    unit_shop.lane.look_at_parked()
    paid, supplement = unit_shop.real_journal.waiting(10)
    assert (paid.kind, supplement.kind) == ("paid", "supplement")

    unit_shop.real_journal.acknowledge([(ack_of(supplement), "sealed")])

    assert len(unit_shop.real_journal.cut_batch(10).statement.open) == 1


@pytest.mark.parametrize("wrong", [{"hash": "0" * 64}, {"seq": 99}], ids=["another hash", "another number"])
def test_an_ack_that_is_not_of_the_entry_changes_nothing(wrong, unit_shop):
    stopped(unit_shop)
    (entry,) = unit_shop.real_journal.waiting(10)
    before = unit_shop.rows("SELECT * FROM outbox"), unit_shop.rows("SELECT * FROM sale")

    unit_shop.real_journal.acknowledge([(ack_of(entry, **wrong), "sealed")])

    assert (unit_shop.rows("SELECT * FROM outbox"), unit_shop.rows("SELECT * FROM sale")) == before


def test_the_first_ack_is_kept(unit_shop):
    unit_shop.sell()
    (entry,) = unit_shop.real_journal.waiting(10)

    unit_shop.real_journal.acknowledge([(ack_of(entry), "first")])
    unit_shop.real_journal.acknowledge([(ack_of(entry, answer="repeat"), "second")])

    assert unit_shop.rows("SELECT answer, ack FROM outbox") == [("accepted", "first")]


@pytest.mark.parametrize("answer", ["accepted", "repeat", "quarantined"])
def test_every_ack_ends_the_waiting_so_that_one_poison_record_does_not_stop_the_queue(answer, unit_shop):
    stopped(unit_shop)
    (entry,) = unit_shop.real_journal.waiting(10)
    unit_shop.real_journal.acknowledge([(ack_of(entry, answer=answer), "sealed")])
    assert unit_shop.real_journal.waiting(10) == ()
    assert unit_shop.rows("SELECT state FROM sale") == [("CLOSED",)]


def test_the_chain_goes_on_without_a_gap_over_acks_and_restarts(unit_shop):
    for number in range(6):
        unit_shop.sell()
        if number == 2:
            unit_shop.restart()
        if number == 4:
            batch = unit_shop.real_journal.cut_batch(10)
            unit_shop.real_journal.acknowledge([(ack_of(one), "sealed") for one in batch.entries])

    rows = unit_shop.rows("SELECT seq, prev, hash, body FROM outbox ORDER BY seq")

    assert [row[0] for row in rows] == [1, 2, 3, 4, 5, 6]
    before = GENESIS
    for seq, prev, hash_, body in rows:
        assert prev == before
        assert hash_ == entry_hash(ENROLLED.device, ENROLLED.epoch, seq, prev, body)
        before = hash_


def test_a_batch_is_the_oldest_entries_with_the_head_they_lead_to(unit_shop):
    for _ in range(3):
        unit_shop.sell()
    first = unit_shop.real_journal.cut_batch(2)
    second = unit_shop.real_journal.cut_batch(2)

    assert [one.seq for one in first.entries] == [1, 2]
    assert (first.head_seq, first.head_hash) == (2, first.entries[-1].hash)
    assert second.entries == first.entries
    assert (first.upload_no, second.upload_no) == (1, 2)


def test_of_very_many_open_holds_the_first_are_stated_and_never_up_to_a_lower_number(unit_shop, monkeypatch):
    journal = unit_shop.real_journal
    for _ in range(3):
        unit_shop.sell()
    stated = [journal.cut_batch(10).statement]
    monkeypatch.setattr(outbox, "_MOST_STATED", 2)
    unit_shop.sell()
    stated.append(journal.cut_batch(10).statement)
    journal.acknowledge([(ack_of(one), "sealed") for one in journal.waiting(2)])
    stated.append(journal.cut_batch(10).statement)
    journal.acknowledge([(ack_of(one), "sealed") for one in journal.waiting(10)])
    stated.append(journal.cut_batch(10).statement)
    found = [(one.upto_hold_no, [each.hold_no for each in one.open]) for one in stated]
    # Three were stated before there was a limit, and three it stays.
    assert found == [(3, [1, 2, 3]), (3, [1, 2, 3]), (4, [3, 4]), (4, [])]


def test_a_sale_that_is_open_is_stated_however_many_are_reported_again(unit_shop, monkeypatch):
    journal = unit_shop.real_journal
    for _ in range(4):
        unit_shop.sell()
    unit_shop.payment.takes[0] = UNCLEAR
    parked = unit_shop.sell()
    assert parked.state is SaleState.PARKED
    journal.acknowledge([(ack_of(one), "sealed") for one in journal.waiting(10)])
    assert journal.cut_batch(10).statement.upto_hold_no == parked.hold_no
    monkeypatch.setattr(outbox, "_MOST_STATED", 2)

    journal.wait_again(0)

    statement = journal.cut_batch(10).statement
    assert statement.upto_hold_no == parked.hold_no
    assert parked.record_id in [one.record_id for one in statement.open]


def test_an_agent_that_has_not_kept_count_states_all_it_has_once_more(unit_shop, monkeypatch):
    unit_shop.sell()
    unit_shop.sell()
    unit_shop.real_journal.cut_batch(10)
    unit_shop.connection.execute("DELETE FROM counter WHERE name = 'stated_hold_no'")
    monkeypatch.setattr(outbox, "_MOST_STATED", 1)
    assert unit_shop.real_journal.cut_batch(10).statement.upto_hold_no == 2


def test_a_batch_has_room_for_so_many_bytes_and_for_one_entry_in_any_case(unit_shop, monkeypatch):
    journal = unit_shop.real_journal
    for _ in range(3):
        unit_shop.sell()
    size = len(journal.waiting(1)[0].body)
    for room, entries in ((10 * size, 3), (2 * size + size // 2, 2), (size // 2, 1)):
        monkeypatch.setattr(outbox, "_MOST_BODY_BYTES", room)
        batch = journal.cut_batch(10)
        assert (len(batch.entries), batch.head_seq) == (entries, entries)


def test_an_empty_batch_still_states_what_is_open(unit_shop):
    sale = paying(unit_shop)
    batch = unit_shop.real_journal.cut_batch(10)
    assert (batch.entries, batch.head_seq, batch.head_hash) == ((), 0, GENESIS)
    assert batch.statement == v1.Statement(
        upto_hold_no=1, open=(v1.OpenHold(record_id=sale.record_id, hold_no=1),), last_seq=0
    )


def test_what_was_acknowledged_waits_again_with_the_same_bytes_and_its_hold_is_open_again(unit_shop):
    journal = unit_shop.real_journal
    stopped(unit_shop)
    unit_shop.sell()
    before = journal.waiting(10)
    journal.acknowledge([(ack_of(one), "sealed") for one in before])
    sales = unit_shop.rows("SELECT * FROM sale")
    assert journal.acknowledged_after(before[-1].seq) == 0
    assert journal.acknowledged_after(0) == len(before)

    journal.wait_again(0)

    assert journal.waiting(10) == before
    assert len(journal.cut_batch(10).statement.open) == 2
    assert unit_shop.rows("SELECT * FROM sale") == sales
    journal.acknowledge([(ack_of(one, answer="repeat"), "sealed") for one in before])
    assert journal.waiting(10) == ()
    assert unit_shop.rows("SELECT * FROM sale") == sales


def test_what_waits_again_is_told_by_its_number_whatever_the_shops_clock_said(unit_shop):
    journal = unit_shop.real_journal
    stopped(unit_shop)
    unit_shop.clock.wall -= 60_000
    stopped(unit_shop)
    before = journal.waiting(10)
    journal.acknowledge([(ack_of(one), "sealed") for one in before])
    first, *later = before
    assert [one.made_ms < first.made_ms for one in later] == [True]

    journal.wait_again(first.seq)

    assert [one.seq for one in journal.waiting(10)] == [one.seq for one in later]
    assert journal.last_seq() == before[-1].seq
