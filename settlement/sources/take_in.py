"""How do rows of reference data reach the database, all or nothing?"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Row, key_of


class Imported(msgspec.Struct, frozen=True):
    """How many rows of one kind a file has brought."""

    kind: str
    new: int
    changed: int
    unchanged: int
    removed: int = 0


def load_existing(connection: Connection, rows: Sequence[Row]) -> Rows:
    """Return what the database holds under the keys of `rows`."""
    existing = Rows()
    store.load(connection, [key_of(row) for row in rows], existing)
    return existing


def put_all(connection: Connection, kind: str, rows: Sequence[Row], existing: Rows) -> Imported:
    """Write the rows that are new or differ, in the transaction of `connection`."""
    new = changed = 0
    for row in rows:
        before = existing.get(type(row), *key_of(row)[1])
        if before == row:
            continue
        new += before is None
        changed += before is not None
        existing.put(row)
    store.write(connection, existing, ())
    return Imported(kind, new, changed, len(rows) - new - changed)
