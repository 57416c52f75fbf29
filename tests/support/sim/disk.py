"""How does a host's SQLite behave: where can a process die in it, and what may go wrong with the disk?

Every statement is a point at which the process may be killed: before it, and after a COMMIT that nobody has
heard of yet. What was not committed is rolled back when the process is buried. SQLite's own waiting for a
lock would stop the one thread that there is, so who may write is settled here first.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from sim.scheduler import Dead, Process
from sim.threads import Here, threading

real_connect = sqlite.connect
_cursor = sqlite.Connection.cursor
COMMITTED = "committed"


def in_here(path: str) -> str:
    """Return how a file is opened that only this process opens: its locks cost no system call."""
    uri = path if path.startswith("file:") else f"file:{path}?mode=rwc"
    return f"{uri}&vfs=unix-excl"


Point = Callable[[Process, str], None]
"""Told of each statement before it runs, and of each COMMIT after it. May raise, or never come back."""


class Disk:
    """The files of one host, as its processes use them. `moved` says which file stands for another."""

    def __init__(self, point: Point, moved: Mapping[str, str] | None = None) -> None:
        self.point = point
        self._moved = moved or {}
        self._turns: dict[str, Any] = {}

    def turn(self, path: str) -> Any:
        """Return the lock of who may write to a file."""
        return self._turns.setdefault(path, threading.RLock())

    def connect(self, path: str, **options: Any) -> "_Connection":
        """Return a connection of the running process."""
        task = Here.scheduler.current
        assert task is not None
        process = task.process
        path = self._moved.get(path, path)
        kind = _kind(options.pop("factory", None))
        connection: _Connection = real_connect(in_here(path), factory=kind, **{**options, "uri": True})
        connection.take(self, process, path)
        process.when_dead.append(connection.bury)
        return connection

    def forget(self) -> None:
        """Forget who held what: all processes of the host are dead."""
        self._turns.clear()


class _KeptOpen(NullPool):
    def _do_get(self) -> ConnectionPoolEntry:
        task = Here.scheduler.current
        assert task is not None
        kept = task.process.kept_open
        return kept.pop() if kept else super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        connection: Any = record.dbapi_connection
        # Whoever lets go of it, be it the garbage collector: it is its own process's.
        if connection is not None and connection.process.alive:
            connection.process.kept_open.append(record)
        else:
            record.close()


def keep_open(engine: Engine) -> None:
    """Let what an engine opens stay open for its process: to open it anew costs more than what it is for."""
    before = engine.pool
    engine.pool = _KeptOpen(
        before._creator,
        reset_on_return=before._reset_on_return,
        _dispatch=before.dispatch,
        dialect=before._dialect,
    )


class _Cursor(sqlite.Cursor):
    def execute(self, sql: str, *more: Any) -> Any:
        return self.connection.run(sql, super().execute, more)

    def executemany(self, sql: str, *more: Any) -> Any:
        return self.connection.run(sql, super().executemany, more)


class _Connection(sqlite.Connection):
    _disk: Disk
    process: Process
    _path: str
    _point: Point
    _holds: Any = None
    _buried = False

    def take(self, disk: Disk, process: Process, path: str) -> None:
        self._disk, self.process, self._path = disk, process, path
        self._point = disk.point

    def cursor(self, *_: Any) -> Any:
        return _cursor(self, _Cursor)

    def execute(self, sql: str, *more: Any) -> Any:
        return self.run(sql, _cursor(self, sqlite.Cursor).execute, more)

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        # A pool may still look after what a dead process had open.
        if not self._buried and self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        if self._buried:
            return
        if self.in_transaction:
            super().cursor().execute("ROLLBACK")
        self._let_go()
        super().close()

    def bury(self) -> None:
        """Close what a dead process had open."""
        self._buried = True
        try:
            super().close()
        except sqlite.ProgrammingError:
            return

    def run(self, sql: str, go: Callable[..., Any], more: tuple[Any, ...]) -> Any:
        """Run a statement, as far as the host lets it."""
        process = self.process
        if not process.alive:
            raise Dead
        if self._holds is None and sql.startswith("BEGIN IMMEDIATE"):
            turn = self._disk.turn(self._path)
            turn.acquire()
            self._holds = turn
        try:
            self._point(process, sql)
            found = go(sql, *more)
        except BaseException:
            self._failed(sql)
            raise
        if sql in ("COMMIT", "ROLLBACK"):
            self._let_go()
            if sql == "COMMIT":
                self._point(process, COMMITTED)
        return found

    def _failed(self, sql: str) -> None:
        if sql.startswith("COMMIT") and self.process.alive and self.in_transaction:
            # As SQLite does when it cannot write its log.
            super().cursor().execute("ROLLBACK")
        if not self.in_transaction:
            self._let_go()

    def _let_go(self) -> None:
        if self._holds is not None:
            turn, self._holds = self._holds, None
            turn.release()


@functools.cache
def _kind(shipped: type[sqlite.Connection] | None) -> type[_Connection]:
    """Return the class of a host's connection, which is the program's own too when it has one."""
    if shipped is None:
        return _Connection

    class Both(shipped, _Connection):  # type: ignore[misc, valid-type]  # known at run time alone
        def bury(self) -> None:
            super().bury()
            # The journal's black box ends with its process.
            if self.box is not None:
                self.box.close()
                self.box = None

    return Both


def peek(connection: Any, sql: str, *values: object) -> list[Any]:
    """Return what a statement finds in an open connection. Nobody of the world does this: nothing fails."""
    found: list[Any] = _cursor(connection, sqlite.Cursor).execute(sql, values).fetchall()
    return found
