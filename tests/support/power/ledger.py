"""What has been tried, with which seed, on which code, and what came of it? Lines in a file that grows."""

import datetime
import fcntl
import functools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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


class InUse(Exception):
    """Another campaign writes this ledger."""


class Ledger:
    """The lines of a file. A piece of work that was cut off is not in it, and is done again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> Iterator[Tried]:
        """Yield what was done, oldest first; a last line that is not whole was never written."""
        if self._path.exists():
            for line in self._path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    yield msgspec.json.decode(line, type=Tried)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other campaigns away while this one writes. Raises InUse when one is at work."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUse(f"another campaign writes {self._path}: wait for its end, or end it") from None
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
