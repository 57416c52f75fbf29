"""Of which tables are the books made, which of them follow from the events, and how is a table copied?

- the log: every event in its order, and what each has posted;
- what is folded from it: every row that a `fold` changes, and the balances;
- what was given: reference data, channels' files, reports of nights, people. A qualification and an
  enrolment code are given, and events say who has used them. What shared registers are still to be told
  is as the registers have left it: events do not say what they have heard.

The row by which writers take turns is a database's own and no part of the books.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, collate, insert, select
from sqlalchemy.types import Text

from settlement.db import tables
from settlement.writer import rows
from settlement.writer.columns import COLUMNS

_TURN = "writer"
_GIVEN_KINDS = (
    rows.Merchant,
    rows.Shop,
    rows.Terminal,
    rows.Product,
    rows.FiledPrice,
    rows.Freed,
    rows.CentreUser,
    rows.UserRole,
)
# Given, and changed by events in one column.
USED_BY = "used_by"
_AT_ONCE = 1000
# Both compare bytes. The database's own order would depend on the server's locale.
_BYTEWISE = {"postgresql": "C", "sqlite": "BINARY"}

LOG = tables.event
POSTINGS = tables.posting
ALL: tuple[Table, ...] = tuple(
    table for name, table in sorted(tables.metadata.tables.items()) if name != _TURN
)
_FOLDED_NAMES = {COLUMNS[kind].table.name for kind in rows.KINDS if kind not in _GIVEN_KINDS}
FOLDED: tuple[Table, ...] = tuple(table for table in ALL if table.name in _FOLDED_NAMES)
GIVEN: tuple[Table, ...] = tuple(table for table in ALL if table not in (LOG, POSTINGS, *FOLDED))
GIVEN_BUT_FOR_USE: tuple[Table, ...] = tuple(table for table in FOLDED if USED_BY in table.c)


def in_order(connection: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a table by its key, a thousand at a time, in the same order on every database.

    Texts are ordered by their UTF-8 bytes.
    """
    bytewise = _BYTEWISE[connection.dialect.name]

    def sorts(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return collate(column, bytewise) if isinstance(column.type, Text) else column

    query = select(table).order_by(*map(sorts, table.primary_key.columns))
    with connection.execute(query, execution_options={"yield_per": _AT_ONCE}) as result:
        for few in result.partitions():
            yield [tuple(row) for row in few]


def copy_table(source: Connection, target: Connection, table: Table, but_for: str | None = None) -> int:
    """Copy a table into an empty one and return how many rows it has; the column `but_for` stays empty."""
    names = [column.name for column in table.columns]
    empty = {} if but_for is None else {but_for: None}
    count = 0
    for few in in_order(source, table):
        target.execute(insert(table), [dict(zip(names, row, strict=True)) | empty for row in few])
        count += len(few)
    return count


def is_empty(connection: Connection) -> bool:
    """Whether the tables, which must be there, hold nothing."""
    return all(connection.execute(select(table).limit(1)).first() is None for table in ALL)
