"""What has been tried, with which seed, on which code, and what came of it? Lines in a file that grows."""

import contextlib
import datetime
import fcntl
import functools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
from power.shipped import ROOT

BROKEN_OFF = "broken off"
"""The point of a piece that came to no end."""


class Tried(msgspec.Struct, frozen=True):
    """One piece of work: `count` trials of a kind, drawn from `seed`, at the points that `point` names.

    `code` names what ships that is tried, whatever else the commit holds; `wrong` is empty when everything
    held. `seconds` went by on the clock; `processor_s` are the processor's, whatever else the machine did.
    """

    kind: str
    seed: int
    point: str
    count: int
    wrong: tuple[str, ...]
    saw: dict[str, int]
    seconds: float
    code: str
    commit: str
    at: str
    processor_s: float = 0


class CannotUse(Exception):
    """A ledger cannot be read or written, or another campaign writes it."""


class Ledger:
    """The lines of a file. A piece of work that was cut off is not in it, and is done again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> Iterator[Tried]:
        """Yield what was done, oldest first; a last line that is not whole was never written.

        Raises CannotUse.
        """
        if not self._path.exists():
            return
        try:
            content = self._path.read_bytes()
        except OSError as wrong:
            raise CannotUse(f"{self._path} cannot be read: {wrong.strerror}. Give another") from None
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            if line.endswith(b"\n"):
                try:
                    yield msgspec.json.decode(line, type=Tried)
                except msgspec.MsgspecError as wrong:
                    raise CannotUse(f"{self._path}, line {number}: {wrong}. Take that line out") from None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other campaigns away while this one writes. Raises CannotUse, as when one is at work."""
        with contextlib.ExitStack() as kept:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                fcntl.flock(kept.enter_context(self._path.open("ab")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                why = "another campaign writes it. Wait for its end, or end it"
                raise CannotUse(f"{self._path}: {why}") from None
            except OSError as wrong:
                raise CannotUse(f"{self._path} cannot be written: {wrong.strerror}. Give another") from None
            yield

    def add(self, tried: Tried) -> None:
        """Write a line; it is on the disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            # After a line that was cut off, begin a new one.
            file.seek(0, os.SEEK_END)
            if file.tell() and self._path.read_bytes()[-1:] != b"\n":
                whole = self._path.read_bytes().rfind(b"\n") + 1
                file.truncate(whole)
            file.write(msgspec.json.encode(tried) + b"\n")
            file.flush()
            os.fsync(file.fileno())


@functools.cache
def commit() -> str:
    """Return the commit that is checked out, "" where there is none."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def now() -> str:
    """Return the time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
