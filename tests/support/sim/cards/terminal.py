"""What does a world know of a card terminal, of whatever kind it is?

Its acquirer's books are the truth about money. What it does, the shipped emulator decides; how it is
reached, each kind has in a file of its own.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sim.cards.wishes import Wish, Wishes
from sim.scheduler import Process
from sim.threads import Here
from sim.truth import Charge, ms_of
from terminal_agent.emulators.books import Books, Line
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.host_books import HostLine
from terminal_agent.terminals.terminal import Terminal

Note = Callable[[str, str], None]
MERCHANT = "EMU000000000001"
WORK_S = 1.5
PLAIN_FEN = 99_00


class CardTerminal:
    """One terminal with its acquirer."""

    wishes: Wishes
    faults: Faults

    def __init__(self, number: str, kind: str, note: Note) -> None:
        self.number = number
        self.kind = kind
        self.process = Process(number)
        self._note = note

    def configured(self, terminal: Terminal) -> Terminal:
        """Return the terminal of a shop's configuration as this one is to be reached."""
        return terminal

    def arm(self, wish: Wish) -> None:
        """Let something go wrong with what comes next."""
        self.faults.arm(wish)

    def plug_in(self) -> None:
        """Let it be reached again."""
        raise NotImplementedError

    def unplug_for(self, seconds: float) -> None:
        """Let it not be reached for so long."""
        raise NotImplementedError

    def settle(self) -> str:
        """Close the batch, and return which."""
        raise NotImplementedError

    def sell_plainly(self) -> None:
        """Let somebody sell what we have nothing to do with."""
        raise NotImplementedError

    def charges(self) -> Iterator[Charge]:
        """Yield every time that a shopper of ours was charged here."""
        raise NotImplementedError

    def file_lines(self) -> Sequence[Line | HostLine]:
        """Return what its acquirer's file is made of."""
        raise NotImplementedError

    def by_hand(self, document: dict[str, Any]) -> None:
        """Do at the terminal what the till tells the cashier to do there."""
        raise AssertionError(f"nothing is done by hand at a {self.kind} terminal")

    def close(self) -> None:
        """End it, at the end of the world."""
        Here.scheduler.kill(self.process)


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


class WithBooks(CardTerminal):
    """A terminal that is its own acquirer."""

    def __init__(self, number: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(number, kind, note)
        self.books = (LaxBooks if lax else Books)(folder / f"{number}.jsonl", number, MERCHANT)
        self._noted = 0

    def settle(self) -> str:
        return self.books.settle().batch

    def sell_plainly(self) -> None:
        self.books.write("sale", 2, PLAIN_FEN, "", f"N{len(self.books.lines):07d}", "00")

    def charges(self) -> Iterator[Charge]:
        for line in self.books.lines:
            if line.kind == "sale" and line.pay_ref:
                yield Charge(line.pay_ref, line.fen, Books.given_back(self.books, line), ms_of(line.at))

    def file_lines(self) -> Sequence[Line]:
        return self.books.lines

    def close(self) -> None:
        super().close()
        self.books.close()

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
