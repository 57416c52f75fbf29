"""What has been tried, with which seed, on which code, and what came of it? Lines in a file that grows."""

import datetime
import functools
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[3]
_SHIPPED = ("subsidy", "terminal_agent", "settlement", "catalog_sync", "setup.cfg")


class Tried(msgspec.Struct, frozen=True):
    """One piece of work: `count` trials of a kind, drawn from `seed`, at the points that `point` names.

    `code` names what ships, whatever else the commit holds; `wrong` is empty when everything held.
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
def code() -> str:
    """Return a name for the code that ships, as it lies in the folder."""
    seen = hashlib.sha256()
    for name in _SHIPPED:
        place = ROOT / name
        files = (
            [place] if place.is_file() else sorted(one for one in place.rglob("*.*") if one.suffix != ".pyc")
        )
        for file in files:
            if file.is_file():
                seen.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return seen.hexdigest()[:10]


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
