"""How does an attempt come from UNKNOWN to an explicit answer, or get parked?

By asking, never by paying again; then, where the link can undo what it knows nothing of, by undoing. "Not
found" is not a no, except where the link can show that nothing happened, or was asked to undo it, and long
enough ago. REVERSING is a one-way door: what is heard after it makes nothing paid, and money that can no
longer be reversed is refunded. The resolver has a bounded time before the terminal is given free; a parked
sale is looked at again whenever the terminal is idle.
"""

from collections.abc import Callable, Collection

from msgspec.structs import replace

from subsidy import ids
from terminal_agent.checkout.attempt import Paying, Verdict, ask_of, judge
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Journal, Payment, Say
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.send_refund import Refunds
from terminal_agent.checkout.states import UNDECIDED_ATTEMPTS, AttemptState, SaleState

_NOT_FOUND_TIMES = 2


class Resolver:
    """Resolves the attempts of one link. Its clocks run from when this process first saw them.

    `may_have_moved_on` says of a sale whether more may have happened to it than the journal knows.
    """

    def __init__(
        self,
        journal: Journal,
        payment: Payment,
        clock: Clock,
        paying: Paying,
        may_have_moved_on: Callable[[Sale], bool] = lambda _: False,
    ) -> None:
        self._journal = journal
        self._payment = payment
        self._clock = clock
        self._paying = paying
        self._may_have_moved_on = may_have_moved_on
        self._refunds = Refunds(payment, clock)
        self._not_found: dict[tuple[str, AttemptState], int] = {}

    def resolve(self, record_id: str, no: int) -> Sale:
        """Ask until an explicit answer comes, for `resolver_s`; then park the sale."""
        clocks = self._payment.clocks
        until_ms = self._clock.steady_ms() + int(clocks.resolver_s * 1000)
        sale = self.look(record_id, no)
        while sale.attempt(no).state in UNDECIDED_ATTEMPTS:
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
        self._paying.since_s(attempt)
        if attempt.state is AttemptState.UNKNOWN:
            sale = self._ask(sale, attempt)
            attempt = sale.attempt(no)
        if attempt.state is AttemptState.UNKNOWN and self._is_to_be_undone(sale, attempt):
            sale = self._journal.reversing(record_id, no, attempt.evidence)
            attempt = sale.attempt(no)
        if attempt.state is AttemptState.REVERSING:
            sale = self._reverse(sale, attempt)
            attempt = sale.attempt(no)
        if attempt.state is AttemptState.GIVING_BACK:
            sale = self._give_back(sale, attempt)
        return sale

    def keep(self, pay_refs: Collection[str]) -> None:
        """Forget every attempt but these, which are open: of the others nothing is asked any more."""
        self._refunds.keep({ids.refund_no(one) for one in pay_refs})
        self._not_found = {key: times for key, times in self._not_found.items() if key[0] in pay_refs}
        self._paying.keep(pay_refs)

    def _ask(self, sale: Sale, attempt: Attempt) -> Sale:
        answer = self._payment.query(self._ask_of(sale, attempt))
        if self._is_certainly_not_there(attempt, answer):
            return self._paying.not_paid(sale, attempt.no, answer.evidence)
        if answer.say in (Say.NOT_FOUND, Say.UNCLEAR, Say.PENDING):
            return sale
        after = self._paying.record(sale, attempt, answer)
        paid_in_vain = judge(attempt, answer) is Verdict.PAID and after.state is not SaleState.PAID
        other_paid = after.paid_attempt is not None and after.paid_attempt.no != attempt.no
        if paid_in_vain or (other_paid and after.attempt(attempt.no).state is AttemptState.UNKNOWN):
            # Stopped by the cashier, or paid by another attempt: this money goes back.
            return self._journal.reversing(sale.record_id, attempt.no, answer.evidence, answer.approved_fen)
        return after

    def _is_to_be_undone(self, sale: Sale, attempt: Attempt) -> bool:
        """Whether it has been asked about long enough, or nobody wants it any more."""
        unwanted = sale.stop or sale.paid_attempt is not None
        asked_enough = self._paying.since_s(attempt) >= self._payment.clocks.poll_for_s
        return self._payment.reverses_blind and (unwanted or asked_enough)

    def _reverse(self, sale: Sale, attempt: Attempt) -> Sale:
        if self._paying.since_s(attempt) < self._payment.clocks.reverse_not_before_s:
            return sale
        answer = self._payment.reverse(self._ask_of(sale, attempt), attempt.evidence)
        if answer.say is Say.APPROVED or self._is_certainly_not_there(attempt, answer):
            return self._paying.not_paid(sale, attempt.no, answer.evidence)
        if answer.say is Say.DECLINED:
            # It stands and cannot be reversed any more: its money goes back by a refund.
            mark = self._payment.prepare(ask_of(sale, attempt))
            if mark is not None:
                self._refunds.begin(ids.refund_no(attempt.pay_ref))
                return self._journal.giving_back(sale.record_id, attempt.no, mark)
        return sale

    def _give_back(self, sale: Sale, attempt: Attempt) -> Sale:
        back = Back(
            refund_no=ids.refund_no(attempt.pay_ref),
            fen=attempt.approved_fen or attempt.amount_fen,
            evidence=attempt.evidence,
            mark=attempt.back_mark,
        )
        # The whole of what was taken, which need not be what was asked.
        ask = replace(self._ask_of(sale, attempt), amount_fen=back.fen)
        answer = self._refunds.send(ask, back)
        if answer.say is Say.APPROVED and answer.approved_fen == back.fen:
            return self._paying.given_back(sale, attempt.no, answer.evidence)
        if answer.say is Say.DECLINED:
            # Certainly not given back: the next try is a new one, and tells itself apart by a new mark.
            mark = self._payment.prepare(ask)
            if mark is not None:
                return self._journal.mark_back(sale.record_id, attempt.no, mark)
        return sale

    def _ask_of(self, sale: Sale, attempt: Attempt) -> Ask:
        ask = ask_of(sale, attempt)
        return replace(ask, moved_on=ask.moved_on or self._may_have_moved_on(sale))

    def _is_certainly_not_there(self, attempt: Attempt, answer: Answer) -> bool:
        """Whether "not found" is by now a no: said twice in a row and late enough.

        To a question it is one only where the link can know. To a reversal everywhere: by then no
        original is on its way any more, and the file has the last word.
        """
        if answer.say is not Say.NOT_FOUND:
            self._not_found.pop((attempt.pay_ref, attempt.state), None)
            return False
        times = self._not_found.get((attempt.pay_ref, attempt.state), 0) + 1
        self._not_found[attempt.pay_ref, attempt.state] = times
        may_be_no = self._payment.not_found_is_no or attempt.state is AttemptState.REVERSING
        return times >= _NOT_FOUND_TIMES and may_be_no and self._long_enough(attempt)

    def _long_enough(self, attempt: Attempt) -> bool:
        """Whether two host time-outs have passed since the attempt, as far as this process has seen."""
        return self._paying.since_s(attempt) >= 2 * self._payment.clocks.host_timeout_s
