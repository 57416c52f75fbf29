"""How are goods returned? The centre blocks the claim line first, then the shopper's money goes back.

A return is a sale backwards. `Returns` runs in the till's request until the centre has agreed; the refund is
the worker's of the link that took the payment (`Refunding`, in `lane.py`). It starts in a call of the till
only: an agent that comes up again finishes a refund that may have left, and begins none.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto

from msgspec.structs import replace

from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent.checkout.attempt import TERMINAL_SILENT, ask_of
from terminal_agent.checkout.gather_facts import Deadline
from terminal_agent.checkout.goods_return import Goods, LateAnswer, Return, Wish
from terminal_agent.checkout.ports import (
    Answer,
    Back,
    Centre,
    CentreDenied,
    CentreUnreachable,
    Clock,
    KeyMacs,
    Payment,
    Say,
)
from terminal_agent.checkout.return_ports import ReturnJournal
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.send_refund import Refunds
from terminal_agent.checkout.states import ReturnState, SaleState

NOT_TAKEN = Evidence(code="NOT_TAKEN", text="the centre did not take the return in; nothing was refunded")
FOUND_LATE = "found paid late"
_NOBODY = "-"  # a qualification code that nobody has

Report = Callable[[str, float], bool]
"""Have a sale's `paid` entry acknowledged within so many seconds; return whether it is."""

Enqueue = Callable[[str], None]
"""Hand the refund of a sale to the worker of one link."""


class NoLink(Exception):
    """The link over which the sale was paid is not in this shop's configuration any more."""


class Verdict(Enum):
    """What an answer makes of a refund."""

    REFUNDED = auto()
    REFUSED = auto()
    UNKNOWN = auto()


def judge(back: Return, answer: Answer) -> Verdict:
    """Say what `answer` makes of a refund. Only an explicit yes to exactly the amount, or a no, counts."""
    if answer.say is Say.DECLINED:
        return Verdict.REFUSED
    whole = answer.say is Say.APPROVED and answer.approved_fen == back.refund_fen
    return Verdict.REFUNDED if whole else Verdict.UNKNOWN


class Returns:
    """Takes goods back at one shop. `lanes` has a way in for the worker of each terminal and channel."""

    def __init__(
        self,
        *,
        journal: ReturnJournal,
        centre: Centre,
        clock: Clock,
        report: Report,
        within_s: float,
        lanes: Mapping[str, Enqueue],
    ) -> None:
        self._journal = journal
        self._centre = centre
        self._clock = clock
        self._report = report
        self._within_s = within_s
        self._lanes = lanes

    def answer(
        self, record_id: str, operator: str, goods: Goods, key: KeyMacs
    ) -> tuple[Sale, Refusal | None]:
        """Keep what became of the goods of a sale found paid late; those still here are refunded.

        The first answer stays: the caller compares. No supervisor is asked: the goods never left. Raises
        KeyReused and NoLink.
        """
        repeated = self._journal.known(key) is not None
        sale = self._journal.answer_late(record_id, LateAnswer(operator, goods, self._clock.wall_ms()), key)
        assert sale.answered is not None
        to_refund = goods is sale.answered.answer is Goods.REFUND
        if not to_refund or (repeated and _was_refused(sale)):
            return sale, None
        return self.give_back(record_id, Wish(operator, operator, FOUND_LATE), None)

    def give_back(self, record_id: str, wish: Wish, key: KeyMacs | None) -> tuple[Sale, Refusal | None]:
        """Begin the return of a paid sale, or go on with the one that is begun.

        Returns the sale, and why its refund was not started, if it was not. The same key never begins a
        second try. Raises KeyReused and NoLink.
        """
        if _paid(self._must(record_id)).terminal_no not in self._lanes:
            raise NoLink
        deadline = Deadline(self._clock, self._within_s)
        sale = self._journal.known(key) if key is not None else None
        try:
            if sale is None:
                sale = self._must(record_id)
                if sale.state is SaleState.PAID:
                    self._reach_the_centre(sale, deadline)
                sale = self._journal.begin_return(record_id, wish, key)
            if sale.state is SaleState.RETURNING:
                sale = self._go_on(sale, deadline)
        except CentreUnreachable:
            return self._must(record_id), Refusal.CENTRE_UNREACHABLE
        except CentreDenied:
            return self._must(record_id), Refusal.DEVICE_NOT_ACCEPTED
        return sale, None

    def _reach_the_centre(self, sale: Sale, deadline: Deadline) -> None:
        """See that the centre answers and knows the payment. Raises CentreUnreachable and CentreDenied."""
        # A question that changes nothing: with the line down a return leaves no trace.
        self._centre.facts(
            v1.FactsRequest(
                v=1,
                item=sale.request.item,
                prices=sale.request.prices,
                qualification_code=_NOBODY,
                terminal_no=sale.request.terminal_no,
                tender=sale.request.tender,
            ),
            deadline.left_s(),
        )
        known = self._journal.is_reported(sale.record_id)
        if not known and not self._report(sale.record_id, deadline.left_s()):
            raise CentreUnreachable("the payment was not acknowledged in time")

    def _go_on(self, sale: Sale, deadline: Deadline) -> Sale:
        """Have the centre agree, then hand the refund to its worker."""
        back = sale.returns[-1]
        if back.centre_said is None:
            self._centre.block(sale.record_id, deadline.left_s())
            sale = self._must(sale.record_id)
            back = sale.returns[-1]
        if sale.state is not SaleState.RETURNING:
            return sale  # ended meanwhile, by another call
        if back.centre_said is None:
            raise CentreUnreachable("the return was not acknowledged")
        if back.state is ReturnState.BEGUN and not back.may_refund:
            return self._journal.refund_refused(sale.record_id, NOT_TAKEN)
        self._lanes[_paid(sale).terminal_no](sale.record_id)
        return sale

    def _must(self, record_id: str) -> Sale:
        sale = self._journal.sale(record_id)
        assert sale is not None
        return sale


