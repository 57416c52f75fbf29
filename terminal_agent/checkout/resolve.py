"""How does an attempt come from UNKNOWN to an explicit answer, or get parked?

By asking, never by paying again. "Not found" is not a no, except where the link can show that
nothing happened and long enough ago. REVERSING is a one-way door: what is heard after it makes
nothing paid. The resolver has a bounded time before the terminal is given free; a parked sale is
looked at again whenever the terminal is idle.
"""

from terminal_agent.checkout.attempt import Paying, Verdict, ask_of, judge
from terminal_agent.checkout.ports import Answer, Clock, Journal, Payment, Say
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState, SaleState

_UNDECIDED = (AttemptState.UNKNOWN, AttemptState.REVERSING)
_NOT_FOUND_TIMES = 2


class Resolver:
    """Resolves the attempts of one link. Its clocks run from when this process first saw them."""

    def __init__(self, journal: Journal, payment: Payment, clock: Clock, paying: Paying) -> None:
        self._journal = journal
        self._payment = payment
        self._clock = clock
        self._paying = paying
        self._seen_ms: dict[str, int] = {}
        self._not_found: dict[str, int] = {}

    def resolve(self, record_id: str, no: int) -> Sale:
        """Ask until an explicit answer comes, for `resolver_s`; then park the sale."""
        clocks = self._payment.clocks
        until_ms = self._clock.steady_ms() + int(clocks.resolver_s * 1000)
        sale = self.look(record_id, no)
        while sale.attempt(no).state in _UNDECIDED:
            left_s = (until_ms - self._clock.steady_ms()) / 1000
            if left_s <= 0:
                return self._journal.park(record_id)
            self._clock.sleep(min(clocks.poll_every_s, left_s))
            sale = self.look(record_id, no)
        return sale

    def look(self, record_id: str, no: int) -> Sale:
        """Ask once what became of an attempt, and write down what is now certain."""
        sale = self._journal.sale(record_id)
        assert sale is not None
        attempt = sale.attempt(no)
        self._seen_ms.setdefault(attempt.pay_ref, self._clock.steady_ms())
        if attempt.state is AttemptState.UNKNOWN:
            sale = self._ask(sale, attempt)
            attempt = sale.attempt(no)
        if attempt.state is AttemptState.REVERSING:
            sale = self._reverse(sale, attempt)
        return sale

    def _ask(self, sale: Sale, attempt: Attempt) -> Sale:
        answer = self._payment.query(ask_of(sale, attempt))
        if self._is_certainly_not_there(attempt, answer):
            return self._paying.not_paid(sale, attempt.no, answer.evidence)
        if answer.say in (Say.NOT_FOUND, Say.UNCLEAR, Say.PENDING):
            return sale
        after = self._paying.record(sale, attempt, answer)
        paid_in_vain = judge(attempt, answer) is Verdict.PAID and after.state is not SaleState.PAID
        other_paid = after.paid_attempt is not None and after.paid_attempt.no != attempt.no
        if paid_in_vain or (other_paid and after.attempt(attempt.no).state is AttemptState.UNKNOWN):
            # Stopped by the cashier, or paid by another attempt: this money goes back.
            return self._journal.reversing(sale.record_id, attempt.no, answer.evidence)
        return after

    def _reverse(self, sale: Sale, attempt: Attempt) -> Sale:
        answer = self._payment.reverse(ask_of(sale, attempt), attempt.evidence)
        if answer.say is Say.APPROVED or self._is_certainly_not_there(attempt, answer):
            return self._paying.not_paid(sale, attempt.no, answer.evidence)
        return sale

    def _is_certainly_not_there(self, attempt: Attempt, answer: Answer) -> bool:
        """Whether "not found" is by now a no: said twice in a row, by a link that can know, late enough."""
        if answer.say is not Say.NOT_FOUND:
            self._not_found.pop(attempt.pay_ref, None)
            return False
        times = self._not_found.get(attempt.pay_ref, 0) + 1
        self._not_found[attempt.pay_ref] = times
        return times >= _NOT_FOUND_TIMES and self._payment.not_found_is_no and self._long_enough(attempt)

    def _long_enough(self, attempt: Attempt) -> bool:
        """Whether two host time-outs have passed since the attempt, as far as this process has seen."""
        since_ms = self._clock.steady_ms() - self._seen_ms[attempt.pay_ref]
        return since_ms >= 2 * self._payment.clocks.host_timeout_s * 1000
