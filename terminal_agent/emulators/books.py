"""What does the emulated acquirer know of money that moved, and how are an emulator's books kept?

One JSON line per transaction, on disk before the terminal answers. The kinds "sale", "void" and "refund"
moved money and nothing else did; "declined" stands there because it is a terminal's last transaction too,
and "settled" closes a batch. From this file a terminal that was switched off knows its trace number, its
batch and its last transaction again.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

SHANGHAI = timezone(timedelta(hours=8))
_TRACES = _BATCHES = 999_999
_SETTLE = 14


class BooksUnusable(Exception):
    """The file of books cannot be used. Says why and what to do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction. `fen` is what moved; for "declined", what was asked.

    `type` is the transaction type (2 sale, 3 void, 4 refund), `code` and `nonce` are what the terminal was
    told and said. `orig_trace` is the sale's trace for a void and a refund, else empty. `pay_ref` is the
    order number that the till gave, for a refund the sale's; a refund's own stands in `refund_no`. `at` is
    Shanghai time. A "settled" line names the batch that it closes and has no trace.
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
    refund_no: str = ""


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
        """The last transaction of this terminal. The end of a batch is none."""
        own = (one for one in reversed(self.lines) if one.tid == self._terminal_no)
        return next((one for one in own if one.kind != "settled"), None)

    @property
    def batch(self) -> str:
        """The open batch of this terminal."""
        own = (one for one in reversed(self.lines) if one.tid == self._terminal_no)
        last = next(own, None)
        if last is None:
            return "000001"
        return f"{int(last.batch) % _BATCHES + 1:06d}" if last.kind == "settled" else last.batch

    def find_sale(self, trace: str) -> Line | None:
        """Return the sale of this terminal's open batch with that trace."""
        batch = self.batch
        own = (one for one in reversed(self.lines) if one.tid == self._terminal_no and one.batch == batch)
        return next((one for one in own if one.kind == "sale" and one.trace == trace), None)

    def find_original(self, trace: str, rrn: str, mmdd: str) -> Line | None:
        """Return the sale of this terminal, in any batch, that a refund names by all three."""
        wanted = (self._terminal_no, trace, rrn, mmdd)
        sales = (one for one in self.lines if one.kind == "sale")
        return next((one for one in sales if (one.tid, one.trace, one.rrn, mmdd_of(one)) == wanted), None)

    def given_back(self, sale: Line) -> int:
        """Return how many fen of `sale` were given back, by a void or by refunds."""
        later = self.lines[sale.no :]
        back = (one for one in later if one.kind in ("void", "refund"))
        return sum(one.fen for one in back if (one.tid, one.orig_trace) == (sale.tid, sale.trace))

    def is_refunded(self, refund_no: str) -> bool:
        """Whether something was given back under this number."""
        return any(one.kind == "refund" and one.refund_no == refund_no for one in self.lines)

    def write(
        self,
        kind: str,
        type_: int,
        fen: int,
        pay_ref: str,
        nonce: str,
        code: str,
        orig_trace: str = "",
        refund_no: str = "",
    ) -> Line:
        """Put a transaction on disk under the next trace and return it."""
        no = len(self.lines) + 1
        line = Line(
            no=no,
            kind=kind,
            tid=self._terminal_no,
            mid=self._merchant_no,
            batch=self.batch,
            trace="" if kind == "settled" else self._next_trace(),
            rrn=f"{no:012d}",
            auth="" if kind in ("declined", "settled") else f"E{no % 100_000:05d}",
            fen=fen,
            pay_ref=pay_ref,
            orig_trace=orig_trace,
            at=datetime.now(SHANGHAI).isoformat(timespec="seconds"),
            type=type_,
            code=code,
            nonce=nonce,
            refund_no=refund_no,
        )
        self._file.append(line)
        return line

    def settle(self) -> Line:
        """Close the batch: its sales can no longer be voided, and what comes next is in the next batch.

        The line that is put on disk has the fen of the batch's sales, without what was given back.
        """
        own = [one for one in self.lines if (one.tid, one.batch) == (self._terminal_no, self.batch)]
        sales = sum(one.fen for one in own if one.kind == "sale")
        back = sum(one.fen for one in own if one.kind in ("void", "refund"))
        return self.write("settled", _SETTLE, sales - back, "", "", "00")

    def close(self) -> None:
        """Give the file free."""
        self._file.close()

    def _next_trace(self) -> str:
        last = self.last
        return f"{1 if last is None else int(last.trace) % _TRACES + 1:06d}"


def mmdd_of(line: Line) -> str:
    """Return the day of a line as a terminal writes it, 1231."""
    return line.at[5:7] + line.at[8:10]


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
