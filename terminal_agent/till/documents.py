"""What does the till get to read of a sale?"""

from collections.abc import Iterable, Sequence
from typing import Any

from subsidy import calendar
from subsidy.policy.decide import Because, Decision, Granted
from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal, reason
from subsidy.records.payment import Evidence
from terminal_agent.checkout.cash import asked_of
from terminal_agent.checkout.gather_facts import Question, to_pay
from terminal_agent.checkout.lane import GOODS_BACK
from terminal_agent.checkout.look_at_it import Look, is_charged_beside
from terminal_agent.checkout.resume import RESTARTED
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState, SaleState
from terminal_agent.till import after_sale

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
_TAKE_NO_MONEY = (
    NextAction.NONE,
    NextAction.WAIT,
    NextAction.VOID_AT_TERMINAL,
    NextAction.SAY_WHERE_THE_CASH_IS,
    NextAction.GIVE_CASH_BACK,
)

_PAY = (NextAction.PAY_AGAIN_OR_STOP, NextAction.PAY_ANOTHER_WAY)
_ASK_FOR_MONEY = (*_PAY, NextAction.CHARGE_AT_TERMINAL, NextAction.TAKE_CASH)


def sale_document(
    sale: Sale,
    rules: Sequence[Because] = (),
    *,
    already: bool = False,
    code: str | None = None,
    hold_is_over: bool = False,
) -> dict[str, Any]:
    """Return the sale as it stands now. `already` says that another sale was asked for.

    `rules` are those its subsidy was granted by, as far as they are known here; `code` is what the shopper is
    to scan now. Once its hold is over no other way of paying is offered.
    """
    prices = sale.request.prices
    amounts = sale.held.promise.amounts if sale.held else None
    paid = sale.paid_attempt
    action = NextAction.DO_NOT_CHARGE if already else next_action(sale, hold_is_over=hold_is_over)
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
        "offer_fen": (paid.evidence.offer_fen + paid.evidence.shop_offer_fen) if paid else 0,
        "reasons": [reason(one) for one in sale.reasons],
        "next_action": action,
        "next_action_text": {"zh": action.zh, "en": action.en},
        "attempts": [_attempt(one) for one in sale.attempts],
        "show": _shown(sale, code) if code is not None else None,
        "receipt": after_sale.receipt(sale, rules),
        "return": after_sale.return_document(sale),
        "answered": sale.answered.answer if sale.answered else None,
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
        return "paying" if _waits(sale) else "unknown"
    return _STATES[sale.state]


def is_settled(sale: Sale) -> bool:
    """Whether waiting longer would not tell the till more: nobody but its cashier knows where cash is."""
    if asked_of(sale) is not None:
        return True
    under_way = sale.state in (SaleState.NEW, SaleState.ASKING, SaleState.PAYING)
    begins = sale.state is SaleState.HELD and not sale.attempts
    # A sale can be parked for an earlier card while the next one waits for the terminal.
    return not (under_way or begins or _waits(sale))


def next_action(sale: Sale, *, hold_is_over: bool = False) -> NextAction:
    """Return what the cashier can do next."""
    asked = asked_of(sale)
    if asked is not None and asked.no != GOODS_BACK:
        return _with_the_cash(sale, sale.attempt(asked.no))
    match till_state(sale):
        case "paying":
            waits = [one for one in sale.attempts if one.state is AttemptState.INTENDED]
            # Once something of it was seen, or its time is nearly over, nobody is to begin with it any more.
            by_hand = bool(waits) and all(one.is_watched and one.evidence == Evidence() for one in waits)
            return NextAction.CHARGE_AT_TERMINAL if by_hand else NextAction.WAIT
        case "unknown":
            if any(one.is_watched and one.state is AttemptState.REVERSING for one in sale.attempts):
                return NextAction.VOID_AT_TERMINAL
            another = sale.is_lost and not hold_is_over
            return NextAction.PAY_ANOTHER_WAY if another else NextAction.DO_NOT_CHARGE
        case "paid":
            return after_sale.next_action(sale)
        case "not_paid" if sale.state is SaleState.HELD:
            return NextAction.PAY_AGAIN_OR_STOP
        case "returned":
            return after_sale.next_action(sale)
        case _:
            if sale.reasons:
                return sale.reasons[0].next_action
            return NextAction.SELL_AGAIN if not sale.stop or sale.why == RESTARTED else NextAction.NONE


