"""Is money that went out and is owed back spent again before it is here?"""

from books import Books
from storm import GRANT_FEN, available, leave_for

from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.ledger.accounts import Account


def cash_out(books: Books) -> int:
    """Return what has left the bank and has not come back."""
    return -books.total(Account.BANK)


def claim_and_pay(books, device):
    """Claim what has been sold, and pay it."""
    claimed = books.claim(device)
    assert claimed.claim is not None
    books.done(PayClaim(claimed.claim, f"bank for {claimed.claim}"))


def test_a_claim_is_paid_goods_come_back_and_no_new_sale_spends_more_than_was_given(any_books):
    books, device = any_books, any_books.enrol()
    leave_for(books.centre, 2)
    given = 2 * GRANT_FEN
    first = books.sell(device, person=1)
    books.sell(device, person=2)
    claim_and_pay(books, device)
    assert cash_out(books) == given

    # The shopper has the money back, the fund has not: the person may buy again, but there is nothing left.
    books.give_back(device, first)
    assert books.money()["merchant_receivable"] == GRANT_FEN
    assert books.refusals(device, person=1) == ["FUND_EXHAUSTED"]
    assert cash_out(books) == given

    # What the merchant repays is promised once more, and once only.
    books.done(Repay(books.record(first).record_id, "the merchant's transfer"))
    assert (cash_out(books), available(books.engine)) == (GRANT_FEN, GRANT_FEN)
    books.sell(device, person=1)
    assert books.refusals(device, person=3) == ["FUND_EXHAUSTED"]
    claim_and_pay(books, device)
    assert (cash_out(books), available(books.engine)) == (given, 0)
    assert books.total(Account.PAID) == given
