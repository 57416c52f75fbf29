"""How is the subsidy applied at checkout? Decide, hold, pay, record, in that order.

`sell` runs in the till's request until the fund has promised; the payment is the terminal's
worker's (`lane.py`). Each step is durable before the next, so that a power cut anywhere is finished
by `resume.py` and the lanes. A code that a shopper shows goes with the job, in memory only.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from subsidy import calendar, ids
from subsidy.policy.decide import Decision, Refused
from subsidy.policy.model import Tender, must
from subsidy.policy.refusals import Refusal
from subsidy.wire import v1
from terminal_agent.checkout.gather_facts import Deadline, Decided, Question, decide_here, to_pay
from terminal_agent.checkout.ports import (
    Centre,
    CentreDenied,
    CentreUnreachable,
    Clock,
    Journal,
    KeyMacs,
    Opening,
    Randomness,
    Secret,
    Way,
)
from terminal_agent.checkout.sale import Request, Sale
from terminal_agent.checkout.states import SaleState

Enqueue = Callable[[str, int, Secret | None], None]
"""Hand an attempt (record_id, number) to its worker, with the code that the shopper showed."""


class Checkout:
    """Sells subsidised items at one shop. `lanes` has a way in for each terminal's and channel's worker.

    `has_room` says whether the disk can take what a sale writes: without that no sale begins.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        centre: Centre,
        clock: Clock,
        randomness: Randomness,
        boot: str,
        hold_budget_s: float,
        lanes: Mapping[str, Enqueue],
        has_room: Callable[[], bool],
    ) -> None:
        self._journal = journal
        self._centre = centre
        self._clock = clock
        self._randomness = randomness
        self._boot = boot
        self._hold_budget_s = hold_budget_s
        self._lanes = lanes
        self._has_room = has_room
        # Sales whose request is still at work on them, from before they are stored.
        self._under_way: set[str] = set()

    def quote(self, question: Question, qualification: str) -> Decision:
        """Return what a sale would be decided to be. Holds nothing, stores nothing."""
        if not self._has_room():
            return Refused((Refusal.HOST_DISK_LOW,))
        if self._journal.binding(question.item.serial_no, qualification) is not None:
            question = replace(question, also=question.also | {Refusal.SALE_ALREADY_OPEN})
        try:
            deadline = Deadline(self._clock, self._hold_budget_s)
            return decide_here(self._centre, self._clock, question, deadline).decision
        except (CentreUnreachable, CentreDenied) as wrong:
            return Refused((_refusal_of(wrong),))

    def sell(
        self, request: Request, question: Question, qualification: str, way: Way | None, key: KeyMacs
    ) -> Opening:
        """Take a sale from the till's request to its first payment under way, or to its end.

        `question` holds the shopper's code, in memory only; `qualification` is its MAC. `way` is None when
        this shop takes no such tender. The same key and body return the sale as it stands. Raises KeyReused.
        """
        new = self._new_sale(request)
        self._under_way.add(new.record_id)
        try:
            return self._sell(new, question, qualification, way, key)
        finally:
            self._under_way.discard(new.record_id)

    def _sell(
        self, new: Sale, question: Question, qualification: str, way: Way | None, key: KeyMacs
    ) -> Opening:
        request, record_id = new.request, new.record_id
        deadline = Deadline(self._clock, self._hold_budget_s)
        opening = self._journal.open_sale(new, key, qualification)
        if not opening.new:
            return opening
        # The outcome of a payment has to find room: what cannot be written down later is not begun.
        if not self._has_room():
            return self._refused(record_id, Refusal.HOST_DISK_LOW)
        try:
            # An earlier sale of this item that was given up still binds it at the centre until that has
            # heard of it: told afterwards, the facts would say that the item is taken.
            for other in self._journal.unacknowledged_closes(question.item.serial_no, qualification):
                self._centre.release(other, deadline.left_s())
            if way is None:
                question = replace(question, also=question.also | {Refusal.TENDER_NOT_ALLOWED})
            decided = decide_here(self._centre, self._clock, question, deadline)
        except (CentreUnreachable, CentreDenied) as wrong:
            return self._refused(record_id, _refusal_of(wrong))
        if isinstance(decided.decision, Refused):
            return self._refused(record_id, *decided.decision.reasons)
        assert way is not None
        if request.expected_paid_fen not in (None, to_pay(decided.decision, request.prices)):
            return self._refused(record_id, Refusal.QUOTE_CHANGED)
        sale = self._hold(record_id, question, decided, deadline)
        if sale.state is SaleState.HELD:
            sale = self._begin(sale, request.tender, way, request.operator, None)
        return Opening(sale, new=True)

    def pay_again(
        self, record_id: str, tender: Tender, way: Way | None, operator: str, key: KeyMacs
    ) -> tuple[Sale, Refusal | None]:
        """Start another attempt under the same hold, by any tender, when every earlier one is lost.

        Returns the sale, and why no attempt was started, if none was. Raises KeyReused.
        """
        sale = self._journal.sale(record_id)
        assert sale is not None
        if way is None or not self._allows(sale, tender):
            return sale, Refusal.TENDER_NOT_ALLOWED
        if sale.state is SaleState.HELD and self.hold_is_over(sale):
            over = (Refusal.HOLD_OVER,)
            return self._journal.close(record_id, "the hold's time is over", over), Refusal.HOLD_OVER
        if sale.is_lost and self.hold_is_over(sale) and self._journal.known(key) is None:
            # Money of it is still on its way back: it is closed when that has arrived.
            return sale, Refusal.HOLD_OVER
        return self._begin(sale, tender, way, operator, key), None

    def stop(self, record_id: str, key: KeyMacs) -> Sale:
        """Give the sale up for the cashier. A payment on its way is resolved, and given back if it
        was taken. Raises KeyReused."""
        return self._journal.wish_stop(record_id, key)

    def close_overdue(self) -> None:
        """Close every hold whose time is over and that no payment is under way for.

        A sale whose request failed halfway, as on a full disk, is ended as a restart would end it.
        """
        for sale in self._journal.unfinished():
            if sale.state in (SaleState.NEW, SaleState.ASKING):
                if sale.record_id not in self._under_way:
                    self._end_cut_off(sale.record_id)
            elif sale.state is SaleState.HELD and self.hold_is_over(sale):
                self._journal.close(sale.record_id, "the hold's time is over", (Refusal.HOLD_OVER,))

    def _end_cut_off(self, record_id: str) -> None:
        """End a sale that nobody is at work on any more, from where its request has left it."""
        sale = self._journal.sale(record_id)
        assert sale is not None
        cut_off = (Refusal.SALE_INTERRUPTED,)
        if sale.state is SaleState.NEW:
            self._journal.refuse(record_id, cut_off)
        elif sale.state is SaleState.ASKING:
            self._journal.close(record_id, "its request failed", cut_off)

    def hold_is_over(self, sale: Sale) -> bool:
        """Whether no payment may start under the sale's hold any more."""
        return sale.hold_is_over(self._clock.wall_ms(), self._clock.steady_ms(), self._boot)

    def _allows(self, sale: Sale, tender: Tender) -> bool:
        """Whether the pack under which the fund has promised lets the shopper pay so."""
        if sale.held is None:
            return True  # nothing is begun without a promise
        promise = sale.held.promise
        day = calendar.business_day(calendar.from_ms(promise.placed_at_ms))
        try:
            pack = self._centre.pack(promise.pack_hash, self._hold_budget_s)
        except (CentreUnreachable, CentreDenied):
            return True
        return tender in must(pack.tenders, day).value

    def _new_sale(self, request: Request) -> Sale:
        now_ms = self._clock.wall_ms()
        return Sale(
            record_id=ids.record_id(now_ms, self._randomness(10)),
            state=SaleState.NEW,
            request=request,
            reasons=(),
            same_as=None,
            hold_no=None,
            asked_wall_ms=0,
            asked_steady_ms=0,
            boot=self._boot,
            held=None,
            stop=False,
            why="",
            opened_ms=now_ms,
            paid_ms=None,
            attempts=(),
        )

    def _hold(self, record_id: str, question: Question, decided: Decided, deadline: Deadline) -> Sale:
        """Ask the fund for its promise and store it: from here a payment may start."""
        asked_wall_ms, asked_steady_ms = self._clock.wall_ms(), self._clock.steady_ms()
        sale = self._journal.ask(record_id, asked_wall_ms, asked_steady_ms)
        if sale.state is not SaleState.ASKING or sale.hold_no is None:
            return sale
        try:
            left_s = deadline.left_s()
            answer = self._centre.hold(
                v1.HoldRequest(
                    v=1,
                    record_id=record_id,
                    hold_no=sale.hold_no,
                    item=question.item,
                    prices=question.prices,
                    qualification_code=question.qualification_code,
                    terminal_no=question.terminal_no,
                    tender=question.tender,
                    pack_hash=decided.pack_hash,
                    created_ms=asked_wall_ms,
                    skew_ms=decided.skew_ms,
                    give_up_after_ms=max(1, int(left_s * 1000)),
                ),
                left_s,
            )
        except (CentreUnreachable, CentreDenied) as wrong:
            return self._journal.close(record_id, "no promise came in time", (_refusal_of(wrong),))
        if isinstance(answer, v1.Refused):
            return self._journal.refuse(record_id, answer.reasons)
        sale = self._journal.hold(record_id, answer)
        expected = sale.request.expected_paid_fen
        if sale.state is SaleState.HELD and expected not in (None, sale.to_pay_fen):
            return self._journal.close(record_id, "the amount has changed", (Refusal.QUOTE_CHANGED,))
        if sale.state is SaleState.HELD and sale.stop:
            return self._journal.close(record_id, "stopped by the cashier")
        return sale

    def _begin(self, sale: Sale, tender: Tender, way: Way, operator: str, key: KeyMacs | None) -> Sale:
        """Make the payment durable as PAYING, then hand it to its worker."""
        begun = self._journal.begin_attempt(sale.record_id, tender, way.lane, operator, key)
        if begun.no is not None:
            self._lanes[way.lane](sale.record_id, begun.no, way.pay_code)
        return begun.sale

    def _refused(self, record_id: str, *reasons: Refusal) -> Opening:
        return Opening(self._journal.refuse(record_id, reasons), new=True)


def _refusal_of(wrong: CentreUnreachable | CentreDenied) -> Refusal:
    denied = isinstance(wrong, CentreDenied)
    return Refusal.DEVICE_NOT_ACCEPTED if denied else Refusal.CENTRE_UNREACHABLE
