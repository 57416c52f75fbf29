"""What does the emulated acquirer know of money that moved, and how are an emulator's books kept?

One JSON line per transaction, on disk before the terminal answers. The kinds "sale" and "void" moved money
and nothing else did; "declined" stands there because it is a terminal's last transaction too. From
this file a terminal that was switched off knows its trace number and its last transaction again.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

SHANGHAI = timezone(timedelta(hours=8))
_TRACES = 999_999
BATCH = "000001"


class BooksUnusable(Exception):
    """The file of books cannot be used. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction. `fen` is what moved; for "declined", what was asked.

    `type` is the transaction type (2 sale, 3 void), `code` and `nonce` are what the terminal was told and
    said. `orig_trace` is the sale's trace for a void, else empty. `at` is Shanghai time.
    """

    no: int
    kind: str
    tid: str
    mid: str
    batch: str
    trace: str
    rrn: str
    auth: str
    fen: int
    pay_ref: str
    orig_trace: str
    at: str
    type: int
    code: str
    nonce: str


class Numbered(Protocol):
    """A line of books: a dataclass of plain values, numbered from 1."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def no(self) -> int:
        """Which line it is."""


_Line = TypeVar("_Line", bound=Numbered)


class BookFile(Generic[_Line]):
    """Lines in one file, each on disk when `append` returns, held by one emulator at a time."""

    def __init__(self, path: Path, line_type: type[_Line]) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.lines = _read_lines(self._fd, path, line_type)
        except BlockingIOError:
            os.close(self._fd)
            raise BooksUnusable(f"{path} is held by another emulator. Give each its own --books") from None
        except BooksUnusable:
            os.close(self._fd)
            raise

    def append(self, line: _Line) -> None:
        """Put a line on disk."""
        os.write(self._fd, json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self._fd)
        self.lines.append(line)

    def close(self) -> None:
        """Give the file free."""
        os.close(self._fd)


class Books:
    """The acquirer's books."""

    def __init__(self, path: Path, terminal_no: str, merchant_no: str) -> None:
        self._terminal_no = terminal_no
        self._merchant_no = merchant_no
        self._file = BookFile(path, Line)

    @property
    def lines(self) -> list[Line]:
        """Everything that was booked."""
        return self._file.lines

    @property
    def last(self) -> Line | None:
        """The last transaction of this terminal."""
        return next((one for one in reversed(self.lines) if one.tid == self._terminal_no), None)

    def find_sale(self, trace: str) -> Line | None:
        """Return the sale of this terminal's batch with that trace."""
        own = (one for one in reversed(self.lines) if one.tid == self._terminal_no and one.batch == BATCH)
        return next((one for one in own if one.kind == "sale" and one.trace == trace), None)

    def is_voided(self, sale: Line) -> bool:
        """Whether `sale` was given back whole."""
        later = self.lines[sale.no :]
        return any(
            one.kind == "void" and one.tid == sale.tid and one.orig_trace == sale.trace for one in later
        )

    def write(
        self, kind: str, type_: int, fen: int, pay_ref: str, nonce: str, code: str, orig_trace: str = ""
    ) -> Line:
        """Put a transaction on disk under the next trace and return it."""
        no = len(self.lines) + 1
        line = Line(
            no=no,
            kind=kind,
            tid=self._terminal_no,
            mid=self._merchant_no,
            batch=BATCH,
            trace=self._next_trace(),
            rrn=f"{no:012d}",
            auth="" if kind == "declined" else f"E{no % 100_000:05d}",
            fen=fen,
            pay_ref=pay_ref,
            orig_trace=orig_trace,
            at=datetime.now(SHANGHAI).isoformat(timespec="seconds"),
            type=type_,
            code=code,
            nonce=nonce,
        )
        self._file.append(line)
        return line

    def close(self) -> None:
        """Give the file free."""
        self._file.close()

    def _next_trace(self) -> str:
        last = self.last
        return f"{1 if last is None else int(last.trace) % _TRACES + 1:06d}"


def _read_lines(fd: int, path: Path, line_type: type[_Line]) -> list[_Line]:
    with open(fd, "rb", closefd=False) as file:
        content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        # A power cut in the middle of a line: it was never answered, so it never happened.
        os.ftruncate(fd, whole)
    lines: list[_Line] = []
    for no, text in enumerate(content[:whole].splitlines(), start=1):
        line: _Line | None
        try:
            line = line_type(**json.loads(text))
        except (ValueError, TypeError):
            line = None
        if (
            line is None
            or line.no != no
            or any(type(getattr(line, f.name)) is not f.type for f in fields(line_type))
        ):
            raise BooksUnusable(f"{path}, line {no} is not a line of books. Move the file away")
        lines.append(line)
    return lines
