"""Which drivers are there, by the name that stands in the shop's configuration?

A driver is one row: its name, and a function that makes a terminal of its port and its profile.
"""

from collections.abc import Mapping
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
from msgspec.structs import replace

from catalog_sync.packs import read_text
from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import Dialect, read_dialect
from terminal_agent.terminals import profile as stx_lrc
from terminal_agent.terminals.direct import profile as direct
from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.terminals.direct.line import LineProfile, dial, trusting
from terminal_agent.terminals.direct.session import Session
from terminal_agent.terminals.direct.training_pinpad import TrainingPinpad
from terminal_agent.terminals.link_serial import OpenLink, open_serial
from terminal_agent.terminals.relay import profile as relay
from terminal_agent.terminals.relay.forward import Forwarder
from terminal_agent.terminals.relay.hand_over import HandOver
from terminal_agent.terminals.relay.observer import Observer
from terminal_agent.terminals.relay.payment import WatchedTerminal
from terminal_agent.terminals.relay.understand import Reader
from terminal_agent.terminals.serial_ecr import DrivenTerminal
from terminal_agent.traces.mask_frames import ISO8583, STX_LRC, iso8583_mask, mask_stx_lrc
from terminal_agent.traces.serial_link import recorded
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


class SerialTerminal(msgspec.Struct, frozen=True):
    """A terminal that is driven over a serial line by an STX/LEN/ETX/LRC profile."""

    port: str
    profile: stx_lrc.Profile
    recorder: Recorder | None = None

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        open_link: OpenLink = partial(open_serial, self.port, self.profile.line)
        if self.recorder is not None:
            open_link = recorded(open_link, self.recorder(STX_LRC, stx_lrc.FAMILY, mask_stx_lrc))
        return DrivenTerminal(self.profile, open_link, clock)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""
        return replace(self, recorder=recorder)


class RelayTerminal(msgspec.Struct, frozen=True):
    """A terminal that talks to its acquirer through us: `port` is where it finds us, as in "0.0.0.0:9101".

    `listen` is None where it is a serial port, over which the terminal hands us its frames.
    """

    port: str
    listen: tuple[str, int] | None
    profile: relay.Profile
    recorder: Recorder | None = None

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it: arm an amount and watch."""
        profile = self.profile
        understand = Reader(profile.dialect, profile.codes).understand
        note = None
        if self.recorder is not None:
            note = self.recorder(ISO8583, profile.dialect.name, iso8583_mask(profile.dialect))
        observer = Observer(understand, profile.no_original_ms, clock, note=note)
        line: Forwarder | HandOver
        if self.listen is not None:
            line = Forwarder(self.listen, profile.acquirer, observer, clock)
        else:
            assert profile.line is not None
            open_link = partial(open_serial, self.port, profile.line)
            wait_s = profile.clocks.host_timeout_s
            line = HandOver(open_link, profile.acquirer, wait_s, observer, clock)
        return WatchedTerminal(profile.clocks, profile.armed_for_s, observer, line)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose line is noted."""
        return replace(self, recorder=recorder)


@runtime_checkable
class Numbered(Protocol):
    """A terminal whose profile names its number: it must be the one in the shop's configuration."""

    @property
    def number(self) -> str:
        """Which terminal it is to its acquirer."""

    @property
    def for_training_only(self) -> bool:
        """Whether it may be used only where no money moves."""


class HostTerminal(msgspec.Struct, frozen=True):
    """A terminal that we are ourselves to its acquirer's host, over ISO 8583."""

    port: str
    address: tuple[str, int]
    profile: direct.Profile
    dialect: Dialect
    line: LineProfile
    memory: Path

    @property
    def number(self) -> str:
        """Which terminal it is to its acquirer."""
        return self.profile.terminal_no

    @property
    def for_training_only(self) -> bool:
        """Whether it may be used only where no money moves."""
        return self.profile.pinpad == direct.TRAINING

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        pinpad = TrainingPinpad(self.memory, self.dialect.mac)
        line = partial(dial, self.address, self.line)
        session = Session(self.profile, Codec(self.dialect), pinpad, line, clock)
        return DirectTerminal(self.profile, session, pinpad, clock)


ReadTerminal = Callable[[str, str, str], Terminal]
"""Make a terminal of (port, text of the profile, name of the profile's file). Raises FileError."""


def _stx_lrc(port: str, text: str, file_name: str) -> Terminal:
    return SerialTerminal(port, stx_lrc.read_profile(text, file_name))


def _relay(port: str, text: str, file_name: str) -> Terminal:
    profile = relay.read_profile(text, file_name)
    listen = relay.address_of(port)
    if listen is None and profile.line is None:
        raise FileError(
            file_name,
            1,
            "line",
            f"is missing, and {port!r} is no address that a terminal could call",
            'Write `port: "0.0.0.0:9101"`, or `line` here when it is a serial port',
        )
    return RelayTerminal(port, listen, profile)


def _iso8583_direct(port: str, text: str, file_name: str) -> Terminal:
    profile = direct.read_profile(text, file_name)
    folder = Path(file_name).parent
    dialect_file = folder / profile.dialect
    tls = None
    if profile.authorities:
        try:
            tls = trusting(read_text(folder / profile.authorities))
        except ValueError as wrong:
            place = str(folder / profile.authorities)
            raise FileError(place, 1, "", str(wrong), "Write certificates in PEM form") from None
    return HostTerminal(
        port=port,
        address=_address(port, file_name),
        profile=profile,
        dialect=read_dialect(read_text(dialect_file), str(dialect_file)),
        line=LineProfile(profile.connect_s, tls, profile.server_name),
        memory=folder / profile.memory,
    )


def _address(port: str, file_name: str) -> tuple[str, int]:
    host, _, number = port.rpartition(":")
    if not host or not re.fullmatch(r"[1-9][0-9]{0,4}", number, re.ASCII) or int(number) > 65_535:
        raise FileError(
            file_name, 1, "port", f"{port!r} is no host and port", 'Write it as in "10.0.0.1:8583"'
        )
    return host, int(number)

from terminal_agent.terminals import nexo_profile, nexo_terminal, serial_terminal
from terminal_agent.terminals import profile as serial_profile
from terminal_agent.terminals.direct import profile as direct_profile
from terminal_agent.terminals.direct import terminal as direct
from terminal_agent.terminals.relay import profile as relay_profile
from terminal_agent.terminals.relay import terminal as relay
from terminal_agent.terminals.terminal import ReadTerminal

DRIVERS: Mapping[str, ReadTerminal] = {
    **dict.fromkeys(serial_profile.FAMILIES, serial_terminal.read),
    nexo_profile.FAMILY: nexo_terminal.read,
    direct_profile.FAMILY: direct.read,
    relay_profile.FAMILY: relay.read,
    stx_lrc.FAMILY: _stx_lrc,
    direct.FAMILY: _iso8583_direct,
    relay.FAMILY: _relay,
}
