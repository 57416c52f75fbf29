"""What does the till get to read of a sale after its payment: receipts, returns, what to do next?"""

from collections.abc import Sequence
from typing import Any

from subsidy import calendar
from subsidy.policy.decide import Because
from subsidy.policy.next_action import NextAction
from terminal_agent.checkout import slip
from terminal_agent.checkout.cash import asked_of
from terminal_agent.checkout.goods_return import Goods, Return
from terminal_agent.checkout.sale import WATCHED, Sale
from terminal_agent.checkout.states import ReturnState, SaleState
from terminal_agent.checkout.what_goes_back import GoesBack, what_goes_back

_NOTES = (
    ("顾客只退回实付金额，补贴不退给顾客。", "The shopper gets what was paid, never the subsidy."),
    ("补贴退回各出资方。", "The subsidy goes back to those who fund it."),
    (
        "补贴已拨付给商户的，由商户退还。",
        "If the subsidy has been paid out to the merchant already, the merchant owes it.",
    ),
)


def receipt(sale: Sale, rules: Sequence[Because], *, again: bool = False) -> str | None:
    """Return what is printed: of the sale while it is paid, of its return once that is done; else None."""
    if sale.state is SaleState.PAID and sale.paid_attempt is not None:
        return slip.receipt(sale, rules, again=again)
    if sale.state is SaleState.RETURNED and sale.returns:
        return slip.return_receipt(sale, again=again)
    return None


def next_action(sale: Sale) -> NextAction:
    """Return what the cashier can do next with a sale that was paid."""
    back = sale.returns[-1] if sale.returns else None
    if sale.state is SaleState.PAID:
        if back is not None:
            return NextAction.REFUND_REFUSED
        if not sale.found_late:
            return NextAction.HAND_OVER
        if sale.answered is None:
            return NextAction.ASK_HANDED_OVER_OR_REFUND
        return NextAction.RETURN_LATER if sale.answered.answer is Goods.REFUND else NextAction.NONE
    if back is None:
        return NextAction.WAIT if sale.state is SaleState.RETURNING else NextAction.NONE
    match back.state:
        case ReturnState.BEGUN:
            return NextAction.RETURN_AGAIN
        case ReturnState.SENDING:
            if asked_of(sale) is not None:
                return NextAction.GIVE_CASH_BACK
            by_hand = back.mark == WATCHED
            return NextAction.VOID_AT_TERMINAL if by_hand else NextAction.DO_NOT_REFUND_AGAIN
        case _:
            return NextAction.TAKE_THE_GOODS_BACK


def return_document(sale: Sale) -> dict[str, Any] | None:
    """Return the last try to return the goods, None when there was none."""
    if not sale.returns:
        return None
    back = sale.returns[-1]
    return {
        "state": return_state(back),
        "refund_no": back.refund_no,
        "refund_fen": back.refund_fen,
        "goes_back": what_goes_back(sale),
        "operator": back.wish.operator,
        "supervisor": back.wish.supervisor,
        "reason": back.wish.reason,
        "tries": back.no,
        "said": back.evidence,
        "begun_at": calendar.from_ms(back.begun_ms),
        "ended_at": calendar.from_ms(back.ended_ms) if back.ended_ms is not None else None,
    }


def return_state(back: Return) -> str:
    """Return the state of a return in the till's words."""
    if back.state is ReturnState.BEGUN:
        return "waiting" if back.may_refund else "waiting_for_centre"
    return {
        ReturnState.SENDING: "refunding",
        ReturnState.REFUNDED: "refunded",
        ReturnState.REFUSED: "refused",
    }[back.state]


def is_under_way(document: dict[str, Any]) -> bool:
    """Whether the return that a sale's document shows has still to end."""
    back = document["return"]
    return back is not None and back["ended_at"] is None


def preview_document(sale: Sale) -> dict[str, Any]:
    """Return what goes back where when the goods of a sale are returned, or came back."""
    goes: GoesBack = what_goes_back(sale)
    return {
        "record_id": sale.record_id,
        "done": sale.state is SaleState.RETURNED,
        "goes_back": goes,
        "subsidy_to_shopper_fen": 0,
        "notes": [{"zh": zh, "en": en} for zh, en in _NOTES],
        "return": return_document(sale),
    }
