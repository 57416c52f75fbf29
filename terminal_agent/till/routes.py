"""What does each address of the till API do? Check, call the checkout, wait, show."""

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any

import anyio
import msgspec
from litestar import Controller, Request, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import ServerSentEvent

from subsidy.ids import is_record_id
from subsidy.policy.decide import Because, Refused
from subsidy.policy.model import Tender
from subsidy.policy.next_action import NextAction
from subsidy.policy.refusals import Refusal
from subsidy.problem import Problem
from terminal_agent.channels import codes
from terminal_agent.channels.codes import Wallet
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.cash import CashDesk
from terminal_agent.checkout.cash import link_name as cash_link_name
from terminal_agent.checkout.give_back_goods import Returns
from terminal_agent.checkout.look_at_it import is_charged_beside
from terminal_agent.checkout.ports import Clock, KeyMacs, KeyReused, Way
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import SaleState
from terminal_agent.checkout.supervisor import Supervisors
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.sync.device_key import DeviceKey
from terminal_agent.system import Changes
from terminal_agent.till import after_sale, documents, requests
from terminal_agent.till.board import Board

_KEY = re.compile(r"[\x21-\x7e]{16,64}", re.ASCII)
_REVERSAL_S = 3
_SHOW_S = 3
_MOST_LOOKS = 1000
_FINAL = ("paid", "refused", "returned")
_GIVES_UP = requests.StopBody()

# The limits stand around the whole type: on a part of a union the framework forgets them.
WaitS = Annotated[int | None, QueryParameter(ge=0, le=60, description="How long to wait for the payment")]
Document = dict[str, Any]


