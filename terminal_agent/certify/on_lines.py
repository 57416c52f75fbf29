"""How are faults made at our own end of a serial line or of a connection to a terminal or host?

A line as the driver sees it, with our hands on it. What was read before the answer was whole is passed on
as it comes: the answer counts as lost, torn or late from the read that completes it.
"""

from collections.abc import Callable
from typing import Protocol

from terminal_agent.certify import our_end
from terminal_agent.certify.our_end import OurEnd

Peek = Callable[[bytes], frozenset[str]]
"""By which words a request that moves money goes; none for a question or a signal."""
Ear = Callable[[bytes], bool]
"""Take what has arrived; return whether the answer to a request that moves money is whole now."""

_GARBAGE = b"\x00\x7e\x41"


class Line(Protocol):
    """An open line."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s`; empty if nothing came."""

    def close(self) -> None:
        """Give the line back. Never fails."""


class DisturbedLine:
    """A line in our hands. Fits `exchange.Link`. `lost` makes the driver's own word for a line that broke."""

    def __init__(self, line: Line, end: OurEnd, peek: Peek, ear: Ear, lost: Callable[[], Exception]) -> None:
        self._line = line
        self._end = end
        self._peek = peek
        self._ear = ear
        self._lost = lost
        self._kinds: frozenset[str] = frozenset()
        self._fault = ""
        self._raw = b""
        self._is_gone = False

    def write(self, data: bytes) -> None:
        """Send what leaves us."""
        kinds = self._peek(data)
        if kinds:
            self._kinds, self._raw = kinds, b""
            self._fault = self._end.strike(kinds)
        if self._fault == our_end.LOST_REQUEST:
            raise self._lost()
        self._end.send(data, self._line.write, self._line.close)
        self._is_gone = self._is_gone or self._fault == our_end.UNPLUG

    def read(self, wait_s: float) -> bytes:
        """Return what reaches us."""
        if self._is_gone:
            raise self._lost()
        if self._end.late:
            late, self._end.late = self._end.late, b""
            return late
        received = self._line.read(wait_s)
        if not self._kinds or not received:
            return received
        self._raw += received
        return self._disturbed(received) if self._ear(received) else received

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    def _disturbed(self, last: bytes) -> bytes:
        """Return what reaches us of an answer that `last` completes."""
        before, whole = self._end.before(self._kinds), self._raw
        assert before is None or isinstance(before, bytes)
        self._end.heard(self._kinds, whole)
        self._raw = b""
        fault = self._fault
        if fault != our_end.BROKEN_ANSWER:  # which is sent again where it is asked for, and broken again
            self._fault = ""
        match fault:
            case our_end.LATE_ANSWER:
                self._end.late = whole
                raise self._lost()
            case our_end.LOST_ANSWER:
                raise self._lost()
            case our_end.TORN_ANSWER:
                self._is_gone = True
                return last[: len(last) // 2]
            case our_end.BROKEN_ANSWER:
                return last[:-1] + bytes((last[-1] ^ 1,))
            case our_end.SLOW_ANSWER:
                self._end.pause()
            case our_end.DOUBLED:
                return last + whole
            case our_end.NOISE:
                return _GARBAGE + last
            case our_end.CROSSED_ANSWER:
                return (before or b"") + last
            case our_end.STRANGERS_ANSWER:
                self._is_gone = True
                return before or b""
        return last


class _AsLine:
    """A connection to a host, as a line."""

    def __init__(self, connection: "Connection") -> None:
        self.write = connection.send
        self.read = connection.receive
        self.close = connection.close


class Connection(Protocol):
    """An open connection, in the words of the direct driver."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def receive(self, wait_s: float) -> bytes:
        """Return what has arrived, empty when nothing came in time."""

    def close(self) -> None:
        """Give the line back. Never fails."""


class DisturbedConnection:
    """The same for a connection to a host. Fits `direct.line.Connection`."""

    def __init__(
        self, connection: Connection, end: OurEnd, peek: Peek, ear: Ear, lost: Callable[[], Exception]
    ) -> None:
        line = DisturbedLine(_AsLine(connection), end, peek, ear, lost)
        self.send = line.write
        self.receive = line.read
        self.close = line.close
