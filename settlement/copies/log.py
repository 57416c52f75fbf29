"""Is the log whole, and what follows from it?

Every event is read in its order, held against the chain of hashes, folded and booked by the code that the
writer uses, and what it books is held against what was posted.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from settlement.copies.books import LOG, POSTINGS, in_order
from settlement.copies.rows_on_demand import RowsOnDemand
from settlement.ledger.post import Overdrawn
from settlement.writer import store
from settlement.writer.bulk import Values
from settlement.writer.event_chain import GENESIS, event_hash
from settlement.writer.events import EventUnreadable, happen, read_event
from settlement.writer.rows import Row

MOST_TOLD = 10


class Folded(msgspec.Struct, frozen=True):
    """How many events were read, the hash of the last one, and what is wrong with the log.

    `is_whole` is false when an event could not be read or have happened: nothing after it was folded.
    """

    events: int
    head: str
    faults: tuple[str, ...]
    is_whole: bool


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event as it is stored."""

    event_no: int
    at_ms: int
    kind: str
    body: str
    record_id: str | None
    hash: str


def fold_log(
    source: Connection, target: Connection, keep_postings: bool, shared: frozenset[type[Row]] = frozenset()
) -> Folded:
    """Fold the events of `source` into the tables of `target`, which hold what events find and nothing else.

    The log itself stays where it is; its postings, made anew, go into `target` when they are kept. `shared`
    are the kinds of rows that lie in registers.
    """
    rows, posted = RowsOnDemand(target, shared), _Posted(source)
    faults: list[str] = []
    last, head, whole = 0, GENESIS, True
    try:
        for few in _logged(source):
            values: list[tuple[Any, ...]] = []
            for one in few:
                faults += _chain_faults(last, head, one)
                last, head = one.event_no, one.hash
                made = _fold(rows, one, faults)
                faults += posted.differs(last, made)
                values += made if keep_postings else ()
            store.put_batch(target, rows, (), values)
            rows.written()
        faults += posted.rest()
    except _Stop as wrong:
        faults.append(str(wrong))
        whole = False
    return Folded(last, head, tuple(faults[:MOST_TOLD]), whole)


def head_at(source: Connection, event_no: int) -> str | None:
    """Return the hash of an event, GENESIS before the first, None when there is no such event."""
    if event_no == 0:
        return GENESIS
    return source.execute(select(LOG.c.hash).where(LOG.c.event_no == event_no)).scalar_one_or_none()


class _Stop(Exception):
    """An event after which nothing can follow."""


def _logged(source: Connection) -> Iterator[list[LoggedEvent]]:
    for few in in_order(source, LOG):
        yield [LoggedEvent(*one) for one in few]


def _chain_faults(last: int, head: str, one: LoggedEvent) -> Iterator[str]:
    if one.event_no != last + 1:
        yield f"what stands before event {one.event_no} is missing: event {last + 1} is not there"
    elif event_hash(head, one.event_no, one.at_ms, one.kind, one.body, one.record_id) != one.hash:
        yield (
            f"event {one.event_no} ({one.kind}) is not what was written there: it was edited, put in or moved"
        )


def _fold(rows: RowsOnDemand, one: LoggedEvent, faults: list[str]) -> Values:
    named = f"event {one.event_no} ({one.kind})"
    try:
        event = read_event(one.body)
    except EventUnreadable as wrong:
        raise _Stop(f"{named} cannot be read: {wrong}") from None
    if (one.kind, one.record_id) != (event.__struct_config__.tag, event.about()):
        faults.append(f"{named} is stored as another kind, or of another record, than it says")
    try:
        return store.values_of_postings(one.event_no, happen(event, rows, one.at_ms))
    except (AssertionError, Overdrawn) as wrong:
        raise _Stop(
            f"{named} cannot have happened then: {str(wrong) or 'its rows stood otherwise'}"
        ) from None


class _Posted:
    """What was posted, event by event."""

    def __init__(self, source: Connection) -> None:
        self._left = chain.from_iterable(in_order(source, POSTINGS))
        self._next = next(self._left, None)

    def differs(self, event_no: int, made: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """Yield a sentence when something else was posted for an event than it makes."""
        found = []
        while self._next is not None and self._next[0] <= event_no:
            found.append(self._next)
            self._next = next(self._left, None)
        if found != list(made):
            yield f"posting {event_no}: what was posted is not what the event posts"

    def rest(self) -> Iterator[str]:
        """Yield a sentence when more was posted than there are events."""
        if self._next is not None:
            yield f"posting {self._next[0]}: there is no such event"
