"""How do rows come from the database and go back, a batch at a time?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, select

from settlement.db import tables
from settlement.db.connection import driver_errors
from settlement.people.agreed import PeopleChanged
from settlement.people.carry_out import carry_out
from settlement.writer.batch import Every, Rows, Wanted
from settlement.writer.bulk import Into, Turn, Values, bulk_on, into
from settlement.writer.columns import COLUMNS
from settlement.writer.event_chain import GENESIS, event_hash
from settlement.writer.rows import Key, Row
from settlement.writer.step import Happened, MoneyEvent

EVENTS = Into("event", ("event_no", "at_ms", "kind", "body", "record_id", "hash"), "nnttTt")
POSTINGS = Into(
    "posting",
    ("event_no", "line", "happening", "funder", "account", "year", "fen", "pool"),
    "nntttnnt",
)


def take_turn(connection: Connection, wanted: Iterable[Wanted], rows: Rows) -> Turn | None:
    """Take the row of `writer`, load what `wanted` asks for by key, and return the turn; None on closed ones.

    What is in `rows` counts only if the turn follows the one in which it was loaded.
    """
    asked = _by_kind(one for one in wanted if not isinstance(one, Every))
    with driver_errors(connection):
        turn, found = bulk_on(connection).take_turn(asked)
        _note(found, asked, rows)
    return turn


def load(connection: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
    """Load what `wanted` asks for and `rows` does not have yet."""
    missing = [one for one in wanted if not rows.has(one)]
    if not missing:
        return
    with driver_errors(connection):
        bulk = bulk_on(connection)
        for one in missing:
            if isinstance(one, Every):
                for row in bulk.every(one):
                    rows.loaded_row(row)
                rows.loaded_every(one)
        asked = _by_kind(one for one in missing if not isinstance(one, Every))
        _note(bulk.get(asked), asked, rows)


@contextmanager
def at_once(connection: Connection) -> Iterator[None]:
    """Let what is written within, and the commit, go to the database together; errors come last."""
    with driver_errors(connection), bulk_on(connection).at_once():
        yield


def _by_kind(keys: Iterable[Key]) -> dict[type[Row], list[tuple[Any, ...]]]:
    found: dict[type[Row], dict[tuple[Any, ...], None]] = {}
    for kind, key in keys:
        found.setdefault(kind, {})[key] = None
    return {kind: list(each) for kind, each in found.items()}


def _note(found: Iterable[Row], asked: Mapping[type[Row], Iterable[tuple[Any, ...]]], rows: Rows) -> None:
    for row in found:
        rows.loaded_row(row)
    for kind, keys in asked.items():
        rows.loaded_none(kind, keys)


def read_where(connection: Connection, kind: type[Row], *conditions: Any) -> list[Row]:
    """Return the rows of a kind that meet `conditions`, in order of their key."""
    columns = COLUMNS[kind]
    c = columns.table.c
    query = (
        select(*(c[name] for name in columns.names))
        .where(and_(True, *conditions))
        .order_by(*(c[name] for name in columns.key))
    )
    return [columns.of_values(found) for found in connection.execute(query)]


def write(connection: Connection, rows: Rows, happened: Sequence[Happened]) -> None:
    """Write the changed rows, the events and their postings, and what is other about people."""
    events: list[tuple[Any, ...]] = []
    posted: list[tuple[Any, ...]] = []
    if happened:
        know_last_event(connection, rows)
    number, head = rows.last_event or (0, GENESIS)
    for one in happened:
        event, number = one.event, number + 1
        kind, record_id = str(event.__struct_config__.tag), event.about()
        body = msgspec.json.encode(event).decode()
        head = event_hash(head, number, one.at_ms, kind, body, record_id)
        events.append((number, one.at_ms, kind, body, record_id, head))
        posted += values_of_postings(number, one)
    if events:
        rows.last_event = number, head
    put_batch(connection, rows, events, posted)
    for one in happened:
        if isinstance(one.event, PeopleChanged):
            carry_out(connection, one.event)


def put_batch(connection: Connection, rows: Rows, events: Values, posted: Values) -> None:
    """Put the changed rows, then events and postings as the values of their columns."""
    rounds: list[list[tuple[Into, Values]]] = []
    for changed in rows.changed():
        rounds.append(
            [
                (into(kind, is_new), [*map(COLUMNS[kind].to_values, found)])
                for kind, is_new, found in changed.parts()
            ]
        )
    log = [(one, values) for one, values in ((EVENTS, events), (POSTINGS, posted)) if values]
    if log:
        rounds = rounds or [[]]
        rounds[-1] += log
    with driver_errors(connection):
        bulk = bulk_on(connection)
        for together in rounds:
            bulk.put(together)


def values_of_postings(event_no: int, happened: Happened) -> Values:
    """Return what an event has posted, as the values of its columns."""
    if not happened.postings:
        return ()
    assert isinstance(happened.event, MoneyEvent)
    happening = happened.event.booking.happening
    return [
        (event_no, line, happening, each.funder, each.account, each.year, each.fen, each.pool)
        for line, each in enumerate(happened.postings)
    ]


def know_last_event(connection: Connection, rows: Rows) -> None:
    """Look up which event is the newest, unless it is known: the next ones follow it."""
    if rows.last_event is not None:
        return
    c = tables.event.c
    found = connection.execute(select(c.event_no, c.hash).order_by(c.event_no.desc()).limit(1)).first()
    rows.last_event = (0, GENESIS) if found is None else (found.event_no, found.hash)
