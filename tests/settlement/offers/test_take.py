"""What a bank or channel bore of a payment is its own money: beside the pool, and back with the goods."""

import pytest
from books import Books
from fake_device import FakeDevice, promised
from msgspec.structs import replace

from settlement.devices.by_people import ReplaceDevice
from settlement.ledger.accounts import Account
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.writer.rows import Offer
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed

GRANT_FEN = 43_500
OFFER_FEN = 2_000
OF_WECHAT = {"tender": Tender.QR_SCAN, "terminal_no": "WECHAT@EMU00001"}


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def sold(books: Books, device: FakeDevice, fen: int = OFFER_FEN, **attempt: object) -> Sealed:
    sealed = books.hold(device)
    fields = {**OF_WECHAT, "evidence": Evidence(code="SUCCESS", offer_fen=fen), **attempt}
    entry = device.paid(sealed, attempts=(device.attempt(promised(sealed), **fields),))
    assert books.take(device, device.chain(entry)) == ["accepted"]
    return sealed


def owed(books: Books) -> tuple[int, int]:
    """Return what banks and channels owe, and its other side."""
    return books.total(Account.BANK_OFFER_RECEIVABLE), books.total(Account.BANK_OFFER_DUE)


def test_it_is_booked_beside_the_pool_which_bears_the_subsidy_and_nothing_else(books, device):
    without = books.sell(device)
    before = books.total(Account.AVAILABLE)
    sealed = sold(books, device)
    assert books.total(Account.AVAILABLE) == before - GRANT_FEN
    assert owed(books) == (OFFER_FEN, -OFFER_FEN)
    offer = books.row(Offer, promised(sealed).record_id)
    assert (offer.payer, offer.fen, offer.year) == ("offer:wechat", OFFER_FEN, 2026)
    assert (books.record(sealed).state, books.record(sealed).paid_fen) == (
        books.record(without).state,
        books.record(without).paid_fen,
    )


@pytest.mark.parametrize(
    ("attempt", "payer"),
    [
        ({"tender": Tender.CARD, "terminal_no": "EMU00001"}, "offer:bank"),
        ({"terminal_no": "ALIPAY@EMU00001/SHOWN"}, "offer:alipay"),
        ({"terminal_no": "central@EMU00001"}, "offer:other"),  # a device may write anything
    ],
)
def test_it_is_owed_by_whoever_bore_it_and_never_by_a_funder(books, device, attempt, payer):
    sealed = sold(books, device, **attempt)
    assert books.row(Offer, promised(sealed).record_id).payer == payer
    rows = books.sql_rows("SELECT DISTINCT funder FROM posting WHERE happening = 'bank_offer_taken'")
    assert rows == [(payer,)]


def test_what_the_shop_bore_itself_is_owed_by_nobody(books, device):
    sealed = sold(books, device, evidence=Evidence(code="SUCCESS", shop_offer_fen=300))
    assert owed(books) == (0, 0)
    assert books.record(sealed).state == "PAYABLE"


def test_it_goes_back_with_the_goods_once(books, device):
    sealed = sold(books, device)
    books.give_back(device, sealed)
    assert owed(books) == (0, 0)
    assert books.row(Offer, promised(sealed).record_id).went_back
    with pytest.raises(Exception, match="goes back once"):
        books.sql("UPDATE offer SET went_back = 0")


def test_a_refused_refund_leaves_it_where_it_is(books, device):
    books.give_back(device, sold(books, device), refunded=False)
    assert owed(books) == (OFFER_FEN, -OFFER_FEN)


def test_it_goes_back_too_when_the_centre_serves_the_return(books, device):
    record_id = promised(sold(books, device)).record_id
    books.done(ReplaceDevice(device.name, "its disk is dead", by="wang, li"))
    books.done(BeginReturn(record_id, "does not cool", "wang"))
    books.done(EndReturn(record_id, True, "refund 5030", by="wang, li"))
    assert owed(books) == (0, 0)


def test_more_than_was_paid_is_not_booked_and_holds_the_line_back(books, device):
    sealed = sold(books, device, fen=10**9)
    assert owed(books) == (0, 0)
    assert books.record(sealed).blocks == ("decision_differs",)
    assert "others bore more of it than was paid" in books.record(sealed).why


def test_a_payment_that_does_not_count_brings_no_offer(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    reversed_one = device.not_paid(promise, 1, evidence=Evidence(offer_fen=OFFER_FEN))
    paid = device.attempt(promise, 2)
    books.take(device, device.chain(device.paid(sealed, attempts=(reversed_one, paid))))
    assert owed(books) == (0, 0)


def test_evidence_that_says_less_than_nothing_is_not_taken(books, device):
    sealed = books.hold(device)
    attempt = device.attempt(promised(sealed), evidence=replace(Evidence(), offer_fen=-1))
    entry = device.paid(sealed, attempts=(attempt,))
    assert books.take(device, device.chain(entry)) == ["quarantined"]
