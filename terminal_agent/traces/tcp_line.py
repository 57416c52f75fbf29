"""How is a line over TCP, or a call of a client, written down while it is used? By standing before it.

What it notes are frames as the driver would cut them, and words: opened, lost, closed. What was no frame when
the line was closed is noted by its size.
"""

from collections.abc import Callable, Iterable

from terminal_agent.iso8583.dialect import Dialect
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import FrameReader
from terminal_agent.terminals.direct.line import Connection, Dial, LineLost, NoLine
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.link_serial import OpenLink
from terminal_agent.terminals.mis_call import Call
from terminal_agent.terminals.nexo_messages import Decoder, NexoFault
from terminal_agent.traces.serial_link import FROM_TERMINAL, TO_TERMINAL
from terminal_agent.traces.write_trace import Note

TO_ACQUIRER = "to_acquirer"
_OPENED, _CLOSED, _LOST, _NO_LINE, _NO_ANSWER = "opened", "closed", "lost", "no connection", "no answer"

Cut = Callable[[bytes], Iterable[bytes]]
"""Return the frames that some bytes complete. Raises NexoFault or Iso8583Fault when no more can be cut."""


class _Passing:
    """What passes one way on one connection."""

    def __init__(self, note: Note, way: str, connection: int, cut: Cut) -> None:
        self._note = note
        self._place = (way, connection)
        self._cut = cut
        self._is_lost = False
        self._held = 0

    def look(self, data: bytes) -> None:
        """Note the frames that `data` completes."""
        if self._is_lost:
            self._note.unread(*self._place, len(data))
            return
        self._held += len(data)
        try:
            for frame in self._cut(data):
                self._note.frame(*self._place, frame)
                self._held = 0  # of what begins the next one in the same bytes the size is not kept
        except (NexoFault, Iso8583Fault):
            self._is_lost = True
            self.end()

    def end(self) -> None:
        """Note the size of what was no frame."""
        if self._held:
            self._note.unread(*self._place, self._held)
            self._held = 0


class _Tap:
    """Both ways of one connection."""

    def __init__(self, note: Note, connection: int, to_far: str, new_cut: Callable[[], Cut]) -> None:
        self.sent = _Passing(note, to_far, connection, new_cut())
        self.received = _Passing(
            note, FROM_TERMINAL if to_far == TO_TERMINAL else TO_TERMINAL, connection, new_cut()
        )
        self._said = (note, to_far, connection)
        self.say(_OPENED)

    def say(self, what: str) -> None:
        """Note a word about the connection."""
        note, way, connection = self._said
        note.said(way, connection, what)

    def close(self) -> None:
        """Note its end."""
        self.sent.end()
        self.received.end()
        self.say(_CLOSED)


class RecordedTcpLink:
    """A terminal on the network whose line is noted. Fits `exchange.Link`."""

    def __init__(self, link: Link, tap: _Tap) -> None:
        self._link = link
        self._tap = tap

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        self._tap.sent.look(data)
        try:
            self._link.write(data)
        except LinkFault:
            self._tap.say(_LOST)
            raise

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s`; empty if nothing came."""
        try:
            received = self._link.read(wait_s)
        except LinkFault:
            self._tap.say(_LOST)
            raise
        if received:
            self._tap.received.look(received)
        return received

    def close(self) -> None:
        """Close the connection."""
        self._tap.close()
        self._link.close()


class RecordedConnection:
    """A line to an acquirer's host that is noted. Fits `direct.line.Connection`."""

    def __init__(self, connection: Connection, tap: _Tap) -> None:
        self._connection = connection
        self._tap = tap

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._tap.sent.look(data)
        try:
            self._connection.send(data)
        except (NoLine, LineLost):
            self._tap.say(_LOST)
            raise

    def receive(self, wait_s: float) -> bytes:
        """Return what has arrived, empty when nothing came within `wait_s`."""
        try:
            received = self._connection.receive(wait_s)
        except LineLost:
            self._tap.say(_LOST)
            raise
        if received:
            self._tap.received.look(received)
        return received

    def close(self) -> None:
        """Give the line back."""
        self._tap.close()
        self._connection.close()


def recorded_nexo(open_link: OpenLink, note: Note) -> OpenLink:
    """Return what connects to a nexo terminal and notes what passes."""
    count = 0

    def open_one() -> Link:
        nonlocal count
        count += 1
        try:
            link = open_link()
        except LinkFault:
            note.said(TO_TERMINAL, count, _NO_LINE)
            raise
        return RecordedTcpLink(link, _Tap(note, count, TO_TERMINAL, lambda: Decoder().feed))

    return open_one


def recorded_dial(dial: Dial, note: Note, dialect: Dialect) -> Dial:
    """Return what opens a line to the acquirer's host and notes what passes."""
    count = 0

    def dial_one() -> Connection:
        nonlocal count
        count += 1
        try:
            connection = dial()
        except NoLine:
            note.said(TO_ACQUIRER, count, _NO_LINE)
            raise
        new_cut = lambda: FrameReader(dialect.frame).feed  # noqa: E731
        return RecordedConnection(connection, _Tap(note, count, TO_ACQUIRER, new_cut))

    return dial_one


def recorded_call(call: Call, note: Note) -> Call:
    """Return what calls a MIS client and notes request and answer."""
    count = 0

    def call_once(request: bytes, wait_s: float) -> bytes:
        nonlocal count
        count += 1
        note.frame(TO_TERMINAL, count, request)
        try:
            answer = call(request, wait_s)
        except LinkFault:
            note.said(FROM_TERMINAL, count, _NO_ANSWER)
            raise
        note.frame(FROM_TERMINAL, count, answer)
        return answer

    return call_once
