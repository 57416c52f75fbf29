"""What is a terminal behind its vendor's MIS client?"""

import re
from functools import partial

import msgspec
from msgspec.structs import replace

from terminal_agent.checkout.ports import Clock, Payment
from terminal_agent.terminals.mis_call import Call, call_child, child_command
from terminal_agent.terminals.mis_fixed import MisTerminal
from terminal_agent.terminals.mis_profile import MisProfile, read_mis_profile
from terminal_agent.terminals.terminal import Can, LostAnswer, PortRefused, Terminal
from terminal_agent.traces.mask_mis import MIS, mask_mis
from terminal_agent.traces.tcp_line import recorded_call
from terminal_agent.traces.write_trace import Recorder

_MOST_PORT = 65_535
_TCP_PORT = re.compile(r"tcp:([0-9A-Za-z.-]{1,253}):([0-9]{1,5})", re.ASCII)


class MisClientTerminal(msgspec.Struct, frozen=True):
    """A terminal behind its vendor's MIS client: a library or a program on the network."""

    port: str
    arguments: tuple[str, ...]
    profile: MisProfile
    recorder: Recorder | None = None

    @property
    def can(self) -> Can:
        """What it can do."""
        return Can(LostAnswer.LAST_THAT_FITS, refund_later=True)

    def payment(self, clock: Clock) -> Payment:
        """Return the way to take money at it."""
        command = child_command(self.profile.python, self.arguments)
        call: Call = partial(call_child, command)
        if self.recorder is not None:
            call = recorded_call(call, self.recorder(MIS, MIS, mask_mis))
        return self.payment_over(call, clock)

    def payment_over(self, call: Call, clock: Clock) -> Payment:
        """Return the same by a client that is called in another way."""
        return MisTerminal(self.profile, call, clock)

    def recorded(self, recorder: Recorder) -> Terminal:
        """Return the same terminal, whose payments note what passes."""
        return replace(self, recorder=recorder)


def read(port: str, text: str, file_name: str) -> Terminal:
    """Return the terminal behind the client that `port` names. Raises FileError, PortRefused."""
    profile = read_mis_profile(text, file_name)
    found = _TCP_PORT.fullmatch(port)
    if found is not None and 0 < int(found[2]) <= _MOST_PORT:
        return MisClientTerminal(port, ("tcp", found[1], found[2]), profile)
    path = port.removeprefix("dll:")
    if path == port or not path.strip():
        remedy = 'Write it as in "dll:C:/ums/posinf.dll" or "tcp:192.168.1.30:7000"'
        raise PortRefused("not the library or address of a MIS client", remedy)
    return MisClientTerminal(port, ("dll", path, profile.function), profile)
