"""What does the shop report of a finished sale? Pure: the journal stores it with the outcome."""

from msgspec import Raw

from subsidy.wire import v1
from terminal_agent.checkout.sale import Attempt, Sale


def paid_entry(sale: Sale, at_ms: int) -> v1.Paid:
    """Return the entry of a sale whose attempt has just become PAID."""
    assert sale.held is not None
    assert sale.hold_no is not None
    assert sale.paid_attempt is not None
    assert sale.paid_attempt.approved_fen is not None
    promise = sale.held.promise
    return v1.Paid(
        v=1,
        record_id=sale.record_id,
        hold_no=sale.hold_no,
        promise=sale.held.sealed,
        facts=Raw(bytes(sale.held.facts)),
        pack_hash=promise.pack_hash,
        item=sale.request.item,
        amounts=promise.amounts,
        paid_fen=sale.paid_attempt.approved_fen,
        attempts=tuple(_attempt(one) for one in sale.attempts),
        till_no=sale.request.till_no,
        operator=sale.paid_attempt.operator,
        paid_ms=at_ms,
    )


def closed_entry(sale: Sale, why: str, at_ms: int) -> v1.Closed:
    """Return the entry of a sale that is not paid and never will be."""
    assert sale.hold_no is not None
    assert not sale.open_attempts
    assert sale.paid_attempt is None
    return v1.Closed(
        v=1,
        record_id=sale.record_id,
        hold_no=sale.hold_no,
        attempts=tuple(_attempt(one) for one in sale.attempts),
        why=why,
        closed_ms=at_ms,
    )


def supplement_entry(sale: Sale, attempt: Attempt, at_ms: int) -> v1.Supplement:
    """Return the entry that tells of an attempt which changed after its sale was reported."""
    return v1.Supplement(v=1, record_id=sale.record_id, attempt=_attempt(attempt), noted_ms=at_ms)


def _attempt(one: Attempt) -> v1.Attempt:
    return v1.Attempt(
        no=one.no,
        pay_ref=one.pay_ref,
        tender=one.tender,
        terminal_no=one.terminal_no,
        amount_fen=one.amount_fen,
        state=one.state.value,
        approved_fen=one.approved_fen,
        begun_ms=one.begun_ms,
        ended_ms=one.ended_ms,
        evidence=one.evidence,
    )
