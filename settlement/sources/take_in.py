"""How do rows of reference data reach the database, all or nothing, while tills sell?

A file of a city's qualifications takes a minute to read, and whoever has the one write turn lets every till
wait. So it is read, checked and held against the books first, and the turn is taken to write what is other.
Tills may have written in between: what they can change is looked at again then. Everything is, where another
file was taken in.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from settlement.db import tables
from settlement.db.connection import driver_errors, reading, writing
from settlement.db.upsert import upsert
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.bulk import Into, Values, bulk_on, into
from settlement.writer.columns import COLUMNS
from settlement.writer.rows import Row, key_of

_COUNT = "imports"
_AT_ONCE = 500

Puts = Sequence[tuple[Into, Values]]
"""Rows as the values of their columns, by table."""


class Imported(msgspec.Struct, frozen=True):
    """How many rows of one kind a file has brought."""

    kind: str
    new: int
    changed: int
    unchanged: int
    removed: int = 0


class Plan(msgspec.Struct, frozen=True):
    """What a file changes in the books as they were looked at; `terminals` are taken off.

    With `again` it is asked for what is changed once nobody else can write: tills change such rows too.
    """

    done: list[Imported]
    new: Puts = ()
    changed: Puts = ()
    terminals: Sequence[str] = ()
    again: Callable[[Connection], Puts] | None = None

    def is_empty(self) -> bool:
        """Whether the books say all of it already."""
        return not (self.new or self.changed or self.terminals)


Look = Callable[[Connection], Plan]
"""A file that was read: asked what it changes. Raises FileErrors for what the books say against it."""


def take_in(engine: Engine, look: Look, dry_run: bool = False) -> list[Imported]:
    """Take in a file that was read and return what it brought, or would bring.

    Raises FileErrors, FileError; then nothing is loaded.
    """
    with reading(engine) as connection:
        before, plan = _count(connection), look(connection)
    if dry_run or plan.is_empty():
        return plan.done
    with writing(engine) as connection:
        now = _count(connection)
        if now != before:
            plan = look(connection)
        _write(connection, plan)
        put = upsert(connection, tables.meta).values(name=_COUNT, value=str(now + 1))
        connection.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": str(now + 1)}))
    return plan.done


def load_existing(connection: Connection, rows: Sequence[Row]) -> Rows:
    """Return what the database holds under the keys of `rows`."""
    existing = Rows()
    store.load(connection, [key_of(row) for row in rows], existing)
    return existing


def plan_of(kind: str, rows: Sequence[Row], existing: Rows) -> Plan:
    """Return which of `rows`, all of one kind, are new and which differ."""
    new, changed = [], []
    for row in rows:
        before = existing.get(type(row), *key_of(row)[1])
        if before is None:
            new.append(row)
        elif before != row:
            changed.append(row)
    brought = Imported(kind, len(new), len(changed), len(rows) - len(new) - len(changed))
    return Plan([brought], puts(new, is_new=True), puts(changed, is_new=False))


def puts(rows: Sequence[Row], is_new: bool) -> Puts:
    """Return rows of one kind as they are put."""
    if not rows:
        return ()
    kind = type(rows[0])
    return [(into(kind, is_new), [*map(COLUMNS[kind].to_values, rows)])]


def _count(connection: Connection) -> int:
    """Return how many files have changed these books."""
    m = tables.meta.c
    found = connection.execute(select(m.value).where(m.name == _COUNT)).scalar()
    return int(found or 0)


def _write(connection: Connection, plan: Plan) -> None:
    changed = plan.changed if plan.again is None else plan.again(connection)
    with driver_errors(connection):
        bulk = bulk_on(connection)
        for together in (plan.new, changed):
            if together:
                bulk.put(together)
    for start in range(0, len(plan.terminals), _AT_ONCE):
        few = plan.terminals[start : start + _AT_ONCE]
        connection.execute(delete(tables.terminal).where(tables.terminal.c.terminal_no.in_(few)))
