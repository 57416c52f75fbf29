"""How is the centre's database opened, so that what is committed survives a power cut?

SQLite comes from pysqlite3, which bundles a version without the WAL-reset fault; every connection runs WAL
with synchronous=FULL. PostgreSQL must run with fsync and synchronous_commit on. Both are asserted at each
open: anything less loses acknowledged commits.

Whatever writes takes the one row of `writer` first, so that one transaction at a time does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolEmpty
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from settlement.db.place import DatabaseDown, Place, Postgres, Sqlite

_OLDEST_SAFE = (3, 51, 3)
BUSY_S = 30
# Connections that stay open, and more while they are needed: who comes beyond these waits.
_POOL, _POOL_MORE = 5, 15
# Any number that nobody else takes a lock by.
_MIGRATION_LOCK = 8_600_001
# PostgreSQL's insufficient_privilege.
_NO_RIGHT = "42501"

TAKE_TURN = "UPDATE writer SET batch_no = batch_no + 1 WHERE one = 1 AND epoch >= 0 RETURNING epoch, batch_no"
"""No row is returned when the books are closed (`db/moved.py`)."""


def open_database(place: Place) -> Engine:
    """Return an engine on the database at `place`, which must exist. Raises DatabaseDown."""
    if isinstance(place, Sqlite) and not place.path.is_file():
        raise DatabaseDown(f"{place} does not exist. Run `settlement init` first")
    return engine_on(place)


def engine_on(place: Place) -> Engine:
    """Return an engine on the database at `place`; an SQLite file is made when it does not exist."""
    return _postgres(place) if isinstance(place, Postgres) else _sqlite(place)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that alone may write; commits at the end, rolls back on an error.

    Raises DatabaseDown when the books were moved elsewhere.
    """
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.exec_driver_sql(TAKE_TURN).first() is None:
            raise DatabaseDown("these books were moved to another database. Work on those")
        yield connection


def connect_writer(engine: Engine) -> Connection:
    """Return a connection for the writer's batches alone: many small look-ups by key, planned once."""
    connection = engine.connect().execution_options(writes=True)
    if engine.dialect.name == "postgresql":
        # A plan made while the tables are small reads them whole, and is kept when they have grown.
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
            connection.exec_driver_sql(f"SET {setting} = off")
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        connection.commit()
    else:
        # Copying the log into the database is not done while somebody waits for an answer: see `checkpoint`.
        connection.connection.driver_connection.execute("PRAGMA wal_autocheckpoint = 0")  # type: ignore[union-attr]
    return connection


def checkpoint(engine: Engine) -> None:
    """Copy what SQLite's log holds into the database, as far as nobody is kept waiting by it."""
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # type: ignore[union-attr]


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that alone may change the tables; the one that there may not be tables before."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the books and changes nothing."""
    connection = engine.connect()
    if engine.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with connection, connection.begin():
        yield connection


def _sqlite(place: Sqlite) -> Engine:
    if pysqlite3.dbapi2.sqlite_version_info < _OLDEST_SAFE:
        raise DatabaseDown(
            f"SQLite {pysqlite3.dbapi2.sqlite_version} can corrupt its log. Install pysqlite3 0.6.1 or later"
        )
    path = place.path
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
        poolclass=QueuePool,
        pool_size=_POOL,
        max_overflow=_POOL_MORE,
        # An error's text must not bring rows into the log.
        hide_parameters=True,
        creator=connect,
    )
    event.listen(engine, "connect", _check_sqlite)
    event.listen(engine, "connect", lambda _raw, entry: entry.info.update(file=_file_at(path)))
    event.listen(engine, "checkout", partial(_check_it_is_there, path))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return what tells the file at a path from any other that was or will be there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_it_is_there(path: Path, _raw: Any, entry: ConnectionPoolEntry, _given: Any) -> None:
    """Have a connection that stayed open opened anew when its file is not the one at its path any more."""
    if _file_at(path) != entry.info["file"]:
        raise DisconnectionError


