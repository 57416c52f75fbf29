"""What do our hands at the ends of a line that passes through us have in common?

Which fault is made at which end, what passed there, and what each end needs of the relay.
"""

import socket
from typing import Protocol

from terminal_agent.certify import our_end
from terminal_agent.certify.on_lines import Peek
from terminal_agent.certify.our_end import OurEnd
from terminal_agent.checkout.ports import Clock
from terminal_agent.system import Mailbox

WATCHER_DIES, WATCHER_STUMBLES, POWER_OFF = "watcher_dies", "watcher_stumbles", "power_off"
CABLE_OUT = "cable_out"
AT_BOTH_TERMINALS = frozenset(
    {
        our_end.LOST_TO_US,
        our_end.TORN_TO_US,
        our_end.DOUBLED_TO_US,
        our_end.NOISE_TO_US,
        our_end.HELD_REQUEST,
        our_end.HELD_AND_TORN,
        our_end.LOST_TO_TERMINAL,
        our_end.TORN_TO_TERMINAL,
        our_end.UNPLUG,
    }
)
WHERE_IT_CALLS = AT_BOTH_TERMINALS | {our_end.ENCRYPTED_TO_US}
WHERE_IT_HANDS_OVER = AT_BOTH_TERMINALS | {
    our_end.LOST_ONCE_TO_US,
    our_end.BROKEN_ONCE_TO_US,
    our_end.NO_FRAME_TO_US,
    our_end.OUR_ACK_LOST,
    our_end.LOST_ONCE_TO_TERMINAL,
    our_end.BROKEN_ONCE_TO_TERMINAL,
    our_end.BROKEN_TO_TERMINAL,
    our_end.NOISE_TO_TERMINAL,
    our_end.THEIR_ACK_LOST,
    our_end.THEIR_ACKS_LOST,
    our_end.NOISE_FOR_THEIR_ACK,
}
AT_THE_ACQUIRER = frozenset({our_end.LATE_ANSWER, our_end.HELD_ANSWER, our_end.TORN_REQUEST})
OF_THE_AGENT = frozenset({WATCHER_DIES, WATCHER_STUMBLES, POWER_OFF})

GARBAGE = b"\x00\x7e\x41"
MOST_AT_ONCE = 65_536
MOST_LATE_S = 120.0


class Passed:
    """What the relay has heard and said at one end of one connection."""

    def __init__(self, *, is_terminals: bool) -> None:
        self.is_terminals = is_terminals
        self.came = bytearray()
        self.went = bytearray()


class Hands(Protocol):
    """The relay in one run of the agent, as its ends need it."""

    end: OurEnd
    clock: Clock
    look: Peek
    is_dead: bool
    is_unplugged: bool
    """Whether the terminal is gone whose request comes next to the acquirer."""
    answered: Mailbox[bool]
    """Holds something once the acquirer has answered a request whose terminal does not hear it."""

    def die(self) -> None:
        """End as a process does whose power fails."""

    def keep(self, one: socket.socket, *, is_terminals: bool) -> Passed:
        """Take note of an end that is open, and return where to keep what passes at it."""
