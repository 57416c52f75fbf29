"""How is the journal opened, so that what it says is done survives a power cut?

SQLite comes from pysqlite3, which bundles a version without the WAL-reset fault. WAL with
synchronous=FULL is asserted at every open: with NORMAL a power cut loses acknowledged commits.
Nothing is sold on rows that are not what was written (`check.py`).
"""

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlite_utils import Database

from terminal_agent.journal import black_box, check, recover
from terminal_agent.journal.connection import (
    MEND,
    JournalConnection,
    JournalDamaged,
    JournalDown,
    explained,
    row_of,
)
from terminal_agent.journal.schema import migrations

__all__ = ("NONE_THERE", "JournalDamaged", "JournalDown", "is_there", "must_be_there", "open_journal")

NONE_THERE = (
    "Correct `data` in the configuration, or mount its disk; on a new host run `terminal-agent enrol CODE`"
)

_OLDEST_SAFE = (3, 51, 3)


def is_there(path: Path) -> bool:
    """Whether there is a journal at `path`, or the black box of one."""
    return path.exists() or bool(black_box.generations_of(path))


def must_be_there(path: Path) -> None:
    """Return when there is a journal at `path`: only enrolment makes one. Raises JournalDown."""
    try:
        found = is_there(path)
    except OSError as wrong:
        raise JournalDown(f"{path} cannot be opened: {wrong}. Run `terminal-agent doctor`") from wrong
    if not found:
        raise JournalDown(f"There is no journal at {path}. {NONE_THERE}")


def open_journal(path: Path) -> JournalConnection:
    """Open the journal at `path`, making or migrating it, and return its one connection.

    Raises JournalDamaged, or JournalDown when it is locked by another agent or cannot be made durable.
    """
    if sqlite.sqlite_version_info < _OLDEST_SAFE:
        raise JournalDown(
            f"SQLite {sqlite.sqlite_version} can corrupt its log. Install pysqlite3 0.6.1 or later"
        )
    connection: JournalConnection | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        connection = sqlite.connect(
            str(path), timeout=5, isolation_level=None, check_same_thread=False, factory=JournalConnection
        )
        _make_durable(connection, path)
        _agree(connection, path)
    except UnicodeDecodeError as wrong:
        # What SQLite says of a damaged table has the damaged name in it.
        _close(connection)
        raise JournalDamaged(f"{path} is damaged: names in it cannot be read. {MEND}") from wrong
    except (sqlite.Error, OSError) as wrong:
        _close(connection)
        if isinstance(meant := explained(wrong), JournalDamaged):
            raise JournalDamaged(f"{path} is damaged: {wrong}. {MEND}") from wrong
        raise JournalDown(f"{path} cannot be opened: {wrong}. Run `terminal-agent doctor`") from meant
    except JournalDown:
        _close(connection)
        raise
    assert connection is not None
    return connection


def _agree(connection: JournalConnection, path: Path) -> None:
    """Have database and black box say the same, with the tables of today."""
    try:
        looked_at_all = check.at_start(connection)
        box = recover.settle(connection, path)
    except sqlite.OperationalError as wrong:
        if getattr(wrong, "sqlite_errorcode", 0) != sqlite.SQLITE_ERROR:
            raise
        # Nothing of ours is asked for that a whole journal would not have: a name in its schema has changed.
        raise JournalDamaged(f"{path} is damaged: {wrong}. {MEND}") from wrong
    is_behind = bool(migrations.pending(Database(connection)))
    if (box is None or is_behind) and not looked_at_all:
        # The new black box will be a copy of it.
        check.wholly(connection)
    if is_behind:
        if box is not None:
            recover.leave(connection)
            box.close()
            box = None
        migrations.apply(Database(connection))
    if box is None:
        box = recover.begin(connection, path)
    row = row_of(connection)
    assert row is not None
    connection.keep_in(box, row)


def _make_durable(connection: sqlite.Connection, path: Path) -> None:
    # One agent, one journal: a second process would split the numbers of its chain.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    level = connection.execute("PRAGMA synchronous").fetchone()[0]
    if (mode, level) != ("wal", 2):
        raise JournalDown(f"journal_mode is {mode} and synchronous {level}, not wal and FULL. Check the disk")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")


def _close(connection: JournalConnection | None) -> None:
    if connection is not None:
        connection.close()
