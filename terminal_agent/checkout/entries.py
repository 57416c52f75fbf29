"""What does the shop report of a finished sale? Pure: the journal stores it with the outcome."""

from msgspec import Raw
from msgspec.structs import replace

from subsidy.money import yuan
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.goods_return import KeyedSlip, Return
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import ReturnState

KEYED_SLIP = "KEYED_SLIP"


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


def returning_entry(sale: Sale, back: Return) -> v1.Returning:
    """Return the entry of a return that begins: the centre blocks the claim line at once."""
    return v1.Returning(
        v=1,
        record_id=sale.record_id,
        refund_no=back.refund_no,
        refund_fen=back.refund_fen,
        operator=back.wish.operator,
        supervisor=back.wish.supervisor,
        reason=back.wish.reason,
        begun_ms=back.begun_ms,
    )


def returned_entry(sale: Sale, back: Return, at_ms: int) -> v1.Returned:
    """Return the entry of a return that has ended, with the money back or certainly not."""
    assert back.state in (ReturnState.REFUNDED, ReturnState.REFUSED)
    return v1.Returned(
        v=1,
        record_id=sale.record_id,
        refund_no=back.refund_no,
        refunded=back.state is ReturnState.REFUNDED,
        refund_fen=back.refund_fen,
        evidence=back.evidence,
        ended_ms=at_ms,
    )


def keyed_slip_entry(sale: Sale, attempt: Attempt, slip: KeyedSlip, at_ms: int) -> v1.Supplement:
    """Return the entry that shows the night a slip keyed in for an attempt, which stays what it is."""
    said = Evidence(
        code=KEYED_SLIP,
        text=f"{'approved' if slip.approved else 'declined'} {yuan(slip.amount_fen)}, by {slip.operator}",
        trace=slip.voucher_no,
        rrn=slip.rrn,
    )
    return supplement_entry(sale, replace(attempt, evidence=said), at_ms)


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
