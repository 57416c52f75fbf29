"""Which nights are to be run, and which are overdue? What has been run lives in a table.

A day is due when the hour of its night has come and no night of it was complete: one that found a file
missing, or only what came before the day was over, is due again. So what a stopped service has missed is run
when it comes up.
"""

import datetime

from sqlalchemy import Connection, func, select

from settlement.db import tables
from settlement.db.upsert import upsert
from settlement.reconcile.expect import day_of
from subsidy import calendar

MOST_DAYS = 31
NOT_LATE = datetime.timedelta()
OVERDUE_AFTER = datetime.timedelta(hours=4)
_DAY = datetime.timedelta(days=1)


def due(
    connection: Connection, night_at: datetime.time, now_ms: int, late_by: datetime.timedelta
) -> list[str]:
    """Return the days whose night should have been complete `late_by` ago and is not, oldest first."""
    done = _complete(connection)
    return [day for day in asked_for(connection, night_at, now_ms, late_by) if day not in done]


def asked_for(
    connection: Connection, night_at: datetime.time, now_ms: int, late_by: datetime.timedelta
) -> list[str]:
    """Return the days whose night should have been complete `late_by` ago, oldest first.

    Days before the first record, and more than a month ago, are not asked for.
    """
    placed = tables.record.c.placed_at_ms
    first_ms = connection.execute(select(func.min(placed)).where(placed > 0)).scalar_one()
    if first_ms is None:
        return []
    now = calendar.from_ms(now_ms) - late_by
    last = now.date() - (_DAY if now.time() >= night_at else 2 * _DAY)
    first = max(datetime.date.fromisoformat(day_of(first_ms)), last - (MOST_DAYS - 1) * _DAY)
    return [(first + number * _DAY).isoformat() for number in range((last - first).days + 1)]


def last_complete(connection: Connection) -> str | None:
    """Return the newest day whose night was complete."""
    return max(_complete(connection), default=None)


def note_run(connection: Connection, day: str, exit_code: int, complete: bool, at_ms: int) -> None:
    """Note that a night has ended, unless the same is noted already."""
    c = tables.night_run.c
    row = connection.execute(select(c.exit_code, c.complete, c.ended_ms).where(c.day == day)).one_or_none()
    noted = None if row is None else (row.exit_code, row.complete, _was_over(day, row.ended_ms))
    if noted == (exit_code, int(complete), _was_over(day, at_ms)):
        return
    values = {"exit_code": exit_code, "complete": int(complete), "ended_ms": at_ms}
    statement = upsert(connection, tables.night_run).values(day=day, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["day"], set_=values))


def _complete(connection: Connection) -> set[str]:
    """Return the days whose night was complete.

    Older books call some complete that ended on the day itself, of which no file can tell the whole.
    """
    c = tables.night_run.c
    rows = connection.execute(select(c.day, c.ended_ms).where(c.complete == 1))
    return {row.day for row in rows if _was_over(row.day, row.ended_ms)}


def _was_over(day: str, at_ms: int) -> bool:
    return day_of(at_ms) > day
