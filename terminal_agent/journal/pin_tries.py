"""How often was a supervisor's PIN tried, and is the supervisor locked? In the caller's transaction."""

import pysqlite3.dbapi2 as sqlite

MOST_TRIES = 5
LOCKED_FOR_MS = 15 * 60 * 1000


def take(db: sqlite.Connection, supervisor: str, now_ms: int) -> int | None:
    """Count a try and return how many are left after it; None, and nothing is counted, while locked.

    Counted before the PIN is looked at: whoever cuts the power in between has had the try.
    """
    row = db.execute("SELECT tries, locked_ms FROM pin_try WHERE supervisor = ?", (supervisor,)).fetchone()
    tries, locked_ms = row or (0, None)
    if locked_ms is not None:
        # A clock that was set back must not lock for years: the time then runs from now.
        since_ms = min(locked_ms, now_ms)
        if now_ms - since_ms < LOCKED_FOR_MS:
            _write(db, supervisor, tries, since_ms)
            return None
        tries = 0
    tries += 1
    _write(db, supervisor, tries, now_ms if tries >= MOST_TRIES else None)
    return MOST_TRIES - tries


def forget(db: sqlite.Connection, supervisor: str) -> None:
    """Forget the tries of a supervisor."""
    db.execute("DELETE FROM pin_try WHERE supervisor = ?", (supervisor,))


def _write(db: sqlite.Connection, supervisor: str, tries: int, locked_ms: int | None) -> None:
    db.execute(
        "INSERT INTO pin_try VALUES (?, ?, ?) ON CONFLICT (supervisor) DO UPDATE "
        "SET tries = excluded.tries, locked_ms = excluded.locked_ms",
        (supervisor, tries, locked_ms),
    )
