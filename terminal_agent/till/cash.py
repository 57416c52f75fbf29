"""What does the address of the till API do where a cashier says where the cash of a sale is?"""

from typing import Any

from litestar import Controller, Request, post
from litestar.params import FromPath, JSONBody

from subsidy.problem import Problem
from terminal_agent.checkout.cash import Place, asked_of
from terminal_agent.checkout.ports import KeyReused
from terminal_agent.checkout.sale import Sale
from terminal_agent.till.requests import ByOperator
from terminal_agent.till.routes import Document, Till, WaitS, key_reused


class CashBody(ByOperator, frozen=True, kw_only=True):
    """Says where the whole amount is now: in the till, or with the shopper (also when none was taken)."""

    cash: Place


def controllers(till: Till) -> list[type[Controller]]:
    """Return the handlers around `till`."""

    class SaidOfCash(Controller):
        path = "/v1/sales"

        @post(
            "/{record_id:str}/cash",
            status_code=200,
            sync_to_thread=True,
            summary="Where is the cash: in the till, or with the shopper?",
        )
        def said(
            self,
            record_id: FromPath[str],
            data: JSONBody[CashBody],
            request: Request[Any, Any, Any],
            wait_s: WaitS = None,
        ) -> Document:
            macs = till.macs(request, data)
            before = till.sale(record_id)
            try:
                if not till.cash.say(before, data.cash, data.operator, macs):
                    raise Problem(
                        409,
                        "NO_CASH_ASKED_ABOUT",
                        "Nobody asks where cash of this sale is. Look at it; if it is paid, return its goods",
                        next_action=till.next_action(before),
                        record_id=record_id,
                    )
            except KeyReused:
                raise key_reused() from None
            within_s = till.wait_s if wait_s is None else wait_s
            till.changes.wait_until(lambda: _has_moved(before, till.sale(record_id)), within_s)
            return till.shown(till.sale(record_id))

    return [SaidOfCash]


def _has_moved(before: Sale, now: Sale) -> bool:
    """Whether the word has done what it does, or nothing was asked any more."""
    return asked_of(before) is None or now != before
