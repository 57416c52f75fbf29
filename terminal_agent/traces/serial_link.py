"""How is a serial line written down while it is used? By standing between whoever uses it and the port."""

from terminal_agent.terminals.exchange import Link
from terminal_agent.terminals.framing import Decoder, Frame, Rules
from terminal_agent.terminals.link_serial import OpenLink
from terminal_agent.traces.write_trace import Note

TO_TERMINAL, FROM_TERMINAL = "to_terminal", "from_terminal"


class RecordedLink:
    """A link that notes what passes. Fits `exchange.Link`."""

    def __init__(self, link: Link, note: Note, connection: int, rules: Rules) -> None:
        self._link = link
        self._note = note
        self._connection = connection
        self._decoders = {way: Decoder(rules) for way in (TO_TERMINAL, FROM_TERMINAL)}
        note.said(TO_TERMINAL, connection, "opened")

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        self._look(TO_TERMINAL, data)
        self._link.write(data)

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s` for its first byte; empty if none came."""
        received = self._link.read(wait_s)
        if received:
            self._look(FROM_TERMINAL, received)
        return received

    def close(self) -> None:
        """Give the line back."""
        self._note.said(TO_TERMINAL, self._connection, "closed")
        self._link.close()

    def _look(self, way: str, data: bytes) -> None:
        events = self._decoders[way].feed(data)
        for event in events:
            if isinstance(event, Frame):
                self._note.frame(way, self._connection, event.data)
            else:
                self._note.said(way, self._connection, event.value)
        if not events:
            self._note.unread(way, self._connection, len(data))


def recorded(open_link: OpenLink, note: Note, rules: Rules) -> OpenLink:
    """Return what opens the line and notes what passes on it."""
    count = 0

    def open_one() -> Link:
        nonlocal count
        count += 1
        return RecordedLink(open_link(), note, count, rules)

    return open_one
