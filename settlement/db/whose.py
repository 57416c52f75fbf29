"""Whose database is this file? Asked before anything in it is changed."""

from pathlib import Path

import pysqlite3.dbapi2 as sqlite

from settlement.db.connection import DatabaseDown
from subsidy.strict.yaml_text import FileError

PROGRAMME = "programme"
_WAIT_S = 10


def programme_of(path: Path) -> str | None:
    """Return the programme whose books `path` holds, or None when it is new or empty.

    Raises FileError when it is not a centre's database, DatabaseDown when it cannot be looked at.
    """
    if not path.exists():
        return None
    try:
        # Never made, and its journal mode never touched: it may be somebody else's.
        connection = sqlite.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_S)
        try:
            tables = {
                row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            }
            if not tables:
                return None
            if not {"meta", "alembic_version", "posting"} <= tables:
                raise _foreign(path, "it is not a centre's database")
            found = connection.execute("SELECT value FROM meta WHERE name = ?", (PROGRAMME,)).fetchone()
        finally:
            connection.close()
    except sqlite.OperationalError as wrong:
        raise DatabaseDown(f"{path}: {wrong}. See who uses it, then try again") from None
    except sqlite.DatabaseError:
        raise _foreign(path, "it is not an SQLite database") from None
    return None if found is None else str(found[0])


def refuse_foreign(path: Path, programme: str) -> None:
    """Raise FileError unless `path` is new, empty or holds the books of `programme`."""
    found = programme_of(path)
    if found not in (None, programme):
        raise _foreign(path, f"it holds the books of programme {found}, not {programme}")


def _foreign(path: Path, problem: str) -> FileError:
    return FileError(str(path), 1, "", problem, "Name this programme's own file under `database:`")
