"""What does the checkout need from outside?

The checkout knows only these protocols. Terminals and channels implement `Payment`, the journal
`Journal`, the sync `Centre`; `system.py` implements the rest.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from subsidy.records.payment import Evidence


class Say(StrEnum):
    """What the other side of a payment link said, before anybody judges it."""

    APPROVED = "APPROVED"  # money moved, of the amount in the answer
    DECLINED = "DECLINED"  # an explicit no
    NOT_FOUND = "NOT_FOUND"  # "I know of no such payment": not a no
    PENDING = "PENDING"  # still at work on it
    UNCLEAR = "UNCLEAR"  # no answer, or none that can be read


class Ask(msgspec.Struct, frozen=True):
    """One attempt as a link sees it. `amount_fen` is what the shopper pays, above 0."""

    pay_ref: str
    amount_fen: int
    operator: str
    till_no: str
    mark: str | None = None  # what `prepare` returned, once it is stored


class Answer(msgspec.Struct, frozen=True):
    """What came back. `approved_fen` is None unless the other side named an amount."""

    say: Say
    approved_fen: int | None = None
    evidence: Evidence = Evidence()


class Clocks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long each wait of one payment link lasts, in seconds. A profile sets them."""

    answer_wait_s: int
    answer_cap_s: int
    host_timeout_s: int
    poll_every_s: int
    poll_for_s: int
    reverse_not_before_s: int
    resolver_s: int


class Payment(Protocol):
    """One way of taking money: a card terminal, a QR channel.

    No method raises for what happens on the link: silence, noise and an unplugged cable are
    answers, `UNCLEAR`. Calls of one link come from one worker, one at a time.
    """

    clocks: Clocks
    not_found_is_no: bool
    """Whether NOT_FOUND, twice and two host time-outs after the attempt, is an explicit no.

    True for a driven terminal, whose trace counter shows that nothing happened; False for a
    channel, where a request may still be on its way.
    """

    def prepare(self, ask: Ask) -> str | None:
        """Return what must be stored before money may move, such as the last trace number.

        Moves no money. None means that the other side is not there: nothing was sent.
        """

    def take(self, ask: Ask) -> Answer:
        """Take the amount from the shopper. This moves money. Called once per attempt, ever."""

    def query(self, ask: Ask) -> Answer:
        """Ask what became of an attempt. Moves no money; may be repeated."""

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Undo an attempt whole. APPROVED means that it is undone. May be repeated.

        `evidence` is what an earlier answer said of the payment; a driven terminal needs its
        trace number.
        """


class Clock(Protocol):
    """The two clocks of the host. Neither is trusted alone."""

    def wall_ms(self) -> int:
        """Return Unix milliseconds; may jump when somebody sets the clock."""

    def steady_ms(self) -> int:
        """Return milliseconds that only grow, from an arbitrary start that changes at each boot."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


Spawn = Callable[[str, Callable[[], None]], None]
"""Start a named worker that runs until the process ends."""

Randomness = Callable[[int], bytes]
"""Return so many bytes that nobody can guess."""
