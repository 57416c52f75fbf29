"""How is the centre's database opened, so that what is committed survives a power cut?

SQLite comes from pysqlite3, which bundles a version without the WAL-reset fault. Every connection
runs WAL with synchronous=FULL, asserted at each open: NORMAL loses acknowledged commits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

_OLDEST_SAFE = (3, 51, 3)
BUSY_S = 30


class DatabaseDown(Exception):
    """The database cannot be used. The message says why and what to do."""


def open_database(path: Path) -> Engine:
    """Return an engine on the SQLite file at `path`, which must exist. Raises DatabaseDown."""
    if not path.is_file():
        raise DatabaseDown(f"{path} does not exist. Run `settlement init` first")
    return engine_on(path)


def engine_on(path: Path) -> Engine:
    """Return an engine on the SQLite file at `path`, which is made when it does not exist."""
    if pysqlite3.dbapi2.sqlite_version_info < _OLDEST_SAFE:
        raise DatabaseDown(
            f"SQLite {pysqlite3.dbapi2.sqlite_version} can corrupt its log. Install pysqlite3 0.6.1 or later"
        )
    # Readable by the service's user only, as are the files that SQLite puts beside it.
    path.touch(mode=0o600)
    # Made here or never: a database that went away must not come back empty.
    uri = f"{path.absolute().as_uri()}?mode=rw"

    def connect() -> Any:
        return pysqlite3.dbapi2.connect(
            uri, uri=True, check_same_thread=False, timeout=BUSY_S, isolation_level=None
        )

    engine = create_engine(
        "sqlite://",
        module=pysqlite3.dbapi2,
        poolclass=NullPool,
        # An error's text must not bring rows into the log.
        hide_parameters=True,
        creator=connect,
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that alone may write; commits at the end, rolls back on an error."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the books and changes nothing."""
    with engine.connect() as connection, connection.begin():
        yield connection


def _set_up(raw: Any, _record: Any) -> None:
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
    level = raw.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise DatabaseDown(
            f"journal_mode is {mode} and synchronous {level}, not wal and FULL. Check the disk"
        )


def _begin(connection: Connection) -> None:
    # SQLite's own BEGIN would let two writers start and one of them fail in the middle.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
