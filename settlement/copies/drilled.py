"""When were the books last proved to be restorable?"""

from sqlalchemy import Connection, select

from settlement.db import tables

LAST_DRILL = "last_drill_ms"


def last_drill_ms(connection: Connection) -> int | None:
    """Return when a drill last proved everything, None when none has."""
    c = tables.meta.c
    found = connection.execute(select(c.value).where(c.name == LAST_DRILL)).scalar_one_or_none()
    return None if found is None else int(found)
