"""How does a serial line to an emulated card terminal behave, in each way of writing on it?

Stands for pyserial's port: what is written reaches the terminal at once, what the terminal says can be
read. The terminal is the shipped emulator with its own books; a plug can be pulled, and an answer stays in
the cable.
"""

from pathlib import Path
from typing import Any

from sim.cards import wishes
from sim.cards.terminal import MERCHANT, WORK_S, Note, WithBooks
from sim.threads import Here, threading, time
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.run_terminal import SERIAL_KINDS
from terminal_agent.emulators.terminal import Terminal


class Cable(WithBooks):
    """One terminal on its line, with its acquirer."""

    wishes = wishes.SERIAL

    def __init__(self, terminal_no: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(terminal_no, kind, folder, note, lax=lax)
        spoken = SERIAL_KINDS[kind]
        self.faults = Faults()
        self.plugged = True
        self.taken_by: Any = None
        self._received = bytearray()
        self._told = threading.Condition()
        self._listener = spoken.new_listener()
        self._terminal = Terminal(
            terminal_no,
            MERCHANT,
            self.books,
            self.faults,
            self._say,
            self,
            self._later,
            WORK_S,
            spoken,
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
