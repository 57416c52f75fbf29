"""Which drivers are there, and how does a configured terminal become a way to take money?

A driver is one row of `DRIVERS`: the name that stands in the shop's configuration, and a function that reads
a profile for it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals import profile as serial_ecr
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal


class Terminal(Protocol):
    """A card terminal as the shop has configured it."""

    @property
    def port(self) -> str:
        """Where it is, in the words of the configuration."""

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it. Opens no line yet, and never fails."""


class SerialTerminal(msgspec.Struct, frozen=True):
    """A terminal that is driven over a serial line by an STX/LEN/ETX/LRC profile."""

    port: str
    profile: serial_ecr.Profile

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        return DrivenTerminal(self.profile, partial(open_serial, self.port, self.profile.line), clock)


ReadTerminal = Callable[[str, str, str], Terminal]
"""Make a terminal of (port, text of the profile, name of the profile's file). Raises FileError."""


def _serial_ecr(port: str, text: str, file_name: str) -> Terminal:
    return SerialTerminal(port, serial_ecr.read_profile(text, file_name))


DRIVERS: Mapping[str, ReadTerminal] = dict.fromkeys(serial_ecr.FAMILIES, _serial_ecr)
