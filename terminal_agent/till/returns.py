"""What does each address of the till API do that belongs to a sale after its payment?

Returns, answers about sales found paid late, reprints, and slips that were keyed in.
"""

from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Meta
from msgspec.structs import replace

from subsidy.money import MOST_FEN
from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal
from subsidy.problem import Problem
from terminal_agent.checkout.cash import asked_of
from terminal_agent.checkout.give_back_goods import NoLink
from terminal_agent.checkout.goods_return import Goods, KeyedSlip, Wish
from terminal_agent.checkout.ports import KeyReused, Secret
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import UNDECIDED_ATTEMPTS, SaleState
from terminal_agent.checkout.supervisor import PinWrong, SupervisorLocked
from terminal_agent.till import after_sale, documents
from terminal_agent.till.requests import ByOperator, MayNameOperator, Name, must_be_plain
from terminal_agent.till.routes import Document, Till, WaitS, key_reused

_AFTER_PAYMENT = (SaleState.PAID, SaleState.RETURNING, SaleState.RETURNED)

Reason = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
SlipNo = Annotated[str, Meta(min_length=1, max_length=12, pattern=r"^[0-9A-Za-z]+\Z")]


class ReturnBody(ByOperator, frozen=True, kw_only=True):
    """Asks for the goods of a sale to be returned. The PIN is looked at and forgotten."""

    supervisor: Name
    supervisor_pin: Annotated[str, Meta(min_length=1, max_length=64)]
    reason: Reason

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("supervisor", "reason"):
            must_be_plain(name, getattr(self, name))


class AnswerBody(ByOperator, frozen=True, kw_only=True):
    """Says what became of the goods of a sale that was found paid late."""

    answer: Goods


class SlipBody(ByOperator, frozen=True, kw_only=True):
    """What stands on a paper slip whose sale is not known to be paid."""

    voucher_no: SlipNo
    rrn: SlipNo
    amount_fen: Annotated[int, Meta(ge=1, le=MOST_FEN, description="Whole fen")]
    approved: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("voucher_no", "rrn"):
            must_be_plain(name, getattr(self, name))


class ReprintBody(MayNameOperator, frozen=True, kw_only=True):
    """Asks for a receipt again. Nothing needs to be said."""


_NOTHING_SAID = ReprintBody()


def controllers(till: Till) -> list[type[Controller]]:
    """Return the handlers around `till`."""

    class AfterSale(Controller):
        path = "/v1/sales"

        @get("/{record_id:str}/return", sync_to_thread=True, summary="What would go back where?")
        def preview(self, record_id: FromPath[str]) -> Document:
            return after_sale.preview_document(_paid_sale(till, record_id))

        @post("/{record_id:str}/return", status_code=200, sync_to_thread=True, summary="Return the goods")
        def give_back(
            self,
            record_id: FromPath[str],
            data: JSONBody[ReturnBody],
            request: Request[Any, Any, Any],
            wait_s: WaitS = None,
        ) -> Document:
            # Without the PIN: under a key that is on this disk, a MAC of it could be guessed at speed.
            macs = till.macs(request, replace(data, supervisor_pin="-"))
            till.sale(record_id)
            _check_pin(till, data.supervisor, Secret(data.supervisor_pin))
            _paid_sale(till, record_id)
            wish = Wish(data.operator, data.supervisor, data.reason)
            try:
                _, refusal = till.returns.give_back(record_id, wish, macs)
            except KeyReused:
                raise key_reused() from None
            except NoLink:
                raise _no_link(till.sale(record_id)) from None
            return _returned(till, record_id, refusal, wait_s)

        @post(
            "/{record_id:str}/answer",
            status_code=200,
            sync_to_thread=True,
            summary="A sale was found paid late: were the goods handed over?",
        )
        def answer(
            self,
            record_id: FromPath[str],
            data: JSONBody[AnswerBody],
            request: Request[Any, Any, Any],
            wait_s: WaitS = None,
        ) -> Document:
            macs = till.macs(request, data)
            sale = _paid_sale(till, record_id)
            if not sale.found_late:
                raise Problem(
                    409,
                    "NOT_FOUND_LATE",
                    "Nothing is asked about this sale: it was paid in time. Return its goods instead",
                    next_action=till.next_action(sale),
                    record_id=record_id,
                )
            if sale.returns and sale.answered is None and data.answer is Goods.HANDED_OVER:
                raise _answered_otherwise(till, sale)
            try:
                after, refusal = till.returns.answer(record_id, data.operator, data.answer, macs)
            except KeyReused:
                raise key_reused() from None
            except NoLink:
                raise _no_link(sale) from None
            if after.answered is None or after.answered.answer is not data.answer:
                raise _answered_otherwise(till, after)
            return _returned(till, record_id, refusal, wait_s)

        @post("/{record_id:str}/reprint", status_code=200, sync_to_thread=True, summary="The receipt again")
        def reprint(
            self,
            record_id: FromPath[str],
            request: Request[Any, Any, Any],
            data: JSONBody[ReprintBody] = _NOTHING_SAID,
        ) -> Document:
            till.only_looks(till.macs(request, data))
            sale = till.sale(record_id)
            text = till.reprinted(sale)
            if text is None:
                raise Problem(
                    409,
                    "NOTHING_TO_PRINT",
                    "Only a sale that is paid, or whose goods were returned, has a receipt",
                    next_action=till.next_action(sale),
                    record_id=record_id,
                )
            return {**till.shown(sale), "receipt": text}

        @post(
            "/{record_id:str}/slip",
            status_code=200,
            sync_to_thread=True,
            summary="A paper slip, keyed in for the night",
        )
        def slip(
            self, record_id: FromPath[str], data: JSONBody[SlipBody], request: Request[Any, Any, Any]
        ) -> Document:
            macs = till.macs(request, data)
            sale = till.sale(record_id)
            slip = KeyedSlip(data.operator, data.voucher_no, data.rrn, data.amount_fen, data.approved)
            try:
                repeated = till.journal.known(macs) is not None
                attempt = _unknown_attempt(sale)
                if attempt is not None:
                    till.journal.keep_slip(record_id, attempt.no, slip, macs)
                elif not repeated:
                    raise Problem(
                        409,
                        "NOTHING_UNKNOWN",
                        "No payment of this sale is unknown: a slip is keyed in for one that is",
                        next_action=till.next_action(sale),
                        record_id=record_id,
                    )
            except KeyReused:
                raise key_reused() from None
            return till.shown(till.sale(record_id))

    return [AfterSale]


