"""Books in which much has happened: nearly every kind of event stands in their log."""

from books import Books
from fake_device import FakeDevice, promised

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.repaid import Repay
from settlement.claims.send_back import SendBack
from settlement.funds.close_year import CloseYear
from settlement.funds.move_authority import MoveAuthority, Place
from subsidy.policy.split import Part


def keep_busy(books: Books) -> FakeDevice:
    """Let two devices do whatever devices do and people what people do, and return one of the devices."""
    device, other = books.enrol("busy"), books.enrol("other")
    sold = [books.sell(device, person=person) for person in range(6)]
    closed = promised(books.hold(device, person=6))
    books.take(device, device.chain(device.closed(closed.record_id, closed.hold_no)))
    books.give_back(device, sold[0])
    books.give_back(device, sold[1], refunded=False)
    forgotten = books.hold(device, person=7)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(forgotten)))
    books.done(EnterLate(promised(forgotten).record_id, "decision 1"))
    misfit = books.hold(device, person=8)
    books.take(device, device.chain(device.paid(misfit, paid_fen=1)))
    unread = promised(books.hold(device, person=9)).record_id
    books.take(device, device.chain(f'{{"kind": "paid", "record_id": "{unread}"}}'.encode()))
    claim = books.claim(device)
    books.done(SendBack(str(claim.claim), promised(sold[2]).record_id, "no photo", to_correct=True))
    books.done(SendBack(str(claim.claim), promised(sold[3]).record_id, "no invoice", to_correct=False))
    books.give_back(device, sold[4])
    books.done(PayClaim(str(claim.claim), "bank 1"))
    books.give_back(device, sold[5])
    books.done(Repay(promised(sold[5]).record_id, "bank 2"))
    books.claim(device)
    books.hold(device, person=10)
    books.hold(other, person=11)
    books.take(other, other.chain(other.closed(other.record_id(), 99)), other.chain(b"no entry at all"))
    here, there = Place(2026), Place(2027)
    books.done(MoveAuthority(here, there, (Part("central", 1_000),), "decision 2"))
    books.done(CloseYear(2027))
    # A number that was asked with two contents: a copied host.
    other.hold_no = 0
    books.ask(other, other.hold_request(books.pack.hash, person=12))
    return device
