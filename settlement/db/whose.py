"""Whose database is this? Asked before anything in it is changed."""

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from settlement.db.connection import engine_on, explain
from settlement.db.place import DatabaseDown, Place, Sqlite
from subsidy.strict.yaml_text import FileError

PROGRAMME = "programme"
_WAIT_S = 10
_OURS = {"meta", "alembic_version", "posting"}
_PROGRAMME_OF = "SELECT value FROM meta WHERE name = 'programme'"


def programme_of(place: Place) -> str | None:
    """Return the programme whose books `place` holds, or None when it is new or empty.

    Raises FileError when it is not a centre's database, DatabaseDown when it cannot be looked at.
    """
    return _of_file(place) if isinstance(place, Sqlite) else _of_server(place, engine_on(place))


def refuse_foreign(place: Place, programme: str) -> None:
    """Raise FileError unless `place` is new, empty or holds the books of `programme`."""
    found = programme_of(place)
    if found not in (None, programme):
        raise _foreign(place, f"it holds the books of programme {found}, not {programme}")


def _of_file(place: Sqlite) -> str | None:
    if not place.path.exists():
        return None
    try:
        # Never made, and its journal mode never touched: it may be somebody else's.
        uri = f"{place.path.absolute().as_uri()}?mode=rw"
        connection = sqlite.connect(uri, uri=True, timeout=_WAIT_S)
        try:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not _is_ours(place, {row[0] for row in found}):
                return None
            programme = connection.execute(_PROGRAMME_OF).fetchone()
        finally:
            connection.close()
    except sqlite.OperationalError as wrong:
        raise DatabaseDown(f"{place}: {wrong}. See who uses it, then try again") from None
    except sqlite.DatabaseError as wrong:
        if wrong.sqlite_errorcode & 0xFF == sqlite.SQLITE_CORRUPT:
            raise DatabaseDown(
                f"{place}: {wrong}. Stop the service, keep the file as it is, and restore the newest backup"
            ) from None
        raise _foreign(place, "it is not an SQLite database") from None
    return None if programme is None else str(programme[0])


def _of_server(place: Place, engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            if not _is_ours(place, set(inspect(connection).get_table_names())):
                return None
            programme = connection.execute(text(_PROGRAMME_OF)).scalar_one_or_none()
    except DBAPIError as wrong:
        raise DatabaseDown(f"{place}: {explain(wrong)}. See that the server runs and lets us in") from None
    finally:
        engine.dispose()
    return None if programme is None else str(programme)


def _is_ours(place: Place, tables: set[str]) -> bool:
    """Whether there is anything. Raises FileError when it is somebody else's."""
    if tables and not tables >= _OURS:
        raise _foreign(place, "it is not a centre's database")
    return bool(tables)


def _foreign(place: Place, problem: str) -> FileError:
    return FileError(str(place), 1, "", problem, "Name this programme's own database under `database:`")
