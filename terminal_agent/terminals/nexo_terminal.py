"""What is a terminal that speaks nexo Sale-to-POI over TCP?"""

import re
from pathlib import Path

import msgspec
from msgspec.structs import replace

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals.link_serial import OpenLink
from terminal_agent.terminals.link_tcp import TcpLink, open_tcp
from terminal_agent.terminals.nexo_profile import NexoProfile, read_nexo_profile
from terminal_agent.terminals.nexo_tcp import NexoTerminal
from terminal_agent.terminals.terminal import Can, LostAnswer, PortRefused, Terminal
from terminal_agent.terminals.tls import Tls
from terminal_agent.traces.mask_nexo import NEXO, mask_nexo
from terminal_agent.traces.tcp_line import recorded_nexo
from terminal_agent.traces.write_trace import Recorder

_MOST_PORT = 65_535
_PORT = re.compile(r"([0-9A-Za-z.-]{1,253}):([0-9]{1,5})/([0-9A-Za-z.-]{1,40})", re.ASCII)


class NetworkTerminal(msgspec.Struct, frozen=True):
    """A terminal with its own address in the shop's network; `poi_id` is its name there."""

    port: str
    host: str
    tcp_port: int
    poi_id: str
    profile: NexoProfile
    tls: Tls | None = None
    recorder: Recorder | None = None

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(LostAnswer.BY_NUMBER, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        open_link: OpenLink = self.connect
        if self.recorder is not None:
            open_link = recorded_nexo(open_link, self.recorder(NEXO, NEXO, mask_nexo))
        return self.payment_over(open_link, clock)

    def connect(self) -> TcpLink:
        """Open the line to it. Raises LinkFault."""
        return open_tcp(self.host, self.tcp_port, self.profile.connect_s, self.tls)

    def payment_over(self, open_link: OpenLink, clock: Clock) -> Payment:
        """Return the same over a line that is opened in another way."""
        return NexoTerminal(self.profile, self.poi_id, open_link, clock)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""
        return replace(self, recorder=recorder)


def read(port: str, text: str, file_name: str) -> Terminal:
    """Return the terminal at an address with a profile. Raises FileError, PortRefused."""
    found = _PORT.fullmatch(port)
    if found is None or not 0 < int(found[2]) <= _MOST_PORT:
        raise PortRefused(
            "not the address and POIID of a terminal", 'Write it as in "192.168.1.20:4000/P400-123456789"'
        )
    profile = read_nexo_profile(text, file_name)
    tls = None if profile.tls is None else profile.tls.opened(Path(file_name).parent)
    return NetworkTerminal(port, found[1], int(found[2]), found[3], profile, tls)
