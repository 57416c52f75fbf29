"""Which rows has a transaction changed, and what do the rows of the journal come to?

Triggers that live as long as the connection note each changed row, before and after: nothing that writes has
to think of it. What rows come to is a sum over them, so it can be kept up row by row; one changed byte
changes it. A sum is kept for each sale, over its rows in all tables, and for each table that is of no sale.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
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
    """A table of the journal: its columns, and which of them hold bytes, which are UTF-8 here always.

    Its rows are looked at with their sale when they are `of_sales`.
    """

    name: str
    columns: tuple[str, ...]
    blobs: frozenset[str]
    of_sales: bool

    def whose(self, row: str) -> str:
        """Return SQL for what a row's sum is kept under: its sale, or the table."""
        return f"{row}.record_id" if self.of_sales else f"'{self.name}'"

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
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in found:
        columns.setdefault(table, {})[column] = kind
    return tuple(_table(name, kinds) for name, kinds in columns.items())


def _table(name: str, kinds: Mapping[str, str]) -> Table:
    blobs = frozenset(column for column, kind in kinds.items() if kind == "BLOB")
    # Nobody reads the moves of a sale but whoever asks what happened.
    return Table(name, tuple(kinds), blobs, "record_id" in kinds and name != "move")


def total_of(db: sqlite.Connection, sums: Mapping[str, int]) -> int:
    """Return what everything comes to: the tables as such, and the sums of their rows."""
    return (_made(db) + sum(sums.values())) % _MODULO


def sums_of(db: sqlite.Connection, tables: Iterable[Table]) -> Counter[str]:
    """Return what the rows of some tables come to, all of them read, by what they are kept under."""
    sums: Counter[str] = Counter()
    for table in tables:
        seed = _seed(table.name)
        if not table.of_sales:
            sums[table.name] = sum(map(zlib.crc32, images(db, table), repeat(seed)))
            continue
        query = f"SELECT record_id, CAST({table.image(table.name)} AS BLOB) FROM main.{table.name}"  # noqa: S608
        for whose, image in db.execute(query):
            sums[whose] += zlib.crc32(image, seed)
    return sums


def images_of_sale(tables: Iterable[Table]) -> str:
    """Return SQL for every row of a sale, with the table that it stands in: one statement for all of them."""
    return " UNION ALL ".join(
        f"SELECT '{one.name}', CAST({one.image(one.name)} AS BLOB) FROM main.{one.name} WHERE record_id = ?1"  # noqa: S608
        for one in tables
        if one.of_sales
    )


def sum_of_sale(db: sqlite.Connection, images: str, record_id: str) -> int:
    """Return what the rows of a sale come to, read anew by what `images_of_sale` has said."""
    return sum(zlib.crc32(image, _seed(name)) for name, image in db.execute(images, (record_id,)))


def keeps_sums(db: sqlite.Connection) -> bool:
    """Whether the journal is of a version that keeps sums."""
    return db.execute("SELECT 1 FROM main.sqlite_schema WHERE name = '_kept_sum'").fetchone() is not None


def kept_sums(db: sqlite.Connection) -> Counter[str]:
    """Return the sums as they are kept."""
    return Counter(dict(db.execute("SELECT whose, total FROM main._kept_sum").fetchall()))


def kept_sum(db: sqlite.Connection, whose: str) -> int:
    """Return a sum as it is kept, 0 when there is none."""
    row = db.execute("SELECT total FROM main._kept_sum WHERE whose = ?", (whose,)).fetchone()
    return int(row[0]) if row else 0


def kept_total(db: sqlite.Connection) -> int:
    """Return what everything comes to by the sums that are kept. None of the rows is read."""
    (total,) = db.execute("SELECT coalesce(sum(total), 0) FROM main._kept_sum").fetchone()
    return int((_made(db) + total) % _MODULO)


def keep_sums(db: sqlite.Connection, by: Mapping[str, int]) -> None:
    """Change the sums that are kept, in the caller's transaction."""
    db.executemany(
        "INSERT INTO main._kept_sum VALUES (?, ?) ON CONFLICT DO UPDATE SET total = total + excluded.total",
        list(by.items()),
    )