def _check_pin(till: Till, supervisor: str, pin: Secret) -> None:
    try:
        till.supervisors.check(supervisor, pin)
    except PinWrong as wrong:
        raise Problem(
            403,
            "SUPERVISOR_PIN_WRONG",
            f"The supervisor's name or PIN is wrong; {wrong.tries_left} tries are left. Check both",
            next_action=NextAction.CHECK_THE_PIN,
            tries_left=wrong.tries_left,
        ) from None
    except SupervisorLocked:
        raise Problem(
            403,
            "SUPERVISOR_LOCKED",
            "This supervisor is locked for 15 minutes after 5 wrong PINs. Wait, or ask another supervisor",
            next_action=NextAction.ASK_ANOTHER_SUPERVISOR,
            tries_left=0,
        ) from None


def _paid_sale(till: Till, record_id: str) -> Sale:
    """Return a sale that is or was paid. Raises Problem."""
    sale = till.sale(record_id)
    if sale.state not in _AFTER_PAYMENT:
        raise Problem(
            409,
            "SALE_NOT_PAID",
            "Only a sale that is paid can be returned. Look at the sale, and stop it if it is open",
            next_action=till.next_action(sale),
            record_id=record_id,
        )
    return sale


def _answered_otherwise(till: Till, sale: Sale) -> Problem:
    return Problem(
        409,
        "ANSWERED_OTHERWISE",
        "This sale was answered before, and otherwise. Return its goods if they came back",
        next_action=till.next_action(sale),
        record_id=sale.record_id,
    )


def _no_link(sale: Sale) -> Problem:
    assert sale.paid_attempt is not None
    return Problem(
        409,
        "LINK_MISSING",
        f"The sale was paid over {sale.paid_attempt.terminal_no}, which the configuration does not have. "
        "Put it back",
        next_action=NextAction.CALL_SUPPORT,
        record_id=sale.record_id,
    )


def _returned(till: Till, record_id: str, refusal: Refusal | None, wait_s: int | None) -> Document:
    """Wait for the refund, then return the sale as it stands, with why nothing was begun if so."""
    if refusal is None:
        done = till.wait_s if wait_s is None else wait_s

        def is_told() -> bool:
            sale = till.sale(record_id)
            return sale.state is not SaleState.RETURNING or asked_of(sale) is not None

        till.changes.wait_until(is_told, done)
        return till.shown(till.sale(record_id))
    sale = till.sale(record_id)
    if refusal is not Refusal.CENTRE_UNREACHABLE:
        action = refusal.next_action
    elif sale.state is SaleState.PAID:
        action = NextAction.RETURN_LATER
    else:
        action = till.next_action(sale)
    return documents.with_reason(till.shown(sale), refusal, action)


def _unknown_attempt(sale: Sale) -> Attempt | None:
    """Return the last attempt of an open sale of which nobody knows whether it is paid. Cash has no slip."""
    if sale.state not in (SaleState.PAYING, SaleState.PARKED) or asked_of(sale) is not None:
        return None
    found = [one for one in sale.attempts if one.state in UNDECIDED_ATTEMPTS]
    return found[-1] if found else None
