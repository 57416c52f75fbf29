"""What becomes of the items about a record when that ends in another way than by people settling it?"""

import pytest
from fake_device import promised
from msgspec.structs import replace

from settlement.claims.pay import PayClaim
from settlement.claims.send_back import SendBack
from settlement.reconcile.apply_night import ApplyNight, Recover
from settlement.writer.rows import Difference
from subsidy import ids


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def differing(device, sealed):
    """Return a paid entry with another amount than was promised: its line is blocked."""
    amounts = replace(promised(sealed).amounts, initial_price_fen=1)
    return device.paid(sealed, amounts=amounts)


@pytest.fixture
def blocked(books, device):
    """Return a sale whose line is blocked, with an item for its owner."""
    sealed = books.hold(device)
    books.take(device, device.chain(differing(device, sealed)))
    assert books.differences(promised(sealed).record_id) == ["decision_differs"]
    return sealed


def test_goods_that_come_back_end_the_items_about_their_sale(books, device, blocked):
    books.give_back(device, blocked)
    record = books.record(blocked)
    assert (record.state, books.differences(record.record_id)) == ("RETURNED", [])
    assert books.row(Difference, record.record_id, "decision_differs").closed_ms == books.clock.now_ms()


def test_they_stay_while_the_goods_are_on_their_way_or_stay_sold(books, device, blocked):
    record_id = promised(blocked).record_id
    books.take(device, device.chain(device.returning(promised(blocked))))
    assert books.differences(record_id) == ["decision_differs"]
    books.take(device, device.chain(device.returned(promised(blocked), False)))
    assert (books.record(blocked).state, books.differences(record_id)) == ("BLOCKED", ["decision_differs"])


def test_one_that_is_opened_in_the_same_upload_ends_too(books, device):
    sealed = books.hold(device)
    entries = (
        differing(device, sealed),
        device.returning(promised(sealed)),
        device.returned(promised(sealed)),
    )
    assert books.take(device, *(device.chain(one) for one in entries)) == ["accepted"] * 3
    assert (books.record(sealed).state, books.differences(promised(sealed).record_id)) == ("RETURNED", [])


def test_a_late_grant_whose_goods_come_back_waits_for_nobody(books, device):
    sealed = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(differing(device, sealed)))
    assert books.differences(promised(sealed).record_id) == ["late_grant"]
    books.give_back(device, sealed)
    record = books.record(sealed)
    assert (record.state, record.money, books.differences(record.record_id)) == ("RELEASED", None, [])


def found_paid(books, device):
    """Return a sale that the files have found paid while its shop was silent."""
    sealed = books.hold(device)
    promise = promised(sealed)
    pay_ref = ids.pay_ref(promise.record_id, 1)
    books.done(ApplyNight((Recover(promise.record_id, 0, pay_ref, promise.amounts.to_pay_fen, "files"),)))
    return sealed


@pytest.fixture
def claimed(books, device):
    """Return a claim and its line's sale, found paid by files and reported otherwise since."""
    sealed = found_paid(books, device)
    record_id = promised(sealed).record_id
    claim = books.claim(device).claim
    books.take(device, device.chain(device.paid(sealed, paid_fen=1)))
    assert books.differences(record_id) == ["recovery_differs"]
    return claim, sealed


def test_a_line_that_is_rejected_ends_them(books, claimed):
    claim, sealed = claimed
    books.done(SendBack(claim, promised(sealed).record_id, "no invoice", to_correct=False))
    record = books.record(sealed)
    assert (record.state, books.differences(record.record_id)) == ("AVAILABLE_AGAIN", [])


def test_a_line_to_correct_keeps_them(books, claimed):
    claim, sealed = claimed
    books.done(SendBack(claim, promised(sealed).record_id, "no photo", to_correct=True))
    record = books.record(sealed)
    assert (record.state, books.differences(record.record_id)) == ("BLOCKED", ["recovery_differs"])


def test_a_line_whose_goods_are_back_ends_them_before_it_is_withheld_for_good(books, device, claimed):
    claim, sealed = claimed
    books.give_back(device, sealed)
    assert books.differences(promised(sealed).record_id) == []
    assert books.done(PayClaim(claim, "bank 1")).fen == 0
    record = books.record(sealed)
    assert (record.state, books.differences(record.record_id)) == ("RETURNED", [])


def test_goods_that_come_back_after_payout_end_them(books, device):
    sealed = found_paid(books, device)
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    books.take(device, device.chain(device.paid(sealed, paid_fen=1)))
    assert books.differences(promised(sealed).record_id) == ["recovery_differs"]
    books.give_back(device, sealed)
    record = books.record(sealed)
    assert (record.money, books.differences(record.record_id)) == ("merchant_receivable", [])
