"""What does the one worker of a card terminal do, and in which order?

After a start it first resolves what a power cut left open; then it takes attempts one by one, each
resolved or parked before the next; while idle it looks at parked ones again.
"""

from typing import Protocol

from terminal_agent.checkout.attempt import STOPPED, Paying
from terminal_agent.checkout.ports import Journal, Payment
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.states import AttemptState

_UNDECIDED = (AttemptState.UNKNOWN, AttemptState.REVERSING)


class Job(Protocol):
    """Where attempts wait: (record_id, attempt number)."""

    def take(self, timeout_s: float) -> tuple[str, int] | None:
        """Return the next one, or None when none came in time."""


class Lane:
    """The worker of one terminal."""

    def __init__(
        self, terminal_no: str, journal: Journal, payment: Payment, paying: Paying, resolver: Resolver
    ) -> None:
        self.terminal_no = terminal_no
        self._journal = journal
        self._payment = payment
        self._paying = paying
        self._resolver = resolver

    def run(self, jobs: Job) -> None:
        """Work until the process ends."""
        self.resume()
        while True:
            job = jobs.take(self._payment.clocks.poll_every_s)
            if job is not None:
                self.pay(*job)
            else:
                self.look_at_parked()

    def resume(self) -> None:
        """Finish what the last run of the agent left open on this terminal.

        Without a mark nothing was sent; with one, money may have moved.
        """
        for record_id, no in self._journal.open_attempts(self.terminal_no):
            sale = self._journal.sale(record_id)
            assert sale is not None
            attempt = sale.attempt(no)
            if attempt.state is AttemptState.INTENDED:
                if attempt.mark is None:
                    self._paying.not_paid(sale, no, STOPPED)
                    continue
                self._journal.unknown(record_id, no, attempt.evidence)
            self._resolver.resolve(record_id, no)

    def pay(self, record_id: str, no: int) -> None:
        """Carry out one attempt, and resolve it before the next sale on this terminal."""
        sale = self._journal.sale(record_id)
        if sale is None or sale.attempt(no).state is not AttemptState.INTENDED:
            return  # done by resume before this job was taken
        after = self._paying.carry_out(record_id, no)
        if after.attempt(no).state in _UNDECIDED:
            self._resolver.resolve(record_id, no)

    def look_at_parked(self) -> None:
        """Ask once more about every attempt that is still undecided."""
        for record_id, no in self._journal.open_attempts(self.terminal_no):
            sale = self._journal.sale(record_id)
            if sale is not None and sale.attempt(no).state in _UNDECIDED:
                self._resolver.look(record_id, no)