class Till:
    """What the handlers share: the checkout, the journal, and which links serve which till."""

    def __init__(
        self,
        *,
        checkout: Checkout,
        journal: SqliteJournal,
        key: DeviceKey,
        clock: Clock,
        changes: Changes,
        terminals_of_tills: Mapping[str, str],
        links: frozenset[str],
        payment_codes: Sequence[codes.Rule],
        board: Board,
        wait_s: int,
        status: Callable[[], Document],
        returns: Returns,
        cash: CashDesk,
        supervisors: Supervisors,
        rules: Callable[[Sale], Sequence[Because]],
        may_have_forgotten: Callable[[Sale], bool],
    ) -> None:
        self.checkout = checkout
        self.journal = journal
        self.clock = clock
        self.changes = changes
        self.wait_s = wait_s
        self.status = status
        self.returns = returns
        self.cash = cash
        self.supervisors = supervisors
        self._rules = rules
        self._may_have_forgotten = may_have_forgotten
        self._key = key
        self._terminals = terminals_of_tills
        self._links = links
        self._payment_codes = payment_codes
        self._board = board
        self._looks: OrderedDict[str, str] = OrderedDict()

    def terminal_of(self, till_no: str) -> str:
        """Return the terminal beside a till. Raises Problem."""
        try:
            return self._terminals[till_no]
        except KeyError:
            raise Problem(
                422,
                "TILL_UNKNOWN",
                f"$.till_no: this agent knows the tills {', '.join(self._terminals)}. Add it under `tills`",
                next_action=NextAction.CALL_SUPPORT,
            ) from None

    def way_of(self, terminal_no: str, tender: requests.TenderBody) -> Way | None:
        """Return how a shopper beside this terminal pays so; None when no link here takes it.

        Raises Problem when the tender contradicts itself.
        """
        if tender.kind is Tender.CARD:
            return Way(terminal_no)
        if tender.kind is Tender.CASH:
            drawer = cash_link_name(terminal_no)
            return Way(drawer) if drawer in self._links else None
        if tender.kind is Tender.QR_SHOW:
            wallet = requests.wallet_of(tender, self._wallets(codes.shown_link_name, terminal_no))
            return Way(codes.shown_link_name(wallet, terminal_no)) if wallet else None
        wallets = self._wallets(codes.link_name, terminal_no)
        if not wallets:
            return None
        code = requests.payment_code_of(tender, self._payment_codes)
        if code is None or code.wallet not in wallets:
            return None
        return Way(codes.link_name(code.wallet, terminal_no), code.code)

    def must_be_free(self, way: Way | None, terminal_no: str, macs: KeyMacs, record_id: str = "") -> None:
        """See that no cash beside this terminal waits for its cashier's word when more is to be taken.

        Raises Problem, and KeyReused. A request that came before changes nothing, so it may pass.
        """
        if way is None or way.lane != cash_link_name(terminal_no) or self.journal.known(macs) is not None:
            return
        waits = self.cash.waits_for(terminal_no)
        if waits not in (None, record_id):
            raise Problem(
                409,
                "CASH_NOT_ANSWERED",
                "Nobody has said yet where the cash of another sale is. Say so first, then take this one's",
                next_action=NextAction.SAY_WHERE_THE_CASH_IS,
                record_id=waits,
            )

    def must_be_voided(self, sale: Sale, macs: KeyMacs) -> None:
        """See that no charge beside an open sale still stands when another one is to begin.

        Raises Problem, and KeyReused. A request that came before changes nothing, so it may pass.
        """
        if not sale.is_open or self.journal.known(macs) is not None:
            return
        if is_charged_beside(self.journal.to_look_at(sale.record_id)):
            raise Problem(
                409,
                "OTHER_CHARGE_STANDS",
                "The terminal charged this amount once more, outside the sale. Void it there, or say under "
                "/v1/look-at that it is seen to, then pay",
                next_action=NextAction.VOID_THE_OTHER_CHARGE,
                record_id=sale.record_id,
            )

    def _wallets(self, name: Callable[[Wallet, str], str], terminal_no: str) -> list[Wallet]:
        return [wallet for wallet in Wallet if name(wallet, terminal_no) in self._links]

    def code_shown(self, sale: Sale) -> str | None:
        """Return the code that the shopper is to scan now, None when none is shown."""
        return self._board.code(sale.attempts[-1].pay_ref) if sale.attempts else None

    def any_terminal(self) -> str:
        """Return the terminal that a quote is asked for: its shop is what counts."""
        return next(iter(self._terminals.values()))

    def macs(self, request: Request[Any, Any, Any], body: msgspec.Struct) -> KeyMacs:
        """Return the request's idempotency key and body as MACs. Raises Problem."""
        keys = request.headers.getall("idempotency-key", [""])
        key = keys[0]
        if len(keys) > 1 or _KEY.fullmatch(key) is None:
            raise Problem(
                400, "IDEMPOTENCY_KEY", "Send the header Idempotency-Key with 16 to 64 characters of your own"
            )
        content = request.url.path.encode() + b"\n" + msgspec.json.encode(body)
        return KeyMacs(self._key.mac("key", key.encode()), self._key.mac("body", content))

    def only_looks(self, macs: KeyMacs) -> None:
        """See that the key of a request that writes nothing came with no other body. Raises Problem.

        The last ones are remembered here, and not where money is written down: nothing hangs on them.
        """
        try:
            self.journal.known(macs)
        except KeyReused:
            raise key_reused() from None
        if self._looks.setdefault(macs.key, macs.body) != macs.body:
            raise key_reused()
        if len(self._looks) > _MOST_LOOKS:
            self._looks.popitem(last=False)

    def qualification(self, code: str) -> str:
        """Return what stands for the shopper's code in the journal."""
        return self._key.mac("qualification", code.encode())

    def find(self, record_id: str) -> Sale | None:
        """Return a sale, None when this agent has none of that name."""
        return self.journal.sale(record_id) if is_record_id(record_id) else None

    def sale(self, record_id: str) -> Sale:
        """Return a sale. Raises Problem."""
        sale = self.find(record_id)
        if sale is None:
            raise Problem(404, "SALE_UNKNOWN", "This agent has no such sale. Check the record_id")
        return sale

    def waited(self, record_id: str, wait_s: int | None, *, is_shown: bool = False) -> Document:
        """Wait for the payment, then return the sale as it stands.

        While money is on its way back the shopper may pay another way: that is not waited for long. Nor is a
        shopper who is to scan a code: the till shows it first.
        """
        within_s = self.wait_s if wait_s is None else wait_s

        def is_told() -> bool:
            sale = self.sale(record_id)
            return documents.is_settled(sale) or (sale.is_lost and not self.checkout.hold_is_over(sale))

        if is_shown:
            self.changes.wait_until(
                lambda: is_told() or self.code_shown(self.sale(record_id)) is not None, min(within_s, _SHOW_S)
            )
        elif self.changes.wait_until(is_told, within_s):
            undone_s = min(within_s, _REVERSAL_S)
            self.changes.wait_until(lambda: documents.is_settled(self.sale(record_id)), undone_s)
        return self.shown(self.sale(record_id))

    def shown(self, sale: Sale) -> Document:
        """Return a sale's document, or that of the sale which binds its item."""
        if sale.same_as is not None:
            same = self.sale(sale.same_as)
            return documents.sale_document(same, self._rules(same), already=True)
        document = documents.sale_document(
            sale,
            self._rules(sale),
            code=self.code_shown(sale),
            hold_is_over=self.checkout.hold_is_over(sale),
        )
        if self._may_have_forgotten(sale):
            document = documents.doubted(sale, document)
        return documents.with_looks(document, self.journal.to_look_at(sale.record_id))

    def next_action(self, sale: Sale) -> NextAction:
        """Return what the cashier can do next, as the sale's document says."""
        return NextAction(self.shown(sale)["next_action"])

    def reprinted(self, sale: Sale) -> str | None:
        """Return a sale's receipt marked as printed again, None when it has none."""
        return after_sale.receipt(sale, self._rules(sale), again=True)


