"""How does a host's SQLite behave: where can a process die in it, and what may go wrong with the disk?

Every statement is a point at which the process may be killed: before it, and after a COMMIT that nobody has
heard of yet. What was not committed is rolled back when the process is buried. SQLite's own waiting for a
lock would stop the one thread that there is, so who may write is settled here first.

To open a journal costs more than what most lives of an agent do with it: its triggers are made and all its
statements are compiled anew. So where nothing copies a shop's disk its journal stays open from life to life
and from world to world, as one transaction that never ends (`Kept`).
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from sim.scheduler import Dead, Process
from sim.threads import Here, threading
from terminal_agent.journal.open import open_journal

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
        self.turns: Mapping[str, Any] = {}
        """The locks of files that other hosts write to as well."""
        self._kept: dict[str, Kept] = {}

    def keep(self, path: str, kept: "Kept") -> None:
        """Let a journal that is open already stand for the file at `path`."""
        self._kept[path] = kept

    def turn(self, path: str) -> Any:
        """Return the lock of who may write to a file."""
        return self.turns.get(path) or self._turns.setdefault(path, threading.RLock())

    def connect(self, path: str, **options: Any) -> "_Connection":
        """Return a connection of the running process."""
        task = Here.scheduler.current
        assert task is not None
        process = task.process
        path = self._moved.get(path, path)
        shipped, kept = options.pop("factory", None), self._kept.get(path)
        connection: _Connection
        if kept is not None:
            connection = _kind(shipped, _OnKept).on(kept)
        else:
            kind = _kind(shipped, _Connection)
            connection = real_connect(
                in_here(path), factory=kind, **{**options, "uri": True, "cached_statements": 500}
            )
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
        kept = task.process.kept_open.get(self)
        return kept.pop() if kept else super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        connection: Any = record.dbapi_connection
        # Whoever lets go of it, be it the garbage collector: it is its own process's.
        if connection is not None and connection.process.alive:
            connection.process.kept_open.setdefault(self, []).append(record)
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


_NOBODY = Process("nobody")
_NOBODY.alive = False


def _nowhere(_process: Process, _sql: str) -> None:
    raise Dead


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

    @property
    def opened(self) -> sqlite.Connection:
        """What SQLite has open."""
        return self

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
            self._undo()
        self._let_go()
        super().close()

    def bury(self) -> None:
        """Close what a dead process had open."""
        self._buried = True
        if self._path in self._disk.turns and self._holds is not None:
            self._holds.leave()
        self._forget_the_world()
        try:
            super().close()
        except sqlite.ProgrammingError:
            return

    def _forget_the_world(self) -> None:
        # SQLAlchemy keeps a connection that was never given back until whoever had it is forgotten, and it
        # would never be while the connection leads there.
        self.process, self._point = _NOBODY, _nowhere
        del self._disk

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
            self._undo()
        if not self.in_transaction:
            self._let_go()

    def _undo(self) -> None:
        _cursor(self, sqlite.Cursor).execute("ROLLBACK")

    def _let_go(self) -> None:
        if self._holds is not None:
            turn, self._holds = self._holds, None
            turn.release()


class Kept:
    """A journal that stays open. What a program commits in it is undone when the world ends."""

    def __init__(self, path: Path) -> None:
        disk, before = Disk(lambda _process, sql: self._made.add(sql)), Here.disk_of
        self._made: set[str] = set()
        Here.disk_of = lambda _process: disk
        try:
            connection = open_journal(path)
        finally:
            Here.disk_of = before
        assert connection.box is not None
        connection.box.close()
        self.opened: sqlite.Connection = connection
        self.instead = {**_IN_ONE, **{sql: _of_setting(sql) for sql in self._made if _is_setting(sql)}}
        """What is run for a statement: nothing for one that says how the connection is to be: it is so."""
        # As it is while a program brings journal and black box together. Nothing later depends on it, and to
        # set it anew in each life would have every statement compiled anew.
        self.run("PRAGMA recursive_triggers=off")
        self.run("BEGIN")

    def run(self, sql: str, *more: Any) -> Any:
        """Run a statement of nobody in the world."""
        return _cursor(self.opened, sqlite.Cursor).execute(sql, *more)

    def restore(self) -> None:
        """Undo everything since it was opened."""
        self.run("ROLLBACK")
        self.run("BEGIN")


_ASKED = ("PRAGMA journal_mode", "PRAGMA synchronous")
_IN_ONE = {
    "BEGIN IMMEDIATE": ("SAVEPOINT one",),
    "COMMIT": ("RELEASE one",),
    "ROLLBACK": ("ROLLBACK TO one", "RELEASE one"),
}
"""How a transaction goes within another one."""


def _is_setting(sql: str) -> bool:
    return sql.startswith(("PRAGMA ", "CREATE TEMP ")) and sql not in _ASKED


def _of_setting(sql: str) -> tuple[str, ...]:
    # Until the table is there nobody notes what changes.
    return ("DELETE FROM changed",) if sql.startswith("CREATE TEMP TABLE") else ()


class _OnKept(_Connection):
    """A process's connection to a journal that stays open. SQLite has nothing open for this one."""

    _kept: Kept
    _within = False

    @classmethod
    def on(cls, kept: Kept) -> "_OnKept":
        made: _OnKept = cls.__new__(cls)
        made._kept = kept
        return made

    @property
    def opened(self) -> sqlite.Connection:
        return self._kept.opened

    @property
    def in_transaction(self) -> bool:
        return self._within

    def cursor(self, *_: Any) -> Any:
        return self

    def execute(self, sql: str, *more: Any) -> Any:
        return self.run(sql, self._go, more)

    def executemany(self, sql: str, *more: Any) -> Any:
        return self.run(sql, _cursor(self._kept.opened, sqlite.Cursor).executemany, more)

    def close(self) -> None:
        if not self._buried:
            self._let_go()
            self.bury()

    def bury(self) -> None:
        if self._buried:
            return
        self._buried = True
        if self._within:
            self._undo()

    def _go(self, sql: str, *more: Any) -> Any:
        instead = self._kept.instead.get(sql)
        if instead is None:
            return _cursor(self._kept.opened, sqlite.Cursor).execute(sql, *more)
        for one in instead:
            self._kept.run(one)
        if sql in _IN_ONE:
            self._within = sql == "BEGIN IMMEDIATE"
        return None

    def _undo(self) -> None:
        self._go("ROLLBACK")


@functools.cache
def _kind(shipped: type[sqlite.Connection] | None, here: type[_Connection]) -> Any:
    """Return the class of a host's connection, which is the program's own too when it has one."""
    if shipped is None:
        return here

    class Both(shipped, here):  # type: ignore[misc, valid-type]  # known at run time alone
        def bury(self) -> None:
            super().bury()
            # The journal's black box ends with its process.
            if self.box is not None:
                self.box.close()
                self.box = None

    return Both


def peek(connection: Any, sql: str, *values: object) -> list[Any]:
    """Return what a statement finds in an open connection. Nobody of the world does this: nothing fails."""
    found: list[Any] = _cursor(connection.opened, sqlite.Cursor).execute(sql, values).fetchall()
    return found
