"""Which drivers are there, and how does a configured terminal become a way to take money?

A driver is one row of `DRIVERS`: the name that stands in the shop's configuration, and a function that reads
a profile for it.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals import profile as serial_ecr
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.link_tcp import open_tcp
from terminal_agent.terminals.mis_call import call_child, child_command
from terminal_agent.terminals.mis_fixed import MisTerminal
from terminal_agent.terminals.mis_profile import FAMILY as MIS
from terminal_agent.terminals.mis_profile import MisProfile, read_mis_profile
from terminal_agent.terminals.nexo_profile import FAMILY as NEXO
from terminal_agent.terminals.nexo_profile import NexoProfile, read_nexo_profile
from terminal_agent.terminals.nexo_tcp import NexoTerminal
from terminal_agent.terminals.serial_ecr import DrivenTerminal

_TCP_PORT = re.compile(r"tcp:([0-9A-Za-z.-]{1,253}):([0-9]{1,5})", re.ASCII)
_MOST_PORT = 65_535
_NEXO_PORT = re.compile(r"([0-9A-Za-z.-]{1,253}):([0-9]{1,5})/([0-9A-Za-z.-]{1,40})", re.ASCII)


class Can(msgspec.Struct, frozen=True):
    """What becomes of a lost answer and of a return at one kind of terminal."""

    status_by_number: bool
    """Whether it tells what became of any payment by our number. If not, only its last transaction."""
    names_our_number: bool
    """Whether what it tells of its last transaction has our number in it, so that it is certainly ours."""
    refund_later: bool
    """Whether it gives money back after the day's batch was closed."""

    def in_words(self) -> str:
        """Return for shop IT what to expect."""
        found = (
            "asked by our number"
            if self.status_by_number
            else "asked for its last transaction"
            if self.names_our_number
            else "asked for its last transaction, which fits or parks"
        )
        return f"a lost answer is {found}; " + (
            "returns on any day" if self.refund_later else "returns until the batch is closed"
        )


class Terminal(Protocol):
    """A card terminal as the shop has configured it."""

    @property
    def port(self) -> str:
        """Where it is, in the words of the configuration."""

    @property
    def can(self) -> Can:
        """What it can do, as driver and profile say."""

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it. Opens no line yet, and never fails."""


class SerialTerminal(msgspec.Struct, frozen=True):
    """A terminal that is driven over a serial line by an STX/LEN/ETX/LRC profile."""

    port: str
    profile: serial_ecr.Profile

    @property
    def can(self) -> Can:
        """What it can do: whether it refunds is the profile's."""
        return Can(status_by_number=False, names_our_number=True, refund_later=self.profile.refunds)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        return DrivenTerminal(self.profile, partial(open_serial, self.port, self.profile.line), clock)


class NetworkTerminal(msgspec.Struct, frozen=True):
    """A terminal that speaks nexo Sale-to-POI over TCP."""

    port: str
    host: str
    tcp_port: int
    poi_id: str
    profile: NexoProfile

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(status_by_number=True, names_our_number=True, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        link = partial(open_tcp, self.host, self.tcp_port, self.profile.connect_s)
        return NexoTerminal(self.profile, self.poi_id, link, clock)


class MisClientTerminal(msgspec.Struct, frozen=True):
    """A terminal behind its vendor's MIS client."""

    port: str
    arguments: tuple[str, ...]
    profile: MisProfile

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(status_by_number=False, names_our_number=False, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        command = child_command(self.profile.python, self.arguments)
        return MisTerminal(self.profile, partial(call_child, command), clock)


class PortRefused(Exception):
    """The `port` of a terminal cannot be one. Says what is wrong and what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy


ReadTerminal = Callable[[str, str, str], Terminal]
"""Make a terminal of (port, text of the profile, name of its file). Raises FileError, PortRefused."""


def _serial_ecr(port: str, text: str, file_name: str) -> Terminal:
    return SerialTerminal(port, serial_ecr.read_profile(text, file_name))


def _nexo_tcp(port: str, text: str, file_name: str) -> Terminal:
    found = _NEXO_PORT.fullmatch(port)
    if found is None or not 0 < int(found[2]) <= _MOST_PORT:
        raise PortRefused(
            "not the address and POIID of a terminal", 'Write it as in "192.168.1.20:4000/P400-123456789"'
        )
    return NetworkTerminal(port, found[1], int(found[2]), found[3], read_nexo_profile(text, file_name))


def _mis_fixed(port: str, text: str, file_name: str) -> Terminal:
    profile = read_mis_profile(text, file_name)
    found = _TCP_PORT.fullmatch(port)
    if found is not None and 0 < int(found[2]) <= _MOST_PORT:
        return MisClientTerminal(port, ("tcp", found[1], found[2]), profile)
    path = port.removeprefix("dll:")
    if path == port or not path.strip():
        remedy = 'Write it as in "dll:C:/ums/posinf.dll" or "tcp:192.168.1.30:7000"'
        raise PortRefused("not the library or address of a MIS client", remedy)
    return MisClientTerminal(port, ("dll", path, profile.function), profile)


DRIVERS: Mapping[str, ReadTerminal] = {
    **dict.fromkeys(serial_ecr.FAMILIES, _serial_ecr),
    NEXO: _nexo_tcp,
    MIS: _mis_fixed,
}
