"""How is a terminal's batch closed, and what becomes of a closing whose answer was lost?

That a batch is being closed is on disk before its host is asked. While nobody has heard how that ended, the
next closing asks about it first: the host may have closed it, and counted otherwise than we.
"""

from typing import Protocol

from terminal_agent.checkout.sale import Sale
from terminal_agent.terminals.direct.driver import DirectTerminal, Settled
from terminal_agent.terminals.direct.messages import MOST_COUNTED, Totals


class NotConfirmed(Exception):
    """The host is not there, gave no answer that can be believed, or refuses. Says what to do."""


class BatchBooks(Protocol):
    """What is kept of batches, durably."""

    def moved_in_batch(self, terminal_no: str, batch: str, merchant_no: str) -> tuple[int, int, int, int]:
        """Return (fen, count) of the sales of a merchant's batch, and (fen, count) of what went back."""

    def untold_closings(self, terminal_no: str) -> tuple[str, ...]:
        """Return the batches whose closing was begun and not told, the oldest first."""

    def begin_closing(self, terminal_no: str, batch: str) -> None:
        """Keep that a batch is being closed."""


class OpenBooks(Protocol):
    """What is still open at a terminal."""

    def sale(self, record_id: str) -> Sale | None:
        """Return a sale."""

    def open_attempts(self, terminal_no: str) -> list[tuple[str, int]]:
        """Return (record_id, number) of the attempts that are open."""

    def open_returns(self, terminal_no: str) -> list[str]:
        """Return the sales whose return is open."""


def may_still_move(terminal_no: str, payment: DirectTerminal, books: OpenBooks) -> bool:
    """Whether money of the open batch may still move.

    What another merchant's profile has left open is in no batch of this one, and stays open under it.
    """
    marks = []
    for record_id, no in books.open_attempts(terminal_no):
        sale = books.sale(record_id)
        assert sale is not None
        attempt = sale.attempt(no)
        marks.append((attempt.mark, attempt.back_mark))
    for record_id in books.open_returns(terminal_no):
        sale = books.sale(record_id)
        assert sale is not None
        assert sale.paid_attempt is not None
        marks.append((sale.paid_attempt.mark, sale.returns[-1].mark))
    return not all(any(payment.leaves_alone(mark) for mark in pair) for pair in marks)


def close_batches(
    terminal_no: str, payment: DirectTerminal, books: BatchBooks, *, dry_run: bool = False
) -> tuple[Settled, ...]:
    """Close the open batch, and return how every closing that nobody has heard of ended; its own comes last.

    A batch of more than a settlement can say is not asked about, which only its acquirer can close.
    With `dry_run` only count. Whoever has told a person says so with `closing_told`. Raises NotConfirmed, and
    then nothing counts as told.
    """
    is_open = payment.open_batch()
    if is_open is None:
        raise NotConfirmed(f"The host of {terminal_no} is not there. Try again")
    earlier = [one for one in books.untold_closings(terminal_no) if one != is_open]
    found = []
    for batch in (*earlier, is_open):
        ours = Totals(*books.moved_in_batch(terminal_no, batch, payment.merchant_no))
        if dry_run:
            found.append(Settled(batch, ours, None, balanced=False))
            continue
        if not ours.can_be_said:
            if batch == is_open:
                raise NotConfirmed(_too_full(terminal_no, batch, ours))
            found.append(Settled(batch, ours, None, balanced=False))
            continue
        books.begin_closing(terminal_no, batch)
        settled = payment.close(batch, ours)
        if settled is None:
            raise NotConfirmed(f"The host of {terminal_no} did not confirm batch {batch}. Try again")
        if batch == is_open and settled.code != "00":
            raise NotConfirmed(
                f"The host of {terminal_no} refuses to close batch {batch} (code {settled.code}). Try again, "
                "or ask the acquirer"
            )
        found.append(settled)
    return tuple(found)


def _too_full(terminal_no: str, batch: str, ours: Totals) -> str:
    return (
        f"Batch {batch} of {terminal_no} has {ours.sales} sales and {ours.backs} given back, and a "
        f"settlement can say {MOST_COUNTED} of each: the host was not asked. Have the acquirer close the "
        "batch at the host"
    )


def words_on(settled: Settled) -> str:
    """Return a line on a batch for the person at the command line."""
    ours, theirs = settled.ours, settled.theirs
    text = (
        f"batch {settled.batch}: {ours.sales} sales of {ours.sold_fen} fen, "
        f"{ours.backs} given back of {ours.back_fen} fen"
    )
    if not ours.can_be_said:
        return (
            f"{text}, more than the {MOST_COUNTED} that a settlement can say: the host was not asked. "
            "Compare it with the acquirer's file of that day"
        )
    if settled.code == "":
        return text
    if theirs is None:
        return (
            f"{text}; the host does not say what it came to there (code {settled.code}): compare it with the "
            "acquirer's file of that day"
        )
    if settled.balanced:
        return f"{text}, closed"
    return (
        f"{text}, closed; the host has {theirs.sales} sales of {theirs.sold_fen} fen, {theirs.backs} given "
        f"back of {theirs.back_fen} fen: the night says which"
    )
