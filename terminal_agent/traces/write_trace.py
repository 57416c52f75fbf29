"""How does what passes on a link come into a file? Off unless asked, and never at the link's expense.

One JSON line for each thing that passed. A file that is full, or a disk that is, ends the recording and
nothing else.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from terminal_agent import system
from terminal_agent.checkout.ports import Clock
from terminal_agent.traces.mask_frames import Mask

MOST_BYTES = 32 << 20

Log = Callable[..., None]


class Passed(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of a trace. `frame` is masked, in hex; of what could not be read there is only a `size`."""

    at_ms: int
    link: str
    kind: str
    dialect: str
    way: str
    connection: int
    frame: str = ""
    size: int = 0
    said: str = ""


class TraceFile:
    """Takes lines until it is full. Never raises."""

    def __init__(self, path: Path, clock: Clock, log: Log, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._clock = clock
        self._log = log
        self._most = most_bytes
        self._lock = system.new_lock()
        self._file: int | None = None
        self._size = 0
        self._ended = False

    def write(self, passed: Passed) -> None:
        """Add a line."""
        line = msgspec.json.encode(passed) + b"\n"
        with self._lock:
            if self._ended:
                return
            try:
                self._append(line)
            except OSError as wrong:
                self._end(str(wrong.strerror))

    def _append(self, line: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._file).st_size
            self._log("trace.recording", file=str(self._path))
        if self._size + len(line) > self._most:
            self._end("it is full")
            return
        os.write(self._file, line)
        self._size += len(line)

    def _end(self, why: str) -> None:
        self._ended = True
        self._log("trace.ended", file=str(self._path), why=why)
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Note:
    """Notes what passes on one link. `link`, `kind` and `dialect` stand in every line."""

    def __init__(self, file: TraceFile, clock: Clock, link: str, kind: str, dialect: str, mask: Mask) -> None:
        self._file = file
        self._clock = clock
        self._place = (link, kind, dialect)
        self._mask = mask

    def frame(self, way: str, connection: int, content: bytes) -> None:
        """Note a frame, masked."""
        masked = self._mask(content)
        if masked is None:
            self._write(way, connection, size=len(content))
        else:
            self._write(way, connection, frame=masked.hex())

    def unread(self, way: str, connection: int, size: int) -> None:
        """Note that so many bytes passed which nobody could read."""
        self._write(way, connection, size=size)

    def said(self, way: str, connection: int, what: str) -> None:
        """Note a word of ours about the link, such as ACK or opened."""
        self._write(way, connection, said=what)

    def _write(self, way: str, connection: int, frame: str = "", size: int = 0, said: str = "") -> None:
        link, kind, dialect = self._place
        at_ms = self._clock.wall_ms()
        self._file.write(Passed(at_ms, link, kind, dialect, way, connection, frame, size, said))


Recorder = Callable[[str, str, Mask], Note]
"""Begin to note what passes on one link: (kind, dialect, what masks it)."""
