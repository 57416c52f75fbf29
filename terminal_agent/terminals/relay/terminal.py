"""What is a terminal that talks to its acquirer through us?"""

from functools import partial

import msgspec
from msgspec.structs import replace

from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals.relay.forward import ENDS, Ends, Forwarder
from terminal_agent.terminals.relay.hand_over import HandOver
from terminal_agent.terminals.relay.observer import Observer
from terminal_agent.terminals.relay.payment import WatchedTerminal
from terminal_agent.terminals.relay.profile import Profile, address_of, read_profile
from terminal_agent.terminals.relay.seen import Understand
from terminal_agent.terminals.relay.understand import Reader
from terminal_agent.terminals.terminal import Can, LostAnswer, Reach, Terminal
from terminal_agent.traces.mask_frames import ISO8583, iso8583_mask
from terminal_agent.traces.write_trace import Recorder

_THIS_HOST = ("127.0.0.1", "localhost")


class RelayTerminal(msgspec.Struct, frozen=True):
    """A terminal that talks to its acquirer through us: `port` is where it finds us, as in "0.0.0.0:9101".

    `listen` is None where it is a serial port, over which the terminal hands us its frames. `callers` are the
    addresses that it calls from, empty where nobody else can.
    """

    port: str
    listen: tuple[str, int] | None
    profile: Profile
    recorder: Recorder | None = None
    callers: frozenset[str] = frozenset()

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(LostAnswer.WATCHED, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it: arm an amount and watch."""
        return self.payment_over(self.observer(self.reader().understand, clock), clock)

    def reader(self) -> Reader:
        """Return who understands what passes."""
        return Reader(self.profile.dialect, self.profile.codes)

    def observer(self, understand: Understand, clock: Clock) -> Observer:
        """Return who watches the line, with `understand` for what passes on it."""
        profile = self.profile
        note = None
        if self.recorder is not None:
            note = self.recorder(ISO8583, profile.dialect.name, iso8583_mask(profile.dialect))
        return Observer(understand, profile.no_original_ms, clock, note=note)

    def payment_over(self, observer: Observer, clock: Clock, ends: Ends = ENDS) -> WatchedTerminal:
        """Return the way to take money at it, on a line that `observer` watches, between `ends`."""
        profile = self.profile
        line: Forwarder | HandOver
        if self.listen is not None:
            line = Forwarder(self.listen, profile.acquirer, observer, clock, self.callers, ends)
        else:
            assert profile.line is not None
            open_link = partial(ends.open_port, self.port, profile.line)
            wait_s = profile.clocks.host_timeout_s
            line = HandOver(open_link, profile.acquirer, wait_s, observer, clock, ends)
        return WatchedTerminal(profile.clocks, profile.armed_for_s, observer, line)

    @property
    def reach(self) -> Reach:
        """Who can call where it calls."""
        if self.listen is None:
            return Reach.NOBODY
        return Reach.THIS_HOST if self.listen[0] in _THIS_HOST else Reach.NETWORK

    def called_from(self, addresses: frozenset[str]) -> Terminal:
        """Return the same terminal, which calls from one of these addresses; others are sent away."""
        return replace(self, callers=addresses)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose line is noted."""
        return replace(self, recorder=recorder)


def read(port: str, text: str, file_name: str) -> Terminal:
    """Return the terminal that finds us at `port`, with a profile. Raises FileError."""
    profile = read_profile(text, file_name)
    listen = address_of(port)
    if listen is None and profile.line is None:
        raise FileError(
            file_name,
            1,
            "line",
            f"is missing, and {port!r} is no address that a terminal could call",
            'Write `port: "0.0.0.0:9101"`, or `line` here when it is a serial port',
        )
    return RelayTerminal(port, listen, profile)
