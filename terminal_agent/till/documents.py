"""What does the till get to read of a sale?"""

from typing import Any

from subsidy import calendar
from subsidy.policy.decide import Decision, Granted
from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal, reason
from terminal_agent.checkout import slip
from terminal_agent.checkout.gather_facts import Question, to_pay
from terminal_agent.checkout.resume import RESTARTED
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState, SaleState

FOUND_LATE_MS = 5 * 60 * 1000

_STATES = {
    SaleState.NEW: "paying",
    SaleState.ASKING: "paying",
    SaleState.REFUSED: "refused",
    SaleState.PARKED: "unknown",
    SaleState.PAID: "paid",
    SaleState.CLOSING: "not_paid",
    SaleState.CLOSED: "not_paid",
    SaleState.RETURNING: "returned",
    SaleState.RETURNED: "returned",
}


def sale_document(sale: Sale, *, already: bool = False) -> dict[str, Any]:
    """Return the sale as it stands now. `already` says that another sale was asked for."""
    prices = sale.request.prices
    amounts = sale.held.promise.amounts if sale.held else None
    paid = sale.paid_attempt
    action = NextAction.DO_NOT_CHARGE if already else next_action(sale)
    return {
        "record_id": sale.record_id,
        "state": till_state(sale),
        "already": already,
        "initial_price_fen": prices.initial_price_fen,
        "merchant_discount_fen": prices.merchant_discount_fen,
        "final_price_fen": prices.initial_price_fen - prices.merchant_discount_fen,
        "subsidy_fen": amounts.subsidy_fen if amounts else 0,
        "trade_in_fen": prices.trade_in_fen,
        "to_pay_fen": sale.to_pay_fen,
        "paid_fen": (paid.approved_fen or 0) if paid else 0,
        "reasons": [reason(one) for one in sale.reasons],
        "next_action": action,
        "next_action_text": {"zh": action.zh, "en": action.en},
        "attempts": [_attempt(one) for one in sale.attempts],
        "receipt": slip.receipt(sale) if paid else None,
        "till_no": sale.request.till_no,
        "item": sale.request.item,
        "opened_at": calendar.from_ms(sale.opened_ms),
        "closed_because": sale.why or None,
    }


def quote_document(decision: Decision, question: Question) -> dict[str, Any]:
    """Return a decision with what the shopper would pay."""
    if isinstance(decision, Granted):
        return {
            "decision": "granted",
            "final_price_fen": decision.final_price_fen,
            "subsidy_fen": decision.subsidy_fen,
            "trade_in_fen": question.prices.trade_in_fen,
            "to_pay_fen": to_pay(decision, question.prices),
            "funders": decision.funders,
            "because": decision.because,
        }
    headline = decision.reasons[0]
    return {
        "decision": "refused",
        "reasons": [reason(one) for one in decision.reasons],
        "next_action": headline.next_action,
    }


def till_state(sale: Sale) -> str:
    """Return the state in the till's words."""
    if sale.state is SaleState.HELD:
        return "not_paid" if sale.attempts else "paying"
    if sale.state is SaleState.PAYING:
        undecided = sale.attempts[-1].state in (AttemptState.UNKNOWN, AttemptState.REVERSING)
        return "unknown" if undecided else "paying"
    return _STATES[sale.state]


def is_settled(sale: Sale) -> bool:
    """Whether waiting longer would not tell the till more."""
    under_way = sale.state in (SaleState.NEW, SaleState.ASKING, SaleState.PAYING)
    begins = sale.state is SaleState.HELD and not sale.attempts
    # A sale can be parked for an earlier card while the next one waits for the terminal.
    waits = any(one.state is AttemptState.INTENDED for one in sale.attempts)
    return not (under_way or begins or waits)


def next_action(sale: Sale) -> NextAction:
    """Return what the cashier can do next."""
    match till_state(sale):
        case "paying":
            return NextAction.WAIT
        case "unknown":
            return NextAction.DO_NOT_CHARGE
        case "paid":
            late = sale.paid_ms is not None and sale.paid_ms - sale.opened_ms > FOUND_LATE_MS
            return NextAction.ASK_HANDED_OVER_OR_REFUND if late else NextAction.HAND_OVER
        case "not_paid" if sale.state is SaleState.HELD:
            return NextAction.PAY_AGAIN_OR_STOP
        case "returned":
            return NextAction.WAIT if sale.state is SaleState.RETURNING else NextAction.NONE
        case _:
            if sale.reasons:
                return sale.reasons[0].next_action
            return NextAction.SELL_AGAIN if not sale.stop or sale.why == RESTARTED else NextAction.NONE


def refusal_document(sale: Sale, refusal: Refusal) -> dict[str, Any]:
    """Return the sale with the reason why nothing more was done with it."""
    document = sale_document(sale)
    document["reasons"] = [reason(refusal)]
    document["next_action"] = refusal.next_action
    document["next_action_text"] = {"zh": refusal.next_action.zh, "en": refusal.next_action.en}
    return document


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "no": one.no,
        "tender": one.tender,
        "terminal_no": one.terminal_no,
        "state": one.state,
        "amount_fen": one.amount_fen,
        "pay_ref": one.pay_ref,
        "said": one.evidence,
    }
