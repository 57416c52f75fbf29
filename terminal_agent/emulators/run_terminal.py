"""How is an emulated terminal put together, started and stopped?"""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from terminal_agent.emulators.acquirer_file import read_date, settlement_file
from terminal_agent.emulators.books import Books
from terminal_agent.emulators.control import Body, Control, Route, Text, read_lines, read_nothing, read_unplug
from terminal_agent.emulators.faults import KNOWN, Faults, Kind, read_wish
from terminal_agent.emulators.loop import Loop
from terminal_agent.emulators.pty_link import PtyLink
from terminal_agent.emulators.terminal import Terminal
from terminal_agent.emulators.wire import TAGGED, Hears, Wire
from terminal_agent.emulators.wire_separated import CHECKED, SEPARATED

SERIAL_KINDS: Mapping[str, Wire] = {"allinpay": TAGGED, "separated": SEPARATED, "separated_7f": CHECKED}
"""Ways of writing on a serial line, by the name on the command line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line said."""

    link: Path
    books: Path
    control_port: int
    terminal_no: str
    merchant_no: str
    work_ms: int
    faults: Sequence[str]
    transcript: Path | None
    kind: str = "allinpay"
    certificate: Path | None = None
    clients: Path | None = None


class Line:
    """The terminal's end of the cable, with its transcript."""

    def __init__(self, link: PtyLink, loop: Loop, transcript: IO[str] | None, listener: Hears) -> None:
        self._link = link
        self._loop = loop
        self._transcript = transcript
        self._listener = listener

    def write(self, data: bytes) -> None:
        """Send to the till."""
        self._note("terminal", data)
        self._link.write(data)

    def read(self) -> list[tuple[str, bytes]]:
        """Return what the till has sent, in frames."""
        received = self._link.read()
        if received:
            self._note("till", received)
        return self._listener.hear(received, time.monotonic())

    def unplug_for(self, seconds: float) -> None:
        """Pull the cable, and push it back in after so long."""
        if self._link.is_plugged_in:
            self._link.unplug()
            self._loop.later(seconds, self._link.plug_in)

    def _note(self, sender: str, data: bytes) -> None:
        if self._transcript is not None:
            note = {"at_ms": time.time_ns() // 1_000_000, "from": sender, "hex": data.hex()}
            self._transcript.write(json.dumps(note) + "\n")
            self._transcript.flush()


def run_terminal(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FaultRefused, BooksUnusable or OSError before it is ready."""
    faults = Faults()
    for wish in settings.faults:
        faults.arm(read_wish(wish))
    with ExitStack() as stack:
        books = Books(settings.books, settings.terminal_no, settings.merchant_no)
        stack.callback(books.close)
        transcript = None
        if settings.transcript is not None:
            transcript = stack.enter_context(settings.transcript.open("a", encoding="utf-8"))
        loop = Loop()
        stack.callback(loop.close)
        link = PtyLink(settings.link)
        spoken = SERIAL_KINDS[settings.kind]
        line = Line(link, loop, transcript, spoken.new_listener())
        terminal = Terminal(
            settings.terminal_no,
            settings.merchant_no,
            books,
            faults,
            line.write,
            line,
            loop.later,
            settings.work_ms / 1000,
            spoken,
        )

        def hear() -> None:
            for kind, middle in line.read():
                terminal.hear(kind, middle)

        control = Control(settings.control_port, routes(loop, faults, books, line.unplug_for, KNOWN), KNOWN)
        stack.callback(control.close)
        stack.enter_context(stopped_by_signals(loop))
        stack.callback(link.unplug)
        link.plug_in()
        print(json.dumps({"ready": True, "control": control.address, "link": str(settings.link)}), flush=True)
        loop.run(link, hear)


def routes(
    loop: Loop,
    faults: Faults,
    books: Books,
    unplug_for: Callable[[float], None],
    known: Mapping[str, Kind],
) -> dict[tuple[str, str], Route]:
    """Return what the control address of an emulated terminal answers."""

    def show_faults(_: Body) -> object:
        does = {name: kind.does for name, kind in known.items()}
        return {"faults": loop.ask(faults.show), "known": does}

    def arm(body: Body) -> object:
        loop.ask(lambda: faults.arm(body))
        return {"faults": loop.ask(faults.show)}

    def clear(_: Body) -> object:
        loop.ask(faults.clear)
        return {"faults": []}

    def show_books(query: Body) -> object:
        return loop.ask(lambda: read_lines(query, books.lines))

    def show_file(query: Body) -> object:
        day = read_date(query)
        return Text(loop.ask(lambda: settlement_file(books.lines, day)), "text/csv; charset=utf-8")

    def unplug(body: Body) -> object:
        ms = read_unplug(body)
        loop.ask(lambda: unplug_for(ms / 1000))
        return {"unplugged_ms": ms}

    def settle(body: Body) -> object:
        read_nothing(body)
        closed = loop.ask(books.settle)
        return {"closed": closed.batch, "fen": closed.fen, "open": loop.ask(lambda: books.batch)}

    return {
        ("GET", "/faults"): show_faults,
        ("POST", "/faults"): arm,
        ("DELETE", "/faults"): clear,
        ("GET", "/books"): show_books,
        ("GET", "/file"): show_file,
        ("POST", "/unplug"): unplug,
        ("POST", "/settle"): settle,
    }


@contextmanager
def stopped_by_signals(loop: Loop) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the loop."""
    chosen = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(one, lambda *_: loop.stop()) for one in chosen]
    try:
        yield
    finally:
        for one, handler in zip(chosen, before, strict=True):
            signal.signal(one, handler)
