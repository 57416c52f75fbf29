"""What does the one worker of a card terminal do, and in which order?

After a start it first resolves what a power cut left open; then it takes attempts one by one, each
resolved or parked before the next; while idle it looks at parked ones again.
"""

from collections.abc import Callable
from typing import Protocol

from terminal_agent.checkout.attempt import STOPPED, Paying
from terminal_agent.checkout.give_back_goods import Refunding
from terminal_agent.checkout.ports import Journal, Payment, Secret
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import UNDECIDED_ATTEMPTS, AttemptState, SaleState

_LONGEST_PAUSE = 12  # times the link's own rhythm, between two looks at what stays undecided

Job = tuple[str, int, Secret | None]
"""An attempt that waits: (record_id, attempt number, the code that the shopper showed)."""

GOODS_BACK = 0
"""Stands for the attempt's number in a job where goods come back and the shopper's money goes."""


class Jobs(Protocol):
    """Where attempts wait."""

    def take(self, timeout_s: float) -> Job | None:
        """Return the next one, or None when none came in time."""


class Lane:
    """The worker of one terminal, or of a channel beside one. `terminal_no` names the link."""

    def __init__(
        self,
        terminal_no: str,
        journal: Journal,
        payment: Payment,
        paying: Paying,
        resolver: Resolver,
        refunding: Refunding,
    ) -> None:
        self.terminal_no = terminal_no
        self._journal = journal
        self._payment = payment
        self._paying = paying
        self._resolver = resolver
        self._refunding = refunding

    def run(self, jobs: Jobs) -> None:
        """Work until the process ends."""
        # A parked sale has had its time: it holds the terminal at no later start again.
        self._finish(of_parked=self._resolver.look)
        pauses = 1
        while True:
            job = jobs.take(pauses * self._payment.clocks.poll_every_s)
            if job is not None:
                self.do(*job)
                pauses = 1
            else:
                # What stays undecided may stay so for days: it is asked about ever more rarely. Where
                # nothing does, nothing becomes so but by a job, or by what the centre says to a return.
                pauses = min(2 * pauses, _LONGEST_PAUSE) if self.look_at_parked() else _LONGEST_PAUSE

    def do(self, record_id: str, no: int, pay_code: Secret | None = None) -> None:
        """Carry out a job: a payment, or the refund of a return."""
        if no == GOODS_BACK:
            self._refunding.carry_out(record_id)
        else:
            self.pay(record_id, no, pay_code)

    def resume(self) -> None:
        """Finish what the last run of the agent left open on this terminal, while nobody waits for it."""
        self._finish(of_parked=self._resolver.resolve)

    def _finish(self, of_parked: Callable[[str, int], Sale]) -> None:
        """Finish what is open. Without a mark nothing was sent; with one, money may have moved."""
        for record_id, no in self._journal.open_attempts(self.terminal_no):
            sale = self._journal.sale(record_id)
            assert sale is not None
            attempt = sale.attempt(no)
            if attempt.state is AttemptState.INTENDED:
                if attempt.mark is None:
                    self._paying.not_paid(sale, no, STOPPED)
                    continue
                self._journal.unknown(record_id, no, attempt.evidence)
            ask = of_parked if sale.state is SaleState.PARKED else self._resolver.resolve
            ask(record_id, no)
        self._refunding.resume(self.terminal_no)

    def pay(self, record_id: str, no: int, pay_code: Secret | None = None) -> None:
        """Carry out one attempt, and resolve it before the next sale on this terminal."""
        sale = self._journal.sale(record_id)
        if sale is None or sale.attempt(no).state is not AttemptState.INTENDED:
            return  # done by resume before this job was taken
        after = self._paying.carry_out(record_id, no, pay_code)
        if after.attempt(no).state in UNDECIDED_ATTEMPTS:
            self._resolver.resolve(record_id, no)

    def look_at_parked(self) -> bool:
        """Ask once more about every attempt and refund that is undecided; return whether one stays so."""
        some_stay = self._refunding.look_at_open(self.terminal_no)
        still_open = set()
        for record_id, no in self._journal.open_attempts(self.terminal_no):
            sale = self._journal.sale(record_id)
            assert sale is not None
            attempt = sale.attempt(no)
            if attempt.state in UNDECIDED_ATTEMPTS:
                attempt = self._resolver.look(record_id, no).attempt(no)
                some_stay |= attempt.is_open
            if attempt.is_open:
                still_open.add(attempt.pay_ref)
        self._resolver.keep(still_open)
        return some_stay
