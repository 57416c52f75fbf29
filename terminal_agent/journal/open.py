"""How is the journal opened, so that what it says is done survives a power cut?

SQLite comes from pysqlite3, which bundles a version without the WAL-reset fault. WAL with
synchronous=FULL is asserted at every open: with NORMAL a power cut loses acknowledged commits.
"""

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from sqlite_utils import Database

from terminal_agent.journal.schema import migrations

_OLDEST_SAFE = (3, 51, 3)


class JournalDown(Exception):
    """The journal cannot be used. The message says why and what to do."""


def open_journal(path: Path) -> sqlite.Connection:
    """Open the journal at `path`, making or migrating it, and return its one connection.

    Raises JournalDown when it is damaged, locked by another agent, or cannot be made durable.
    """
    if sqlite.sqlite_version_info < _OLDEST_SAFE:
        raise JournalDown(
            f"SQLite {sqlite.sqlite_version} can corrupt its log. Install pysqlite3 0.6.1 or later"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        connection = sqlite.connect(str(path), timeout=5, isolation_level=None, check_same_thread=False)
        _make_durable(connection, path)
        migrations.apply(Database(connection))
    except (sqlite.Error, OSError) as wrong:
        raise JournalDown(f"{path} cannot be opened: {wrong}. Run `terminal-agent doctor`") from wrong
    return connection


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
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalDown(f"{path} is damaged: {found}. Keep the file and call the service platform")