def images(db: sqlite.Connection, table: Table) -> Iterator[bytes]:
    """Yield every row of a table as a JSON array."""
    query = f"SELECT CAST({table.image(table.name)} AS BLOB) FROM main.{table.name} ORDER BY _rowid_"  # noqa: S608
    return map(itemgetter(0), db.execute(query))


def watch(db: sqlite.Connection, tables: Iterable[Table]) -> None:
    """Have every change of a row noted from now on, in memory and in the transaction that makes it."""
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute(
        "CREATE TEMP TABLE changed "
        "(no INTEGER PRIMARY KEY, what TEXT, row INTEGER, whose TEXT, before TEXT, after TEXT)"
    )
    for table in tables:
        for trigger in _triggers_on(table):
            db.execute(trigger)


def _triggers_on(table: Table) -> list[str]:
    name, new, old = table.name, table.image("NEW"), table.image("OLD")
    return [
        f"CREATE TEMP TRIGGER {name}_{event} AFTER {event} ON main.{name} BEGIN "  # noqa: S608
        "INSERT INTO changed (what, row, whose, before, after) "
        f"VALUES ('{name}', {row}._rowid_, {table.whose(row)}, {before}, {after}); END"
        for event, row, before, after in (
            ("INSERT", "NEW", "NULL", new),
            ("UPDATE", "NEW", old, new),
            ("DELETE", "OLD", old, "NULL"),
        )
    ]


def is_changing(db: sqlite.Connection, record_id: str) -> bool:
    """Whether the transaction under way has changed a row of a sale."""
    return db.execute("SELECT 1 FROM changed WHERE whose = ?", (record_id,)).fetchone() is not None


def take_changes(db: sqlite.Connection) -> tuple[tuple[Change, ...], Counter[str]]:
    """Return the changes of this transaction in their order, and by how much they change the sums."""
    changes: list[Change] = []
    by: Counter[str] = Counter()
    # Taken out as they are read, in no order that SQLite would promise.
    found = db.execute("DELETE FROM changed RETURNING no, what, row, whose, before, after")
    for _, what, row, whose, before, after in sorted(found, key=itemgetter(0)):
        by[whose] += _weight(what, after) - _weight(what, before)
        changes.append((what, row, GONE if after is None else msgspec.Raw(after.encode())))
    return tuple(changes), by


def add(total: int, by: Mapping[str, int]) -> int:
    """Return what everything comes to after a change of the sums."""
    return (total + sum(by.values())) % _MODULO


def put(db: sqlite.Connection, tables: Mapping[str, Table], changes: Iterable[Change]) -> Counter[str]:
    """Make changes that were noted, in their order, and return by how much they change the sums.

    Rows go under their own ids.
    """
    by: Counter[str] = Counter()
    for what, row, image in changes:
        table = tables[what]
        by.subtract(_row_sum(db, table, row))
        if image == GONE:
            db.execute(f"DELETE FROM {what} WHERE _rowid_ = ?", (row,))  # noqa: S608
            continue
        values = [
            one["text"].encode() if isinstance(one, dict) else one for one in msgspec.json.decode(image)
        ]
        marks = ", ".join("?" * len(values))
        # Over a row that is there: as a row that is replaced, not as a move that triggers would judge.
        db.execute(
            f"INSERT OR REPLACE INTO {what} (_rowid_, {', '.join(table.columns)}) VALUES ({marks})",  # noqa: S608
            values,
        )
        by.update(_row_sum(db, table, row))
    return by


def _row_sum(db: sqlite.Connection, table: Table, row: int) -> dict[str, int]:
    name = table.name
    query = f"SELECT {table.whose(name)}, {table.image(name)} FROM main.{name} WHERE _rowid_ = ?"  # noqa: S608
    return {whose: _weight(name, image) for whose, image in db.execute(query, (row,))}


def _made(db: sqlite.Connection) -> int:
    return sum(zlib.crc32(image) for query in _MADE for (image,) in db.execute(query))


def _weight(table: str, image: str | None) -> int:
    return 0 if image is None else zlib.crc32(image.encode(), _seed(table))


@cache
def _seed(table: str) -> int:
    return zlib.crc32(table.encode())
