"""Which lines of a claim are paid, and what becomes of the others?"""

import pytest
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.writer.rows import ClaimLine, ClaimPayment

GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def claim(books, device):
    """Return the name of a claim with three lines, and their records."""
    sold = [books.sell(device) for _ in range(3)]
    return books.claim(device).claim, sold


def paid_out(lines):
    """Return what the books say of so many lines that were paid."""
    fen = lines * GRANT_FEN
    return {"paid": fen, "bank": -fen, "paid_out": fen}


def test_a_claim_is_paid_line_by_line_with_its_money(books, claim):
    name, sold = claim
    answer = books.done(PayClaim(name, "bank 1"))
    assert (answer.lines, answer.fen, answer.left_out) == (3, 3 * GRANT_FEN, ())
    assert books.money() == paid_out(3)
    for sealed in sold:
        record = books.record(sealed)
        assert (record.state, record.money) == ("PAID_OUT", "paid")
        line = books.row(ClaimLine, name, record.record_id)
        assert (line.state, line.reference) == ("PAID", "bank 1")
    payment = books.row(ClaimPayment, name, "bank 1")
    assert (payment.lines, payment.fen, payment.withheld_lines) == (3, 3 * GRANT_FEN, 0)


def test_one_reference_counts_once(books, claim):
    books.done(PayClaim(claim[0], "bank 1"))
    assert books.denied(PayClaim(claim[0], "bank 1")) == "ALREADY_PAID"


def test_a_claim_that_is_paid_is_not_paid_again_by_another_document(books, claim):
    books.done(PayClaim(claim[0], "bank 1"))
    assert books.denied(PayClaim(claim[0], "bank 2")) == "NOTHING_TO_PAY"


def test_no_claim_of_another_name_is_paid(books):
    assert books.denied(PayClaim("C-M001-2026-03-01", "bank 1")) == "CLAIM_UNKNOWN"


def test_a_line_that_is_held_back_is_paid_later_with_another_document(books, device, claim):
    name, (waits, *_) = claim
    books.take(device, device.chain(device.returning(promised(waits))))
    first = books.done(PayClaim(name, "bank 1"))
    assert (first.lines, [one.why for one in first.left_out]) == (2, ["blocked: returning"])
    assert books.money() == paid_out(2) | {"in_claim": GRANT_FEN}
    assert books.record(waits).state == "IN_CLAIM"
    assert books.denied(PayClaim(name, "bank 2")) == "NOTHING_TO_PAY"
    books.take(device, device.chain(device.returned(promised(waits), refunded=False)))
    second = books.done(PayClaim(name, "bank 2"))
    assert (second.lines, second.left_out) == (1, ())
    assert books.money() == paid_out(3)
    both = [books.row(ClaimPayment, name, f"bank {number}") for number in (1, 2)]
    assert [(one.fen, one.withheld_fen) for one in both] == [(2 * GRANT_FEN, GRANT_FEN), (GRANT_FEN, 0)]


def test_a_line_whose_goods_came_back_is_withheld_for_good(books, device, claim):
    name, (back, *_) = claim
    books.give_back(device, back)
    answer = books.done(PayClaim(name, "bank 1"))
    assert (answer.lines, [one.record_id for one in answer.left_out]) == (2, [promised(back).record_id])
    line = books.row(ClaimLine, name, promised(back).record_id)
    assert (line.state, line.reference) == ("WITHHELD", "bank 1")
    assert books.money() == paid_out(2)
    assert books.denied(PayClaim(name, "bank 2")) == "NOTHING_TO_PAY"


def test_one_document_may_pay_two_claims(books, device, claim):
    books.sell(device)
    other = books.claim(device).claim
    assert books.done(PayClaim(claim[0], "bank 1")).lines == 3
    assert books.done(PayClaim(other, "bank 1")).lines == 1


def test_two_payments_in_one_batch_pay_once(books, claim):
    first, second = books.write(PayClaim(claim[0], "bank 1"), PayClaim(claim[0], "bank 2"))
    assert (first.lines, second.code) == (3, "NOTHING_TO_PAY")
    assert books.money() == paid_out(3)
