"""How does a host's SQLite behave: where can a process die in it, and what may go wrong with the disk?

Every statement is a point at which the process may be killed: before it, and after a COMMIT that nobody has
heard of yet. What was not committed is rolled back when the process is buried. SQLite's own waiting for a
lock would stop the one thread that there is, so who may write is settled here first.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pysqlite3.dbapi2 as sqlite

from sim.scheduler import Dead, Process
from sim.threads import Here, threading

real_connect = sqlite.connect
COMMITTED = "committed"

Point = Callable[[Process, str], None]
"""Told of each statement before it runs, and of each COMMIT after it. May raise, or never come back."""


class Disk:
    """The files of one host, as its processes use them. `moved` says which file stands for another."""

    def __init__(self, point: Point, moved: Mapping[str, str] | None = None) -> None:
        self.point = point
        self._moved = moved or {}
        self._turns: dict[str, Any] = {}
        self._idle: dict[tuple[Process, str], list[_Connection]] = {}

    def turn(self, path: str) -> Any:
        """Return the lock of who may write to a file."""
        return self._turns.setdefault(path, threading.RLock())

    def connect(self, path: str, **options: Any) -> "_Connection":
        """Return a connection of the running process."""
        task = Here.scheduler.current
        assert task is not None
        process = task.process
        path = self._moved.get(path, path)
        idle = self._idle.get((process, path))
        if idle:
            return idle.pop()
        kind = _kind(options.pop("factory", None))
        connection: _Connection = real_connect(path, factory=kind, **options)
        connection.take(self, process, path)
        process.when_dead.append(connection.bury)
        return connection

    def keep(self, connection: "_Connection", process: Process, path: str) -> None:
        """Keep a connection that was closed: to open a file anew costs more than what is done with it."""
        self._idle.setdefault((process, path), []).append(connection)

    def forget(self) -> None:
        """Forget who held what: all processes of the host are dead."""
        self._turns.clear()
        self._idle.clear()


class _Cursor(sqlite.Cursor):
    def execute(self, sql: str, *more: Any) -> Any:
        return self.connection.run(sql, super().execute, more)

    def executemany(self, sql: str, *more: Any) -> Any:
        return self.connection.run(sql, super().executemany, more)


class _Connection(sqlite.Connection):
    _disk: Disk
    _process: Process
    _path: str
    _holds: Any = None
    _buried = False

    def take(self, disk: Disk, process: Process, path: str) -> None:
        self._disk, self._process, self._path = disk, process, path

    def cursor(self, *_: Any) -> Any:
        return super().cursor(_Cursor)

    def execute(self, sql: str, *more: Any) -> Any:
        return self.run(sql, super().cursor(sqlite.Cursor).execute, more)

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
        if self._process.alive and self._path.startswith("file:"):
            self._disk.keep(self, self._process, self._path)
        else:
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
        if not self._process.alive:
            raise Dead
        if self._holds is None and sql.startswith("BEGIN IMMEDIATE"):
            turn = self._disk.turn(self._path)
            turn.acquire()
            self._holds = turn
        try:
            self._disk.point(self._process, sql)
            found = go(sql, *more)
        except BaseException:
            self._failed(sql)
            raise
        if sql in ("COMMIT", "ROLLBACK"):
            self._let_go()
            if sql == "COMMIT":
                self._disk.point(self._process, COMMITTED)
        return found

    def _failed(self, sql: str) -> None:
        if sql.startswith("COMMIT") and self._process.alive and self.in_transaction:
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
    found: list[Any] = sqlite.Connection.cursor(connection, sqlite.Cursor).execute(sql, values).fetchall()
    return found