class Refunding:
    """Gives shoppers' money back over one link. `may_have_moved_on` as for the `Resolver`."""

    def __init__(
        self,
        journal: ReturnJournal,
        payment: Payment,
        clock: Clock,
        may_have_moved_on: Callable[[Sale], bool] = lambda _: False,
    ) -> None:
        self._journal = journal
        self._payment = payment
        self._clock = clock
        self._may_have_moved_on = may_have_moved_on
        self._refunds = Refunds(payment, clock)

    def carry_out(self, record_id: str) -> Sale:
        """Send the refund of a return that the centre has agreed to; repeat it for `resolver_s` if need be.

        One whose answer does not come stays open: `look_at_open` goes on.
        """
        sale = self._must(record_id)
        if sale.state is not SaleState.RETURNING:
            return sale
        if sale.returns[-1].may_refund:
            mark = self._payment.prepare(ask_of(sale, _paid(sale)))
            if mark is None:
                return self._journal.refund_refused(record_id, TERMINAL_SILENT)
            if self._journal.send_refund(record_id, mark):
                self._refunds.begin(sale.returns[-1].refund_no)
        return self._resolve(record_id)

    def resume(self, terminal_no: str) -> None:
        """Finish the refunds that may have left in the last run of the agent."""
        for record_id in self._journal.open_returns(terminal_no):
            self._resolve(record_id)

    def look_at_open(self, terminal_no: str) -> bool:
        """Ask once more about every refund that is open; return whether one stays so."""
        sales = [self.look(record_id) for record_id in self._journal.open_returns(terminal_no)]
        still_open = [sale for sale in sales if sale.state is SaleState.RETURNING]
        self._refunds.keep({sale.returns[-1].refund_no for sale in still_open})
        return bool(still_open)

    def look(self, record_id: str) -> Sale:
        """Send the refund once more, the same, and write down what is now certain. Begins none."""
        sale = self._must(record_id)
        if sale.state is not SaleState.RETURNING:
            return sale
        back, paid = sale.returns[-1], _paid(sale)
        if back.state is ReturnState.BEGUN:
            refused = back.centre_said is not None and not back.may_refund
            return self._journal.refund_refused(record_id, NOT_TAKEN) if refused else sale
        moved_on = self._journal.has_moved_on(record_id) or self._may_have_moved_on(sale)
        ask = replace(ask_of(sale, paid), moved_on=moved_on)
        answer = self._refunds.send(ask, Back(back.refund_no, back.refund_fen, paid.evidence, back.mark))
        match judge(back, answer):
            case Verdict.REFUNDED:
                return self._journal.refunded(record_id, answer.evidence)
            case Verdict.REFUSED:
                return self._journal.refund_refused(record_id, answer.evidence)
            case Verdict.UNKNOWN:
                return self._journal.refund_unclear(record_id, answer.evidence)

    def _resolve(self, record_id: str) -> Sale:
        clocks = self._payment.clocks
        until_ms = self._clock.steady_ms() + int(clocks.resolver_s * 1000)
        sale = self.look(record_id)
        while _is_sending(sale):
            left_s = (until_ms - self._clock.steady_ms()) / 1000
            if left_s <= 0:
                break
            self._clock.sleep(min(clocks.poll_every_s, left_s))
            sale = self.look(record_id)
        return sale

    def _must(self, record_id: str) -> Sale:
        sale = self._journal.sale(record_id)
        assert sale is not None
        return sale


def _was_refused(sale: Sale) -> bool:
    return sale.state is SaleState.PAID and bool(sale.returns)


def _is_sending(sale: Sale) -> bool:
    return sale.state is SaleState.RETURNING and sale.returns[-1].state is ReturnState.SENDING


def _paid(sale: Sale) -> Attempt:
    assert sale.paid_attempt is not None
    return sale.paid_attempt
