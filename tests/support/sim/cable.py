"""How does a serial line to an emulated card terminal behave?

Stands for pyserial's port: what is written reaches the terminal at once, what the terminal says can be
read. The terminal is the shipped emulator with its own books; a plug can be pulled, and an answer stays in
the cable.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.scheduler import Process
from sim.threads import Here, threading, time
from terminal_agent.emulators.books import Books, Line
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.terminal import Terminal
from terminal_agent.emulators.wire import Listener

_WORK_S = 1.5


class LaxBooks(Books):
    """The books of an acquirer that refunds what it is asked to, however often.

    A sale that was voided is gone for it as for every other: drivers repeat a void until it is confirmed.
    """

    def given_back(self, sale: Line) -> int:
        """Say what was voided, and nothing of what was refunded."""
        later = (one for one in self.lines[sale.no :] if one.kind == "void")
        return sum(one.fen for one in later if one.orig_trace == sale.trace)

    def find_original(self, trace: str, rrn: str, mmdd: str) -> Line | None:
        """Return the sale as if it had been of much more."""
        found = super().find_original(trace, rrn, mmdd)
        return None if found is None else dataclasses.replace(found, fen=found.fen * 9)

    def is_refunded(self, refund_no: str) -> bool:
        """Say that it was not."""
        return False


class Cable:
    """One terminal on its line, with its acquirer."""

    def __init__(
        self, terminal_no: str, folder: Path, note: Callable[[str, str], None], *, lax: bool
    ) -> None:
        self.process = Process(terminal_no)
        self.books = (LaxBooks if lax else Books)(
            folder / f"{terminal_no}.jsonl", terminal_no, "EMU000000000001"
        )
        self.faults = Faults()
        self.plugged = True
        self.taken_by: Any = None
        self._note = note
        self._received = bytearray()
        self._told = threading.Condition()
        self._listener = Listener()
        self._noted = 0
        self._terminal = Terminal(
            terminal_no, "EMU000000000001", self.books, self.faults, self._say, self, self._later, _WORK_S
        )

    def write(self, data: bytes) -> None:
        """Bring bytes to the terminal."""
        Here.scheduler.step(self.process, "hears", lambda: self._hear(data), len(data) / 960)

    def read(self, wait_s: float) -> bytes:
        """Return what the terminal has said, waiting for its first byte. Raises OSError when unplugged."""
        with self._told:
            deadline = time.monotonic() + wait_s
            while not self._received and self.plugged and (left := deadline - time.monotonic()) > 0:
                self._told.wait(left)
        if not self.plugged:
            raise OSError("unplugged")
        found = bytes(self._received)
        self._received.clear()
        return found

    def clear(self) -> None:
        """Throw away what waits in the line."""
        self._received.clear()

    def unplug_for(self, seconds: float) -> None:
        """Pull the cable, and push it back in after so long."""
        self.plugged = False
        self._note(self.process.name, f"unplugged for {seconds:g} s")
        self._told.notify_all()
        self._later(seconds, self.plug_in)

    def plug_in(self) -> None:
        """Push the cable back in."""
        self.plugged = True

    def _hear(self, data: bytes) -> None:
        if self.plugged:
            for kind, middle in self._listener.hear(data, Here.scheduler.now_ms / 1000):
                self._terminal.hear(kind, middle)
        self._note_books()

    def _say(self, data: bytes) -> None:
        if self.plugged:
            self._received += data
            self._told.notify_all()

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        def go() -> None:
            step()
            self._note_books()

        Here.scheduler.step(self.process, "works", go, seconds)

    def _note_books(self) -> None:
        for line in self.books.lines[self._noted :]:
            self._note(
                line.tid, f"{line.kind} {line.fen} fen, trace {line.trace}, {line.pay_ref} {line.refund_no}"
            )
        self._noted = len(self.books.lines)


class CablesHere:
    """The lines of the world that runs now, by port."""

    cables: dict[str, Cable]


class serial:
    """Stands for pyserial, as far as `link_serial.py` uses it."""

    class Serial:
        """A port."""

        def __init__(self) -> None:
            self.port = ""
            self.timeout: float | None = None
            self.exclusive = False
            self._cable: Cable | None = None

        def open(self) -> None:
            Here.scheduler.check_alive()
            cable = CablesHere.cables[self.port]
            holder = cable.taken_by
            taken = holder is not None and holder.process.alive
            if not cable.plugged or taken:
                raise OSError("not there or in use")
            self.process = Here.scheduler.current.process  # type: ignore[union-attr]
            cable.taken_by = self
            cable.clear()
            self._cable = cable

        def write(self, data: bytes) -> None:
            Here.scheduler.check_alive()
            assert self._cable is not None
            if not self._cable.plugged:
                raise OSError("unplugged")
            Here.at_port("a write to the terminal")
            self._cable.write(data)
            Here.at_port("what is written to the terminal")

        def flush(self) -> None:
            return

        @property
        def in_waiting(self) -> int:
            return 0

        def read(self, count: int) -> bytes:
            if count == 0:
                return b""
            assert self._cable is not None
            found = self._cable.read(self.timeout or 0.0)
            Here.at_port("what the terminal has said")
            return found

        def close(self) -> None:
            if self._cable is not None and self._cable.taken_by is self:
                self._cable.taken_by = None
