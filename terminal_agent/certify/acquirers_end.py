"""How are faults made between us and the acquirer of a terminal that is only watched?

A relay's connection to it, with our hands on it.
"""

import socket
from collections.abc import Callable

from terminal_agent import system
from terminal_agent.certify import our_end
from terminal_agent.certify.on_lines import DisturbedLine, Ear
from terminal_agent.certify.our_end import PowerCut
from terminal_agent.certify.watched_ends import AT_THE_ACQUIRER, MOST_AT_ONCE, MOST_LATE_S, Hands


class AcquirersEnd(socket.socket):
    """A connection to the acquirer."""

    def __init__(self, relay: Hands, line: socket.socket, ear: Ear) -> None:
        super().__init__(fileno=line.detach())
        self._relay = relay
        self._passed = relay.keep(self, is_terminals=False)
        self._line = DisturbedLine(_Raw(self, relay.die), relay.end, relay.look, ear, ConnectionResetError)
        self._fault = ""
        self._hung_up: system.Mailbox[bool] = system.Mailbox()

    def sendall(self, data: bytes) -> None:  # type: ignore[override]  # the relay sends bytes
        """Send what goes to the acquirer."""
        self._passed.went += data
        self._fault = self._relay.end.strike(self._relay.look(data), AT_THE_ACQUIRER)
        if self._relay.is_unplugged:
            self._relay.is_unplugged, self._fault = False, our_end.UNPLUG
        if self._fault == our_end.TORN_REQUEST:
            super().sendall(data[: len(data) // 2])
            raise ConnectionResetError
        try:
            self._line.write(data)
        except PowerCut:
            raise ConnectionResetError from None

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """Return what comes from the acquirer."""
        came = self._line.read(0)
        if came and self._fault in (our_end.LATE_ANSWER, our_end.UNPLUG):
            if self._fault == our_end.UNPLUG:
                self._relay.answered.put(True)
            if self._hung_up.take(self.gettimeout() or MOST_LATE_S) is None:
                raise TimeoutError
            if self._fault == our_end.UNPLUG:
                came = b""  # an answer may be ahead of a break or behind it: here it is behind
        elif came and self._fault == our_end.HELD_ANSWER:
            self._relay.end.hold()
        self._passed.came += came
        return came

    def shutdown(self, how: int) -> None:
        """End our half: the terminal has hung up."""
        self._hung_up.put(True)
        super().shutdown(how)


class _Raw:
    """The same connection without our hands on it. Fits `on_lines.Line`; closed when the power fails."""

    def __init__(self, line: socket.socket, power_fails: Callable[[], None]) -> None:
        self._line = line
        self.close = power_fails

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        socket.socket.sendall(self._line, data)

    def read(self, wait_s: float) -> bytes:
        """Return what has come, once something has: the relay waits for as long as the line is there."""
        return socket.socket.recv(self._line, MOST_AT_ONCE)