def _check_sqlite(raw: Any, _record: Any) -> None:
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA foreign_keys=ON")
    mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
    level = raw.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise DatabaseDown(
            f"journal_mode is {mode} and synchronous {level}, not wal and FULL. Check the disk"
        )


def _begin_sqlite(connection: Connection) -> None:
    # SQLite's own BEGIN would let two writers start and one of them fail in the middle.
    begin = "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes", False) else "BEGIN"
    # By the driver: SQLAlchemy's way to a statement takes longer than most that follow.
    raw: Any = connection.connection.driver_connection
    with driver_errors(connection, begin):
        raw.execute(begin)


def _postgres(place: Postgres) -> Engine:
    engine = create_engine(
        make_url(place.url).set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=_POOL,
        max_overflow=_POOL_MORE,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "settlement"},
    )
    event.listen(engine, "connect", _check_postgres)
    return engine


def _check_postgres(raw: Any, _record: Any) -> None:
    with raw.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
            "current_setting('full_page_writes'), current_setting('server_version_num')::int, "
            "current_setting('server_encoding')"
        )
        fsync, commit, pages, version, encoding = cursor.fetchone()
        cursor.execute(f"SET lock_timeout = '{BUSY_S}s'; SET timezone = 'UTC'")
    raw.commit()
    if fsync != "on" or commit in ("off", "local") or pages != "on":
        raise DatabaseDown(
            f"PostgreSQL runs with fsync={fsync}, synchronous_commit={commit}, full_page_writes={pages}: "
            "a power cut would lose what was answered. Turn them on"
        )
    if version < 150_000 or encoding != "UTF8":
        raise DatabaseDown(f"PostgreSQL {version // 10_000} in {encoding}: 15 or later in UTF8 is needed")


@contextmanager
def driver_errors(connection: Connection, statement: str = "many rows") -> Iterator[None]:
    """Let the driver's own errors come as SQLAlchemy's, which say whether the line was lost."""
    dialect = connection.dialect
    error: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except error as wrong:
        lost = dialect.is_disconnect(wrong, connection.connection.dbapi_connection, None)
        raise DBAPIError.instance(
            statement,
            None,
            wrong,
            error,
            hide_parameters=True,
            connection_invalidated=lost,
            dialect=dialect,
        ) from wrong


def is_away(wrong: BaseException) -> bool:
    """Whether the database could not be asked: it is gone, starting, locked, or has no line to spare."""
    lost = isinstance(wrong, DBAPIError) and wrong.connection_invalidated
    return lost or isinstance(wrong, OperationalError | InterfaceError | PoolEmpty | DatabaseDown)


def damage(connection: Connection) -> list[str]:
    """Return what is wrong with the pages and indexes of an SQLite file; PostgreSQL looks after its own."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars().all()
    return [] if found == ["ok"] else [f"the file is damaged: {' '.join(one.split())}" for one in found]


def trouble(wrong: DBAPIError) -> str | None:
    """Return what is wrong with disk, database or rights there and what to do; None when it is neither."""
    code = getattr(wrong.orig, "sqlite_errorcode", 0) & 0xFF
    said = f"the database: {explain(wrong)}"
    if code in (pysqlite3.dbapi2.SQLITE_CORRUPT, pysqlite3.dbapi2.SQLITE_NOTADB):
        return f"{said}. Stop the service, keep the file as it is, and restore the newest backup"
    if code == pysqlite3.dbapi2.SQLITE_FULL:
        return f"{said}. Nothing was changed. Free space, then try again"
    if code == pysqlite3.dbapi2.SQLITE_IOERR:
        return f"{said}. Look at the disk, then try again"
    if getattr(wrong.orig, "sqlstate", None) == _NO_RIGHT:
        return f"{said}. Do it as the role that owns the database (docs/for-operations.md, On PostgreSQL)"
    return f"{said}. See who uses it, then try again" if isinstance(wrong, OperationalError) else None


def explain(wrong: DBAPIError) -> str:
    """Return what a database's error says, without the rows that it was about."""
    return str(wrong.orig).splitlines()[0]
