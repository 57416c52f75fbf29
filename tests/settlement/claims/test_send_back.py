"""What becomes of a line that a reviewer does not accept?"""

import pytest
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.claims.send_back import SendBack
from settlement.writer.rows import ClaimLine, Quota, Serial

GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def claimed(books, device):
    """Return the name of a claim with one line, its sale and its record id."""
    sealed = books.sell(device)
    return books.claim(device).claim, sealed, promised(sealed).record_id


def test_a_rejected_line_is_over_and_its_money_available(books, claimed):
    name, sealed, record_id = claimed
    books.done(SendBack(name, record_id, "no invoice", to_correct=False))
    record = books.record(sealed)
    assert (record.state, record.money, record.why) == ("AVAILABLE_AGAIN", None, "rejected: no invoice")
    assert books.money() == {}
    line = books.row(ClaimLine, name, record_id)
    assert (line.state, line.why) == ("REJECTED", "no invoice")


def test_what_a_rejected_sale_took_stays_taken(books, claimed):
    name, sealed, record_id = claimed
    books.done(SendBack(name, record_id, "no invoice", to_correct=False))
    record = books.record(sealed)
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record_id
    assert books.row(Quota, record.person, record.category, record.year).used == 1


def test_a_line_to_correct_is_payable_again(books, claimed):
    name, sealed, record_id = claimed
    books.done(SendBack(name, record_id, "no photo", to_correct=True))
    record = books.record(sealed)
    assert (record.state, record.money, record.why) == ("PAYABLE", "payable", "to correct: no photo")
    assert books.money() == {"payable": GRANT_FEN}


def test_a_line_to_correct_keeps_the_reasons_against_it(books, device, claimed):
    name, sealed, record_id = claimed
    books.take(device, device.chain(device.returning(promised(sealed))))
    books.done(SendBack(name, record_id, "no photo", to_correct=True))
    assert (books.record(sealed).state, books.record(sealed).blocks) == ("BLOCKED", ("returning",))
    books.take(device, device.chain(device.returned(promised(sealed))))
    assert (books.record(sealed).state, books.money()) == ("RETURNED", {})


@pytest.mark.parametrize("to_correct", [True, False])
def test_a_line_whose_goods_came_back_is_left_to_the_payment(books, device, claimed, to_correct):
    name, sealed, record_id = claimed
    books.give_back(device, sealed)
    assert books.denied(SendBack(name, record_id, "why", to_correct)) == "GOODS_RETURNED"


@pytest.mark.parametrize("to_correct", [True, False])
def test_a_line_ends_once(books, claimed, to_correct):
    name, _, record_id = claimed
    books.done(PayClaim(name, "bank 1"))
    assert books.denied(SendBack(name, record_id, "why", to_correct)) == "LINE_ENDED"


def test_a_line_to_correct_is_not_rejected_in_the_claim_that_it_left(books, claimed):
    name, _, record_id = claimed
    books.done(SendBack(name, record_id, "no photo", to_correct=True))
    assert books.denied(SendBack(name, record_id, "no photo", to_correct=False)) == "LINE_ENDED"


def test_what_is_not_there_is_not_sent_back(books, device, claimed):
    name, _, record_id = claimed
    assert books.denied(SendBack("C-M009-2026-03-01", record_id, "why", to_correct=False)) == "CLAIM_UNKNOWN"
    other = promised(books.sell(device)).record_id
    assert books.denied(SendBack(name, other, "why", to_correct=False)) == "LINE_UNKNOWN"
    assert books.denied(SendBack(name, "nothing", "why", to_correct=True)) == "LINE_UNKNOWN"
