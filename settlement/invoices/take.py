"""What lets the line of a sale be claimed that was paid in cash? A verified invoice.

Cash leaves no row in any file, so the invoice is its only witness: the line is held back from the start. Two
people take in what the tax authority's verification has shown. Its total is the final price, and one invoice
is of one sale.
"""

import re

import msgspec

from settlement.claims.repaid import record_unknown
from settlement.funds import blocks
from settlement.returns.hear import was_paid
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Invoice, Record
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event
from subsidy.money import yuan
from subsidy.policy.model import Tender
from subsidy.wire import v1

NO_INVOICE = "no_invoice"
WHY = "it was paid in cash: only a verified invoice lets it be claimed"

_NUMBER = re.compile(r"[0-9]{8}|[0-9]{20}", re.ASCII)


class TakeInvoice(Decision, frozen=True, tag="take_invoice"):
    """People have verified an invoice. `reference` names what shows that; `total_fen` is with tax."""

    record_id: str
    invoice_no: str
    total_fen: int
    reference: str


class InvoiceTaken(Event, frozen=True, kw_only=True, tag="invoice_taken"):
    """A sale has its verified invoice."""

    invoice: Invoice

    def fold(self, rows: Rows) -> None:
        """Put it; the line it was waited for with is free of that."""
        rows.put(self.invoice)
        blocks.unblock(rows, self.invoice.record_id, NO_INVOICE)

    def about(self) -> str:
        """The record whose invoice it is."""
        return self.invoice.record_id


def needs_invoice(entry: v1.Paid) -> bool:
    """Whether nothing but an invoice can show that a sale was paid: its money was cash."""
    return any(one.tender is Tender.CASH for one in entry.attempts if one.state == "PAID")


def keys(command: TakeInvoice) -> list[Wanted]:
    """Ask for the record, and for the sale that has this invoice, if one has."""
    return [(Record, (command.record_id,)), (Invoice, (command.invoice_no,))]


def decide(rows: Rows, command: TakeInvoice, at_ms: int, emit: Emit) -> Answer:
    """Take it in, or say what stands against it."""
    record = rows.get(Record, command.record_id)
    if record is None:
        return record_unknown()
    against = _against(rows, record, command)
    if against is not None:
        return against
    invoice = Invoice(
        invoice_no=command.invoice_no,
        record_id=command.record_id,
        total_fen=command.total_fen,
        reference=command.reference,
        taken_by=command.by,
        taken_ms=at_ms,
    )
    emit(InvoiceTaken(invoice=invoice))
    return Done()


def _against(rows: Rows, record: Record, command: TakeInvoice) -> Denied | None:
    if _NUMBER.fullmatch(command.invoice_no) is None:
        detail = "an invoice number has 20 digits, or 8 on paper. Copy it as it stands on the invoice"
        return Denied(422, "INVOICE_NO_WRONG", detail)
    known = rows.get(Invoice, command.invoice_no)
    if known is not None:
        detail = f"invoice {command.invoice_no} is of {known.record_id} already. One invoice is of one sale"
        return Denied(409, "INVOICE_USED", detail)
    if not was_paid(record) or NO_INVOICE not in record.blocks:
        detail = f"the record is {record.state} and waits for no invoice. Look at what holds it back"
        return Denied(409, "NO_INVOICE_AWAITED", detail)
    price_fen = msgspec.json.decode(record.promise, type=v1.Promise).amounts.final_price_fen
    if command.total_fen != price_fen:
        detail = (
            f"the invoice's total is {yuan(command.total_fen)}, the final price {yuan(price_fen)}. "
            "They must be the same: have the invoice made anew, or check the record"
        )
        return Denied(409, "INVOICE_TOTAL_DIFFERS", detail)
    return None
