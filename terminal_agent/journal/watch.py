"""Which rows has a transaction changed, and what do all rows of the journal come to?

Triggers that live as long as the connection note each changed row, before and after: nothing that writes has
to think of it. What rows come to is a sum over them, so it can be kept up row by row; one changed byte
changes it.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import itemgetter

import msgspec
import pysqlite3.dbapi2 as sqlite

from terminal_agent.journal.black_box import GONE, Change

_MODULO = 1 << 62
# Of the database as such: by which migrations were its tables made, and what are they?
_MADE = (
    "SELECT CAST(json_array(type, name, tbl_name, sql) AS BLOB) FROM main.sqlite_schema",
    "SELECT CAST(json_array(migration_set, name) AS BLOB) FROM main._sqlite_migrations",
)


class Table(msgspec.Struct, frozen=True):
    """A table of the journal: its columns, and which of them hold bytes, which are UTF-8 here always."""

    name: str
    columns: tuple[str, ...]
    blobs: frozenset[str]

    def image(self, row: str) -> str:
        """Return SQL for a row as a JSON array, its id first. `row` is NEW, OLD or a table."""
        parts = [
            f"iif({row}.{name} IS NULL, NULL, json_object('text', CAST({row}.{name} AS TEXT)))"
            if name in self.blobs
            else f"{row}.{name}"
            for name in self.columns
        ]
        return f"json_array({row}._rowid_, {', '.join(parts)})"


def tables_of(db: sqlite.Connection) -> tuple[Table, ...]:
    """Return the tables whose rows are the journal."""
    found = db.execute(
        "SELECT made.name, part.name, part.type FROM main.sqlite_schema AS made "
        "JOIN pragma_table_info(made.name) AS part "
        "WHERE made.type = 'table' AND made.name <> 'black_box' AND substr(made.name, 1, 1) <> '_' "
        "AND substr(made.name, 1, 7) <> 'sqlite_' ORDER BY made.name, part.cid"
    )
    return tuple(
        Table(name, tuple(columns), frozenset(column for column, kind in columns.items() if kind == "BLOB"))
        for name, columns in _by_table(found).items()
    )


def _by_table(found: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in found:
        tables.setdefault(table, {})[column] = kind
    return tables


def total_of(db: sqlite.Connection) -> int:
    """Return what tables and rows come to, read anew."""
    total = sum(zlib.crc32(image) for query in _MADE for (image,) in db.execute(query))
    for table in tables_of(db):
        # As a start waits for it: no function of ours is called for each row.
        total += sum(map(zlib.crc32, images(db, table), repeat(_seed(table.name))))
    return total % _MODULO


def images(db: sqlite.Connection, table: Table) -> Iterator[bytes]:
    """Yield every row of a table as a JSON array."""
    query = f"SELECT CAST({table.image(table.name)} AS BLOB) FROM main.{table.name} ORDER BY _rowid_"  # noqa: S608
    return map(itemgetter(0), db.execute(query))


def watch(db: sqlite.Connection) -> None:
    """Have every change of a row noted from now on, in memory and in the transaction that makes it."""
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute(
        "CREATE TEMP TABLE changed (no INTEGER PRIMARY KEY, what TEXT, row INTEGER, before TEXT, after TEXT)"
    )
    for table in tables_of(db):
        for trigger in _triggers_on(table):
            db.execute(trigger)


def _triggers_on(table: Table) -> list[str]:
    name, new, old = table.name, table.image("NEW"), table.image("OLD")
    return [
        f"CREATE TEMP TRIGGER {name}_{event} AFTER {event} ON main.{name} BEGIN "  # noqa: S608
        "INSERT INTO changed (what, row, before, after) "
        f"VALUES ('{name}', {row}._rowid_, {before}, {after}); END"
        for event, row, before, after in (
            ("INSERT", "NEW", "NULL", new),
            ("UPDATE", "NEW", old, new),
            ("DELETE", "OLD", old, "NULL"),
        )
    ]


def take_changes(db: sqlite.Connection) -> tuple[tuple[Change, ...], int]:
    """Return the changes of this transaction in their order, and by how much they change the total."""
    changes: list[Change] = []
    by = 0
    for what, row, before, after in db.execute("SELECT what, row, before, after FROM changed ORDER BY no"):
        by += _weight(what, after.encode()) if after is not None else 0
        by -= _weight(what, before.encode()) if before is not None else 0
        changes.append((what, row, GONE if after is None else msgspec.Raw(after.encode())))
    db.execute("DELETE FROM changed")
    return tuple(changes), by


def add(total: int, by: int) -> int:
    """Return what rows come to after a change by `by`."""
    return (total + by) % _MODULO


def put(db: sqlite.Connection, tables: dict[str, Table], changes: Iterable[Change]) -> None:
    """Make changes that were noted, in their order; rows go under their own ids."""
    for what, row, image in changes:
        if image == GONE:
            db.execute(f"DELETE FROM {what} WHERE _rowid_ = ?", (row,))  # noqa: S608
            continue
        values = [
            one["text"].encode() if isinstance(one, dict) else one for one in msgspec.json.decode(image)
        ]
        columns = tables[what].columns
        marks = ", ".join("?" * len(values))
        # Over a row that is there: as a row that is replaced, not as a move that triggers would judge.
        db.execute(
            f"INSERT OR REPLACE INTO {what} (_rowid_, {', '.join(columns)}) VALUES ({marks})",  # noqa: S608
            values,
        )


def _weight(table: str, image: bytes) -> int:
    return zlib.crc32(image, _seed(table))


def _seed(table: str) -> int:
    return zlib.crc32(table.encode())
