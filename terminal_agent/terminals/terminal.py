"""What is a card terminal to the shop's configuration, whatever drives it?"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.traces.write_trace import Recorder


class Terminal(Protocol):
    """A card terminal as the shop has configured it."""

    @property
    def port(self) -> str:
        """Where it is, in the words of the configuration."""

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it. Opens no line yet, and never fails."""


@runtime_checkable
class Recordable(Protocol):
    """A terminal whose line can be written down, masked, for shop IT."""

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""


@runtime_checkable
class Numbered(Protocol):
    """A terminal whose profile names its number: it must be the one in the shop's configuration."""

    @property
    def number(self) -> str:
        """Which terminal it is to its acquirer."""

    @property
    def for_training_only(self) -> bool:
        """Whether it may be used only where no money moves."""


class PortRefused(Exception):
    """The `port` of a terminal cannot be one. Says what is wrong and what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


ReadTerminal = Callable[[str, str, str], Terminal]
"""Make a terminal of (port, text of the profile, name of its file). Raises FileError, PortRefused."""
