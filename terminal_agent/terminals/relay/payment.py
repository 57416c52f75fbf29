"""How is money taken at a terminal that we only watch? By waiting: the cashier keys in the amount there.

`take` arms exactly one amount for a while. Nothing can be sent over a line that is only watched, so
`reverse` and `refund` say what was seen: the cashier voids or refunds at the terminal, and it is known once
that passes.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clocks, Say
from terminal_agent.checkout.sale import WATCHED
from terminal_agent.checkout.sighting import Tell
from terminal_agent.terminals.relay.cut_frames import Unreadable
from terminal_agent.terminals.relay.observer import Log, Observer


class Line(Protocol):
    """Whatever passes the terminal's bytes on."""

    problem: str
    """Why the terminal does not find us, empty while it does."""
    refused: int
    """How many connections were sent away because of where they came from, and whence the last one."""
    refused_from: str

    def run(self, log: Log) -> None:
        """Pass bytes on until the process ends."""


class WatchedTerminal:
    """A terminal whose line passes through us. Fits `checkout.ports.Payment`."""

    not_found_is_no = False
    reverses_blind = False  # nor in any other way: we send nothing

    def __init__(self, clocks: Clocks, armed_for_s: float, observer: Observer, line: Line) -> None:
        self.clocks = clocks
        self._armed_for_s = armed_for_s
        self._observer = observer
        self._line = line

    def workers(self, link: str, tell: Tell, log: Log) -> dict[str, Callable[[], None]]:
        """Return the thread that watches and the one that passes bytes on. Neither waits for the other."""
        return {
            f"watch-{link}": partial(self._observer.run, link, tell, log),
            f"relay-{link}": partial(self._line.run, log),
        }

    def state(self) -> dict[str, object]:
        """Return how the line is: `problem` is empty while it can be watched."""
        return {
            "problem": self._problem(),
            "armed": self._observer.armed,
            "frames_seen": self._observer.frames_seen,
            "frames_not_understood": self._observer.frames_not_understood,
            "breaks": self._observer.breaks,
            "refused": self._line.refused,
            "refused_from": self._line.refused_from,
        }

    def _problem(self) -> str:
        if self._line.problem:
            return self._line.problem
        if not self._observer.can_see and self._observer.unreadable is Unreadable.ENCRYPTED:
            return (
                "the terminal encrypts this line itself, so it cannot be watched. Drive the terminal instead"
            )
        return "" if self._observer.can_see else "bytes pass, but nobody watches them. Start the agent again"

    def prepare(self, ask: Ask) -> str | None:
        """Return the mark of a link that only watches; None while the line does not pass here, readable."""
        return None if self._problem() else WATCHED

    def take(self, ask: Ask) -> Answer:
        """Arm the amount and return at once: PENDING until a sale of it has passed, or the time is over."""
        return self._observer.arm(ask.pay_ref, ask.amount_fen, self._armed_for_s)

    def query(self, ask: Ask) -> Answer:
        """Say what was seen of the attempt. Once the cashier has given the sale up, it is disarmed first.

        DECLINED also when nothing passed while it was armed and every byte since then was seen.
        """
        return self._observer.word(ask.pay_ref, disarm=ask.given_up)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Say whether nothing of the attempt stands. PENDING until the cashier's void has passed."""
        said = self._observer.word(ask.pay_ref, disarm=True)
        if said.say is Say.DECLINED:
            return Answer(Say.APPROVED, evidence=said.evidence)
        return Answer(Say.PENDING)

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Say whether the attempt's money is back. PENDING until the cashier's void or refund has passed."""
        said = self._observer.word(ask.pay_ref)
        if said.say is Say.DECLINED:
            return Answer(Say.APPROVED, approved_fen=back.fen, evidence=said.evidence)
        return Answer(Say.PENDING)
