"""What does the emulated acquirer host know of money that moved at its terminals?

One JSON line per transaction, on disk before the host answers. "sale", "void" and "refund" moved money unless
a later "reversal" names them; "declined" moved none; "settled" closes a terminal's batch. Terminals number
their own transactions: a line is found by terminal, batch and trace.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from terminal_agent.emulators.books import SHANGHAI, BookFile

_BATCHES = 999_999
MONEY = ("sale", "void", "refund")


@dataclass(frozen=True, slots=True)
class HostLine:
    """One transaction. `fen` is what moved, for "declined" what was asked.

    `batch` and `trace` are the terminal's for it, `orig_batch` and `orig_trace` those of the sale that a void
    or refund gives back, and of the transaction that a reversal undoes. `pay_ref` is the order number that
    came in field 57, for what gives money back the sale's; empty when none came. `at` is Shanghai time.
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
    orig_batch: str
    orig_trace: str
    at: str
    code: str


class HostBooks:
    """The host's books, over all its terminals."""

    def __init__(self, path: Path) -> None:
        self._file = BookFile(path, HostLine)

    @property
    def lines(self) -> list[HostLine]:
        """Everything that was booked."""
        return self._file.lines

    @property
    def standing(self) -> list[HostLine]:
        """What moved money and was not reversed, in order: what the settlement file has."""
        return [one for one in self.lines if one.kind in MONEY and not self.is_undone(one)]

    def batch(self, tid: str) -> str:
        """Return the open batch of a terminal."""
        last = next((one for one in reversed(self.lines) if one.tid == tid and one.kind == "settled"), None)
        return "000001" if last is None else f"{int(last.batch) % _BATCHES + 1:06d}"

    def find(self, tid: str, batch: str, trace: str) -> HostLine | None:
        """Return what a terminal's trace stands for, the latest if it came round."""
        there = (one for one in reversed(self.lines) if one.kind in (*MONEY, "declined"))
        return next((one for one in there if (one.tid, one.batch, one.trace) == (tid, batch, trace)), None)

    def find_sale(self, tid: str, batch: str, trace: str) -> HostLine | None:
        """Return a sale that still stands."""
        found = self.find(tid, batch, trace)
        return found if found is not None and found.kind == "sale" and not self.is_undone(found) else None

    def is_undone(self, line: HostLine) -> bool:
        """Whether a reversal names this line."""
        return any(one.kind == "reversal" for one in self._naming(line))

    def given_back(self, sale: HostLine) -> int:
        """Return how many fen of a sale were given back by what still stands."""
        back = (one for one in self._naming(sale) if one.kind in ("void", "refund"))
        return sum(one.fen for one in back if not self.is_undone(one))

    def write(
        self,
        kind: str,
        tid: str,
        mid: str,
        batch: str,
        trace: str,
        fen: int,
        code: str,
        pay_ref: str = "",
        original: tuple[str, str] = ("", ""),
    ) -> HostLine:
        """Put a transaction on disk and return it."""
        no = len(self.lines) + 1
        line = HostLine(
            no=no,
            kind=kind,
            tid=tid,
            mid=mid,
            batch=batch,
            trace=trace,
            rrn=f"{no:012d}",
            auth=f"H{no % 100_000:05d}" if kind in ("sale", "refund", "void") else "",
            fen=fen,
            pay_ref=pay_ref,
            orig_batch=original[0],
            orig_trace=original[1],
            at=datetime.now(SHANGHAI).isoformat(timespec="seconds"),
            code=code,
        )
        self._file.append(line)
        return line

    def is_settled(self, tid: str, batch: str) -> bool:
        """Whether a batch of a terminal is closed."""
        return self._end_of(tid, batch) is not None

    def totals(self, tid: str, batch: str) -> tuple[int, int, int, int]:
        """Return (fen, count) of sales and (fen, count) of what went back, in a batch up to its end."""
        end = self._end_of(tid, batch) or len(self.lines) + 1
        own = [one for one in self.standing if (one.tid, one.batch) == (tid, batch) and one.no < end]
        sales = [one.fen for one in own if one.kind == "sale"]
        back = [one.fen for one in own if one.kind != "sale"]
        return sum(sales), len(sales), sum(back), len(back)

    def settle(self, tid: str, mid: str) -> HostLine:
        """Close a terminal's batch: what is in it can be neither voided nor reversed any more."""
        batch = self.batch(tid)
        sold, _, back, _ = self.totals(tid, batch)
        return self.write("settled", tid, mid, batch, "", sold - back, "00")

    def close(self) -> None:
        """Give the file free."""
        self._file.close()

    def _end_of(self, tid: str, batch: str) -> int | None:
        """Return the number of the line that closed a batch, None while it is open."""
        ends = (one for one in reversed(self.lines) if one.kind == "settled")
        return next((one.no for one in ends if (one.tid, one.batch) == (tid, batch)), None)

    def _naming(self, line: HostLine) -> Iterator[HostLine]:
        """Yield what names this very line as its original, and not another of the same number."""
        for one in self.lines[line.no :]:
            names = (one.tid, one.orig_batch, one.orig_trace) == (line.tid, line.batch, line.trace)
            if names and (one.kind == "reversal" or line.kind == "sale"):
                yield one
