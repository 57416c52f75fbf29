"""What does the driver do at the end of a batch: of a full one, one that it closes, one that was closed?"""

import pytest
from acquirer import direct_terminal, new_number

from terminal_agent.checkout.ports import Say
from terminal_agent.terminals.direct.driver import Settled
from terminal_agent.terminals.direct.messages import Totals, read_sale_mark


def test_a_closed_batch_is_noticed_before_the_next_card_is_read(acquirer, tap, tmp_path, sell):
    number = new_number()
    driver = direct_terminal(tap.address, tmp_path, number)
    ask, _ = sell(at=driver)
    acquirer.settle(number)
    later, _ = sell(at=driver)
    assert read_sale_mark(later.mark).batch != read_sale_mark(ask.mark).batch
    assert [one.mti for one in tap.heard] == ["0800", "0200", "0820", "0800", "0200"]


def test_a_batch_that_closes_after_the_card_is_read_charges_nothing(acquirer, tmp_path, prepared, sell):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask = prepared(at=driver)
    acquirer.settle(number)
    answer = driver.take(ask)
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "77")
    assert acquirer.moved(ask.pay_ref) == []
    sell(at=driver)


def test_a_batch_is_closed_with_our_totals_and_the_next_sale_is_in_another(
    acquirer, tap, tapped, sell, begin_return
):
    sell(12_000, at=tapped)
    ask, paid = sell(300, at=tapped)
    tapped.refund(ask, begin_return(ask, paid, at=tapped))
    ours = Totals(12_300, 2, 300, 1)
    batch = tapped.open_batch()
    assert tapped.close(batch, ours) == Settled(batch, ours, ours, balanced=True, code="00")
    (request,) = tap.said("0500")
    assert request["48"] == "0000000123000020000000003000010" + "0" * 31
    later, _ = sell(at=tapped)
    assert int(read_sale_mark(later.mark).batch) == int(batch) + 1


def test_other_totals_at_the_host_are_told(tapped, sell):
    sell(12_000, at=tapped)
    settled = tapped.close(tapped.open_batch(), Totals(12_001, 1, 0, 0))
    assert (settled.balanced, settled.theirs) == (False, Totals(12_000, 1, 0, 0))


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "wrong_mac", "no_mac", "cut_answer"])
def test_a_settlement_that_is_not_confirmed_says_so(fault, acquirer, driver, sell):
    sell()
    acquirer.fault(fault, on="settle")
    assert driver.close(driver.open_batch(), Totals(12_000, 1, 0, 0)) is None


@pytest.fixture
def counted(tapped):
    """Return the terminal with what its journal counts in a batch: sales, and what went back."""

    def of(sales, backs=0):
        tapped.count_with(lambda batch, merchant: (sales * 100, sales, backs * 100, backs))
        return tapped

    return of


def test_a_sale_in_a_full_batch_is_declined_before_anything_is_sent_and_says_to_settle(
    counted, tap, prepared, sell
):
    sell(at=counted(899))
    driver = counted(900)
    answer = driver.take(prepared(at=driver))
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "BATCH_FULL")
    assert len(tap.said("0200")) == 1
    assert "Batch 000001 has 900 sales" in driver.trouble
    assert "`terminal-agent settle EMU" in driver.trouble
    sell(at=counted(0))
    assert driver.trouble == ""


def test_a_batch_is_counted_again_when_what_was_begun_since_could_have_filled_it(tapped, prepared):
    counts = []

    def moved_in_batch(batch, merchant):
        counts.append(898 if not counts else 900)
        return (0, counts[-1], 0, 0)

    tapped.count_with(moved_in_batch)
    said = [tapped.take(prepared(at=tapped)).say for _ in range(3)]
    assert said == [Say.APPROVED, Say.APPROVED, Say.DECLINED]
    assert counts == [898, 900]


def test_nothing_is_given_back_in_a_batch_that_is_full_of_that_and_sales_go_on(
    counted, acquirer, sell, begin_return
):
    driver = counted(0, backs=900)
    ask, paid = sell(at=driver)
    assert driver.prepare(ask) is None
    assert "900 given back" in driver.trouble
    driver = counted(0, backs=899)
    assert driver.refund(ask, begin_return(ask, paid, at=driver)).say is Say.APPROVED


def test_what_is_in_doubt_is_reversed_in_a_full_batch_too(counted, acquirer, sell):
    ask, paid = sell(at=counted(0))
    assert counted(900, backs=900).reverse(ask, paid.evidence).say is Say.APPROVED
