"""Has a card number, track or payment code of a test come into a PostgreSQL server of the tests'?

Every table of a database is read as its values are, before the database or its server goes and when a file's
tests have ended; so is what was written since the last look to the server's log and its write-ahead log, in
which stands what was taken back, changed or deleted. Large values are compressed there: tables show them.
"""

from collections.abc import Iterable
from pathlib import Path

import canaries
import psycopg
from psycopg import sql

_PATIENCE = "-c lock_timeout=20s"
_TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2
"""
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1"
_AT_ONCE = 16 << 20  # bytes; a needle lies within one row


def in_database(url: str) -> list[str]:
    """Return which tables of a database hold what."""
    with psycopg.connect(url, autocommit=True, options=_PATIENCE) as connection:
        return [
            f"{table}: {name}"
            for schema, table in connection.execute(_TABLES).fetchall()
            for name in _in_table(connection, schema, table)
        ]


def databases_of(url: str) -> list[str]:
    """Return the names of a server's databases that somebody may have written to."""
    # Without it a server in SQL_ASCII gives bytes.
    with psycopg.connect(url, autocommit=True, client_encoding="utf8") as connection:
        return [name for (name,) in connection.execute(_DATABASES)]


class WrittenFiles:
    """A server's log and write-ahead log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at: dict[Path, int] = {}

    def new(self) -> list[Path]:
        """Return those that were written since this was asked last."""
        found = []
        for file in (self._folder / "log", *sorted((self._folder / "data/pg_wal").glob("[0-9A-F]*"))):
            if file.is_file() and (written := file.stat().st_mtime_ns) != self._looked_at.get(file):
                self._looked_at[file] = written
                found.append(file)
        return found


def in_files(files: Iterable[Path]) -> list[str]:
    """Return which files hold what."""
    return [f"{file.name}: {name}" for file in files for name in canaries.in_bytes(file.read_bytes())]


def _in_table(connection: psycopg.Connection, schema: str, table: str) -> list[str]:
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(schema, table))
    found, held = set[str](), bytearray()
    with connection.cursor().copy(statement) as rows:
        for row in rows:
            held += row
            if len(held) > _AT_ONCE:
                found.update(canaries.in_bytes(bytes(held)))
                held.clear()
    return sorted(found | {*canaries.in_bytes(bytes(held))})