def _with_the_cash(sale: Sale, attempt: Attempt) -> NextAction:
    if attempt.state is AttemptState.REVERSING:
        return NextAction.GIVE_CASH_BACK
    may_take = attempt.state is AttemptState.INTENDED and not sale.stop
    return NextAction.TAKE_CASH if may_take else NextAction.SAY_WHERE_THE_CASH_IS


def _waits(sale: Sale) -> bool:
    return any(one.state is AttemptState.INTENDED for one in sale.attempts)


def doubted(sale: Sale, document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a sale that may stand in an old copy of the journal: nothing more is charged.

    What was paid since, and by which attempt, is not in the copy.
    """
    is_refused = sale.state is SaleState.REFUSED and sale.reasons != (Refusal.SALE_INTERRUPTED,)
    is_paid = sale.state in (SaleState.PAID, SaleState.RETURNING, SaleState.RETURNED)
    if is_refused or is_paid or document["next_action"] in _TAKE_NO_MONEY:
        return document
    action = NextAction.DO_NOT_CHARGE
    said = {"zh": action.zh, "en": action.en}
    return {**document, "state": "unknown", "next_action": action, "next_action_text": said}


def not_begun(document: dict[str, Any], refusal: Refusal) -> dict[str, Any]:
    """Return a sale's document with the reason why no other attempt to pay was begun.

    What to do about that comes after what the sale itself asks for: a payment in doubt stays in doubt, and
    while money of it is on its way back nothing is sold again.
    """
    action = NextAction(document["next_action"])
    if action in _PAY:
        action = refusal.next_action
        if document["state"] == "unknown" and action is NextAction.SELL_AGAIN:
            action = NextAction.DO_NOT_CHARGE
    return with_reason(document, refusal, action)


def with_reason(document: dict[str, Any], refusal: Refusal, action: NextAction) -> dict[str, Any]:
    """Return a sale's document with the reason why nothing more was done with it, and what to do."""
    said = {"zh": action.zh, "en": action.en}
    return {**document, "reasons": [reason(refusal)], "next_action": action, "next_action_text": said}


def _shown(sale: Sale, code: str) -> dict[str, Any]:
    assert sale.held_until_ms is not None
    return {"code": code, "expires_at": calendar.from_ms(sale.held_until_ms)}


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


def look_documents(looks: Iterable[Look]) -> list[dict[str, Any]]:
    """Return what the till and shop IT read of what is to be looked at."""
    return [
        {
            "no": one.no,
            "terminal_no": one.terminal_no,
            "what": one.what,
            "zh": one.what.zh,
            "en": one.what.en,
            "record_id": one.record_id,
            "fen": one.fen,
            "batch": one.batch,
            "trace": one.trace,
            "at": calendar.from_ms(one.at_ms),
        }
        for one in looks
    ]


def with_looks(document: dict[str, Any], looks: Iterable[Look]) -> dict[str, Any]:
    """Return a sale's document with what is to be looked at beside it.

    The next step of one that is not paid, or that asks for money, is to void what was charged beside it.
    """
    told = list(looks)
    document = {**document, "look_at": look_documents(told)}
    asks = document["state"] == "not_paid" or document["next_action"] in _ASK_FOR_MONEY
    if not asks or not is_charged_beside(told):
        return document
    action = NextAction.VOID_THE_OTHER_CHARGE
    return {**document, "next_action": action, "next_action_text": {"zh": action.zh, "en": action.en}}
