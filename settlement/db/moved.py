"""Were these books moved to another database? Then nobody writes in them any more.

A mark in `meta` says where to. The epoch of the writer's row is turned below zero, so that whoever has them
open already gets no turn.
"""

from sqlalchemy import Connection, delete, select, text

from settlement.db import tables
from settlement.db.upsert import upsert

MOVED_TO = "moved_to"
_OVER = text("UPDATE writer SET epoch = -1 - epoch WHERE one = 1")


def moved_to(connection: Connection) -> str | None:
    """Return where the books were moved to, None when they were not."""
    c = tables.meta.c
    found = connection.execute(select(c.value).where(c.name == MOVED_TO)).scalar_one_or_none()
    return None if found is None else str(found)


def leave(connection: Connection, place: str) -> None:
    """Mark the books as moved to `place`: the transaction of `connection` is the last that writes in them."""
    connection.execute(upsert(connection, tables.meta).values(name=MOVED_TO, value=place))
    connection.execute(_OVER)


def come_back(connection: Connection) -> None:
    """Take the mark away: the books never arrived."""
    connection.execute(delete(tables.meta).where(tables.meta.c.name == MOVED_TO))
    connection.execute(_OVER)
