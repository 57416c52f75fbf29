"""What is a card terminal to the shop's configuration, whatever drives it?"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.traces.write_trace import Recorder


class LostAnswer(StrEnum):
    """What becomes of an answer that was lost on the way, in words for shop IT."""

    BY_NUMBER = "asked by our number"
    LAST_WITH_NUMBER = "asked for its last transaction"
    LAST_THAT_FITS = "asked for its last transaction, which fits or parks"
    REVERSED = "reversed before the next sale"
    WATCHED = "seen when it passes, or left to the night's files"


class Can(msgspec.Struct, frozen=True):
    """What becomes of a lost answer and of a return at one kind of terminal."""

    lost_answer: LostAnswer
    refund_later: bool
    """Whether it gives money back after the day's batch was closed."""

    def in_words(self) -> str:
        """Return for shop IT what to expect."""
        days = "returns on any day" if self.refund_later else "returns until the batch is closed"
        return f"a lost answer is {self.lost_answer.value}; {days}"


class Terminal(Protocol):
    """A card terminal as the shop has configured it."""

    @property
    def can(self) -> Can:
        """What it can do, as driver and profile say."""

    @property
    def port(self) -> str:
        """Where it is, in the words of the configuration."""

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it. Opens no line yet, and never fails."""

    def recorded(self, recorder: Recorder) -> "Terminal":
        """Return the same terminal, whose payments write down what passes, masked, for shop IT."""


@runtime_checkable
class Numbered(Protocol):
    """A terminal whose profile names its number: it must be the one in the shop's configuration."""

    @property
    def number(self) -> str:
        """Which terminal it is to its acquirer."""

    @property
    def for_training_only(self) -> bool:
        """Whether it may be used only where no money moves."""


@runtime_checkable
class TellsTrouble(Protocol):
    """A way to take money that says why its line could not be used last."""

    @property
    def trouble(self) -> str:
        """What is wrong and what to do, for shop IT; empty while the other side answers."""


@runtime_checkable
class CountsBatch(Protocol):
    """A way to take money whose batches hold only so many payments, which the journal counts."""

    def count_with(self, moved_in_batch: Callable[[str, str], tuple[int, int, int, int]]) -> None:
        """Begin nothing in a batch that is full by this: fen and number of sales, and of what went back.

        It is asked by batch and merchant.
        """


class Reach(StrEnum):
    """Who can call the port at which we wait for a terminal."""

    NOBODY = "NOBODY"  # it is no network port
    THIS_HOST = "THIS_HOST"
    NETWORK = "NETWORK"


@runtime_checkable
class Called(Protocol):
    """A terminal that calls us."""

    @property
    def reach(self) -> Reach:
        """Who can call where it calls."""

    def called_from(self, addresses: frozenset[str]) -> Terminal:
        """Return the same terminal, which calls from one of these addresses; others are sent away."""


class PortRefused(Exception):
    """The `port` of a terminal cannot be one. Says what is wrong and what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


ReadTerminal = Callable[[str, str, str], Terminal]
"""Make a terminal of (port, text of the profile, name of its file). Raises FileError, PortRefused."""