def controllers(till: Till) -> list[type[Controller]]:
    """Return the till API's handlers around `till`."""

    class Quotes(Controller):
        path = "/v1/quotes"

        @post(status_code=200, sync_to_thread=True, summary="What would this sale come to?")
        def quote(self, data: JSONBody[requests.QuoteBody], request: Request[Any, Any, Any]) -> Document:
            till.only_looks(till.macs(request, data))
            asked = requests.item_of(data.item)
            code = data.qualification_code
            question = requests.question_of(asked, code, till.any_terminal(), Tender.CARD)
            decision = till.checkout.quote(question, till.qualification(code))
            if isinstance(decision, Refused) and Refusal.TRADE_IN_TOO_HIGH in decision.reasons:
                raise requests.trade_in_too_high()
            return documents.quote_document(decision, question)

    class Sales(Controller):
        path = "/v1/sales"

        @post(status_code=200, sync_to_thread=True, summary="Sell one item with the subsidy")
        def sell(
            self, data: JSONBody[requests.SaleBody], request: Request[Any, Any, Any], wait_s: WaitS = None
        ) -> Document:
            macs = till.macs(request, data)
            terminal_no = till.terminal_of(data.till_no)
            asked = requests.item_of(data.item)
            way = till.way_of(terminal_no, data.tender)
            question = requests.question_of(asked, data.qualification_code, terminal_no, data.tender.kind)
            asking = requests.request_of(data, asked, terminal_no)
            try:
                till.must_be_free(way, terminal_no, macs)
                opening = till.checkout.sell(
                    asking, question, till.qualification(data.qualification_code), way, macs
                )
            except KeyReused:
                raise key_reused() from None
            sale = opening.sale
            if Refusal.TRADE_IN_TOO_HIGH in sale.reasons:
                raise requests.trade_in_too_high(sale.record_id)
            if not opening.new and sale.state is SaleState.NEW:
                raise Problem(
                    409,
                    "IN_PROGRESS",
                    "The first request with this key is still being written. Ask for the sale in a moment",
                    next_action=NextAction.WAIT,
                    retryable=True,
                    record_id=sale.record_id,
                )
            if not opening.new:
                return till.shown(sale)
            return till.waited(sale.record_id, wait_s, is_shown=data.tender.kind is Tender.QR_SHOW)

        @post("/{record_id:str}/pay", status_code=200, sync_to_thread=True, summary="Another attempt to pay")
        def pay(
            self,
            record_id: FromPath[str],
            data: JSONBody[requests.PayBody],
            request: Request[Any, Any, Any],
            wait_s: WaitS = None,
        ) -> Document:
            macs = till.macs(request, data)
            before = till.sale(record_id)
            terminal_no = before.request.terminal_no
            way = till.way_of(terminal_no, data.tender)
            try:
                till.must_be_voided(before, macs)
                till.must_be_free(way, terminal_no, macs, record_id)
                sale, refusal = till.checkout.pay_again(record_id, data.tender.kind, way, data.operator, macs)
            except KeyReused:
                raise key_reused() from None
            if refusal is not None:
                return documents.not_begun(till.shown(sale), refusal)
            return till.waited(record_id, wait_s, is_shown=data.tender.kind is Tender.QR_SHOW)

        @post("/{record_id:str}/stop", status_code=200, sync_to_thread=True, summary="Give the sale up")
        def stop(
            self,
            record_id: FromPath[str],
            request: Request[Any, Any, Any],
            data: JSONBody[requests.StopBody] = _GIVES_UP,
            wait_s: WaitS = None,
        ) -> Document:
            macs = till.macs(request, data)
            till.sale(record_id)
            try:
                till.checkout.stop(record_id, macs)
            except KeyReused:
                raise key_reused() from None
            return till.waited(record_id, wait_s)

        @get(sync_to_thread=True, summary="What this till still has open")
        def open_sales(
            self,
            till_no: Annotated[str, QueryParameter(min_length=1, max_length=32)],
            open: Annotated[int, QueryParameter(ge=1, le=1, description="1: there is no other list")],
        ) -> Document:
            sales = till.journal.sales_of_till(till_no)
            return {"sales": [till.shown(sale) for sale in sales]}

        @get("/{record_id:str}", sync_to_thread=True, summary="The sale as it stands now")
        def show(self, record_id: FromPath[str]) -> Document:
            return till.shown(till.sale(record_id))

        @get("/{record_id:str}/events", sync_to_thread=False, summary="The sale's changes, as they come")
        def events(self, record_id: FromPath[str]) -> ServerSentEvent:
            till.sale(record_id)
            return ServerSentEvent(_changes(till, record_id), event_type="sale")

    class Status(Controller):
        path = "/v1"

        @get("/status", sync_to_thread=True, summary="How the agent is")
        def status(self) -> Document:
            return till.status()

        @get(
            "/outbox",
            sync_to_thread=True,
            summary="What waits for the centre, and what that has put into quarantine",
        )
        def outbox(self) -> Document:
            return till.journal.listed_outbox()

    return [Quotes, Sales, Status]


async def _changes(till: Till, record_id: str) -> AsyncIterator[str]:
    """Yield the sale's document at once and after each change, until nothing more can come."""
    last = ""
    while True:
        document = await anyio.to_thread.run_sync(lambda: till.shown(till.sale(record_id)))
        text = msgspec.json.encode(document).decode()
        if text != last:
            last = text
            yield text
        ended = document["state"] in _FINAL and not after_sale.is_under_way(document)
        if ended or (document["closed_because"] and document["state"] == "not_paid"):
            return
        await anyio.sleep(0.2)


def key_reused() -> Problem:
    """Return the problem of an idempotency key that came before with another body."""
    return Problem(422, "KEY_REUSED", "This Idempotency-Key came before with another body. Use a new key")
