"""What does it take for a sale that was paid in cash to be claimed?"""

import pytest
from books import Books, changed_pack
from centre_shell import Shell
from fake_device import FakeDevice, promised

from settlement.claims.enter_late import EnterLate
from settlement.funds.release_hold import ReleaseHold
from settlement.intake.accept import TakeUpload
from settlement.invoices.take import TakeInvoice
from settlement.writer.rows import Invoice
from subsidy.policy.model import Tender
from subsidy.seal import Sealed

NUMBER = "25322000000012345678"
PRICE_FEN = 290_000
EVERY_WAY = tuple(Tender)


@pytest.fixture
def cash_books(books):
    """Books of a programme that allows cash."""
    books.pack = changed_pack(books.pack, tenders=EVERY_WAY)
    return books


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def taken(sealed: Sealed, **changes: object) -> TakeInvoice:
    fields = {
        "record_id": promised(sealed).record_id,
        "invoice_no": NUMBER,
        "total_fen": PRICE_FEN,
        "reference": "query 2026-03-02/17",
        "by": "wang, li",
    }
    return TakeInvoice(**(fields | changes))


def in_cash(books: Books, device: FakeDevice, asked: Tender = Tender.CASH, **changes: object) -> Sealed:
    """Sell for cash, whatever the hold was asked for."""
    sealed = books.hold(device, tender=asked, **changes)
    paid = device.attempt(promised(sealed), tender=Tender.CASH)
    assert books.take(device, device.chain(device.paid(sealed, attempts=(paid,)))) == ["accepted"]
    return sealed


def test_a_sale_in_cash_is_booked_and_not_claimed_before_its_invoice_is_verified(cash_books, device):
    sealed = in_cash(cash_books, device)
    assert cash_books.record(sealed).blocks == ("no_invoice",)
    waits = cash_books.claim(device)
    assert (waits.claim, [one.why for one in waits.left_out]) == (None, ["blocked: no_invoice"])
    cash_books.done(taken(sealed))
    invoice = cash_books.row(Invoice, NUMBER)
    assert (invoice.record_id, invoice.total_fen, invoice.taken_by) == (
        promised(sealed).record_id,
        PRICE_FEN,
        "wang, li",
    )
    assert (cash_books.record(sealed).state, cash_books.record(sealed).blocks) == ("PAYABLE", ())
    assert cash_books.claim(device).lines == 1


def test_a_sale_held_for_a_card_and_paid_in_cash_waits_for_its_invoice_too(cash_books, device):
    assert cash_books.record(in_cash(cash_books, device, asked=Tender.CARD)).blocks == ("no_invoice",)


def test_cash_that_the_pack_does_not_allow_stays_held_back_with_an_invoice_too(books, device):
    sealed = in_cash(books, device, asked=Tender.CARD)
    assert set(books.record(sealed).blocks) == {"decision_differs", "no_invoice"}
    assert "it was paid by cash, which was not allowed" in books.record(sealed).why
    books.done(taken(sealed))
    assert (books.record(sealed).state, books.record(sealed).blocks) == ("BLOCKED", ("decision_differs",))


def test_a_sale_paid_by_card_waits_for_no_invoice(cash_books, device):
    sealed = cash_books.sell(device)
    assert cash_books.record(sealed).blocks == ()
    assert cash_books.denied(taken(sealed)) == "NO_INVOICE_AWAITED"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"total_fen": PRICE_FEN - 1}, "INVOICE_TOTAL_DIFFERS"),
        ({"total_fen": PRICE_FEN - 43_500}, "INVOICE_TOTAL_DIFFERS"),  # without the subsidy
        ({"invoice_no": "2532200000001234567"}, "INVOICE_NO_WRONG"),
        ({"invoice_no": "２５３２２０００"}, "INVOICE_NO_WRONG"),
        ({"record_id": "0192f4a0-0000-7000-8000-000000000000"}, "RECORD_UNKNOWN"),
    ],
)
def test_what_is_no_invoice_of_the_sale_changes_nothing(cash_books, device, changes, code):
    sealed = in_cash(cash_books, device)
    before = cash_books.state_hash()
    assert cash_books.denied(taken(sealed, **changes)) == code
    assert cash_books.state_hash() == before


def test_one_invoice_is_of_one_sale_and_one_sale_has_one(cash_books, device):
    first, second = in_cash(cash_books, device, person=1), in_cash(cash_books, device, person=2)
    cash_books.done(taken(first))
    assert cash_books.denied(taken(second)) == "INVOICE_USED"
    assert cash_books.denied(taken(first, invoice_no="12345678")) == "NO_INVOICE_AWAITED"


def test_a_late_grant_paid_in_cash_enters_with_its_invoice_only(cash_books, device):
    sealed = cash_books.hold(device, tender=Tender.CASH)
    record_id = promised(sealed).record_id
    cash_books.clock.ahead_ms += 3_600_000
    cash_books.done(ReleaseHold(record_id, "nobody answers", by="wang, li"))
    assert cash_books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    assert cash_books.record(sealed).blocks == ("no_invoice",)
    assert cash_books.denied(EnterLate(record_id, "case 7")) == "LINE_BLOCKED"
    cash_books.done(taken(sealed))
    cash_books.done(EnterLate(record_id, "case 7"))
    assert cash_books.record(sealed).state == "PAYABLE"


def test_goods_paid_in_cash_come_back_before_any_invoice(cash_books, device):
    sealed = in_cash(cash_books, device)
    cash_books.give_back(device, sealed)
    assert cash_books.record(sealed).state == "RETURNED"
    assert cash_books.denied(taken(sealed)) == "NO_INVOICE_AWAITED"


def test_the_database_itself_keeps_an_invoice_with_its_sale(cash_books, device):
    cash_books.done(taken(in_cash(cash_books, device)))
    for statement in ("UPDATE invoice SET record_id = 'other'", "DELETE FROM invoice"):
        with pytest.raises(Exception, match="append-only"):
            cash_books.sql(statement)


def test_an_entry_that_comes_twice_holds_a_line_back_once(cash_books, device):
    sealed = in_cash(cash_books, device)
    cash_books.done(taken(sealed))
    entry = device.chain(device.paid(sealed))
    again = cash_books.uploaded(device, device.upload([entry]))
    assert isinstance(again, TakeUpload)
    cash_books.write(again)
    assert cash_books.record(sealed).blocks == ()


def test_two_people_take_an_invoice_in_by_the_command(cash_books, device):
    sealed = in_cash(cash_books, device)
    shell = Shell(cash_books.folder, cash_books.folder / "settlement.yaml")
    arguments = (
        *("invoices", "take", promised(sealed).record_id, "--number", NUMBER),
        *("--total", "2900.00", "--reference", "query 2026-03-02/17"),
    )
    says = f"take in invoice {NUMBER} over 2900.00 for {promised(sealed).record_id}"
    assert says in shell.run(*arguments, "--dry-run", token=shell.proposer)
    shell.agree(*arguments)
    assert cash_books.record(sealed).blocks == ()
