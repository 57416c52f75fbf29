"""What happens when a merchant repays, and what when the year is closed by then?"""

import pytest
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.funds.close_year import CloseYear
from settlement.ledger.accounts import Account
from settlement.writer.rows import GoodsReturn

GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def owed(books, device):
    """Return a sale whose goods came back after the merchant had its money."""
    sealed = books.sell(device)
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    books.give_back(device, sealed)
    return sealed


def test_what_a_merchant_repays_is_available_again(books, owed):
    before = books.total(Account.AVAILABLE)
    books.done(Repay(promised(owed).record_id, "bank 2"))
    assert books.total(Account.AVAILABLE) == before + GRANT_FEN
    assert books.money() == {"paid_out": GRANT_FEN, "recovered": -GRANT_FEN}
    record = books.record(owed)
    assert (record.state, record.money) == ("RETURNED", None)
    assert books.row(GoodsReturn, record.record_id).repaid_by == "bank 2"


def test_of_a_closed_year_it_is_the_treasurys(books, owed):
    before, given = books.total(Account.AVAILABLE), books.total(Account.APPROPRIATED)
    books.done(CloseYear(2026))
    books.done(Repay(promised(owed).record_id, "bank 2"))
    assert books.total(Account.AVAILABLE) == before
    assert books.total(Account.APPROPRIATED) == given + GRANT_FEN
    assert books.money() == {"paid_out": GRANT_FEN, "due_to_treasury": -GRANT_FEN}


@pytest.mark.parametrize("reference", ["bank 2", "bank 3"])
def test_it_is_repaid_once(books, owed, reference):
    books.done(Repay(promised(owed).record_id, "bank 2"))
    assert books.denied(Repay(promised(owed).record_id, reference)) == "ALREADY_REPAID"


def test_nothing_is_repaid_of_what_the_merchant_does_not_owe(books, device):
    sealed = books.sell(device)
    assert books.denied(Repay(promised(sealed).record_id, "bank 2")) == "NOTHING_OWED"
    books.give_back(device, sealed)
    assert books.denied(Repay(promised(sealed).record_id, "bank 2")) == "NOTHING_OWED"
    assert books.denied(Repay("nothing", "bank 2")) == "RECORD_UNKNOWN"


def test_a_closed_year_promises_nothing_and_keeps_what_it_promised(books, device):
    sealed = books.hold(device)
    books.done(CloseYear(2026))
    assert books.refusals(device) == ["PROGRAMME_CLOSED"]
    assert books.record(sealed).state == "HELD"
    books.take(device, device.chain(device.paid(sealed)))
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    assert books.record(sealed).state == "PAID_OUT"


def test_a_hold_asked_again_after_the_year_closed_is_the_same_hold(books, device):
    request = device.hold_request(books.pack.hash)
    first = books.ask(device, request)
    books.done(CloseYear(2026))
    assert books.ask(device, request) == first


def test_a_year_is_closed_once_and_only_when_it_had_money(books):
    assert books.denied(CloseYear(2027)) == "YEAR_UNKNOWN"
    books.done(CloseYear(2026))
    assert books.denied(CloseYear(2026)) == "YEAR_CLOSED"
