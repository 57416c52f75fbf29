"""What is a terminal that we are ourselves to its acquirer's host?"""

import re
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from catalog_sync.packs import read_text
from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import Dialect, read_dialect
from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.terminals.direct.line import Dial, LineProfile, dial
from terminal_agent.terminals.direct.profile import TRAINING, Profile, read_profile
from terminal_agent.terminals.direct.session import Session
from terminal_agent.terminals.direct.training_pinpad import TrainingPinpad
from terminal_agent.terminals.terminal import Can, LostAnswer, PortRefused, Terminal
from terminal_agent.traces.mask_frames import ISO8583, iso8583_mask
from terminal_agent.traces.tcp_line import recorded_dial
from terminal_agent.traces.write_trace import Recorder

_MOST_PORT = 65_535
_ONE_DES, _TRACK_KEY = "001", "004"


class HostTerminal(msgspec.Struct, frozen=True):
    """A terminal that we are ourselves to its acquirer's host, over ISO 8583."""

    port: str
    address: tuple[str, int]
    profile: Profile
    dialect: Dialect
    line: LineProfile
    memory: Path
    recorder: Recorder | None = None

    @property
    def number(self) -> str:
        """Which terminal it is to its acquirer."""
        return self.profile.terminal_no

    @property
    def for_training_only(self) -> bool:
        """Whether it may be used only where no money moves."""
        return self.profile.pinpad == TRAINING

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(LostAnswer.REVERSED, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        line: Dial = partial(dial, self.address, self.line)
        if self.recorder is not None:
            note = self.recorder(ISO8583, self.dialect.name, iso8583_mask(self.dialect))
            line = recorded_dial(line, note, self.dialect)
        return self.payment_over(line, clock)

    def payment_over(self, line: Dial, clock: Clock) -> Payment:
        """Return the same over a line that is opened in another way."""
        pinpad = TrainingPinpad(self.memory, self.dialect.mac)
        session = Session(self.profile, Codec(self.dialect), pinpad, line, clock)
        return DirectTerminal(self.profile, session, pinpad, clock)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""
        return replace(self, recorder=recorder)


def read(port: str, text: str, file_name: str) -> Terminal:
    """Return the terminal whose host is at `port`, with a profile. Raises FileError, PortRefused."""
    profile = read_profile(text, file_name)
    folder = Path(file_name).parent
    dialect_file = folder / profile.dialect
    dialect = read_dialect(read_text(dialect_file), str(dialect_file))
    _check_keys(profile, dialect, file_name)
    return HostTerminal(
        port=port,
        address=_address(port),
        profile=profile,
        dialect=dialect,
        line=LineProfile(profile.connect_s, None if profile.tls is None else profile.tls.opened(folder)),
        memory=folder / profile.memory,
    )


def _check_keys(profile: Profile, dialect: Dialect, file_name: str) -> None:
    """Raise FileError when the keys of a sign-in are not what the dialect asks for."""
    if profile.sign_in == _ONE_DES and dialect.mac != "cup":
        raise FileError(
            file_name,
            1,
            "sign_in",
            f"{_ONE_DES} gives a MAC key of 8 bytes, and the MAC {dialect.mac} takes 16",
            'Write "003" or "004", as the acquirer says',
        )
    track = dialect.fields.get(35)
    if profile.sign_in == _TRACK_KEY and track is not None and track.kind != "h":
        raise FileError(
            file_name,
            1,
            "sign_in",
            f"with {_TRACK_KEY} the pinpad enciphers the track, which field 35 there does not take",
            'Write `"35": {is: h, ...}` in the dialect, or another sign-in',
        )


def _address(port: str) -> tuple[str, int]:
    host, _, number = port.rpartition(":")
    if not host or not re.fullmatch(r"[1-9][0-9]{0,4}", number, re.ASCII) or int(number) > _MOST_PORT:
        raise PortRefused(f"{port!r} is no host and port", 'Write it as in "10.0.0.1:8583"')
    return host, int(number)
