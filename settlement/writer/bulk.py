"""How do many rows come from a table, or go into it, with one statement for each table?

SQLite lies in this process: a statement that is kept ready is run for each row. PostgreSQL gets one statement
with the columns as arrays, and as many as can be in one round trip: after each, the writer's thread waits for
its turn in Python too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Protocol

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Connection

from settlement.db.connection import TAKE_TURN
from settlement.writer.batch import (
    BalancesOf,
    BalancesOfYear,
    ClaimsOf,
    Every,
    HeldBy,
    InUse,
    LinesOf,
    UnclaimedOf,
)
from settlement.writer.columns import COLUMNS
from settlement.writer.rows import Claim, ClaimPayment, ClosedYear, EntryRow, Row

Key = tuple[Any, ...]
Values = Sequence[tuple[Any, ...]]


# What the database lets nobody change; the service's role has no right to.
_ADDED_ONLY: tuple[type[Row], ...] = (EntryRow, Claim, ClaimPayment, ClosedYear)


class Into(msgspec.Struct, frozen=True):
    """A table with the columns that are filled, their types as in `Columns`, and the key that may be there.

    Without a key a row that is there is an error.
    """

    table: str
    names: tuple[str, ...]
    types: str
    key: tuple[str, ...] = ()


Turn = tuple[int, int]
"""(epoch, number of the batch): what the row of `writer` says once it was taken."""


class Bulk(Protocol):
    """Many rows at once, in the transaction of one connection."""

    def take_turn(self, wanted: Mapping[type[Row], Sequence[Key]]) -> tuple[Turn | None, Iterable[Row]]:
        """Take the row of `writer`, and return what it says with the rows that are there then.

        There is no turn when the books are closed.
        """

    def at_once(self) -> AbstractContextManager[object]:
        """Let what is put within, and its commit, go to the database together; errors come last."""

    def get(self, wanted: Mapping[type[Row], Sequence[Key]]) -> Iterable[Row]:
        """Return the rows that are there of those that are wanted."""

    def every(self, wanted: Every) -> Iterable[Row]:
        """Return every row that meets `wanted`, in order of their key."""

    def put(self, tables: Sequence[tuple[Into, Values]]) -> None:
        """Put the rows of each table; no row may come twice."""


def bulk_on(connection: Connection) -> Bulk:
    """Return the way that suits the connection's database."""
    raw: Any = connection.connection.driver_connection
    return _Postgres(raw) if connection.dialect.name == "postgresql" else _Sqlite(raw)


@cache
def into(kind: type[Row], is_new: bool) -> Into:
    """Return how rows of a kind are put: over the one with their key, or, where none can be, added.

    To look whether one is there costs another way through the index.
    """
    columns = COLUMNS[kind]
    key = () if is_new or kind in _ADDED_ONLY else columns.key
    return Into(columns.table.name, columns.names, columns.types, key)


def _on_conflict(one: Into) -> str:
    if not one.key:
        return ""
    rest = [name for name in one.names if name not in one.key]
    what = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in rest)}" if rest else "NOTHING"
    return f" ON CONFLICT ({', '.join(one.key)}) DO {what}"


class _Sqlite:
    def __init__(self, raw: Any) -> None:
        self._cursor = raw.cursor()

    def take_turn(self, wanted: Mapping[type[Row], Sequence[Key]]) -> tuple[Turn | None, Iterable[Row]]:
        turn = self._cursor.execute(TAKE_TURN).fetchone()
        return turn, self.get(wanted)

    def at_once(self) -> AbstractContextManager[object]:
        return nullcontext()

    def get(self, wanted: Mapping[type[Row], Sequence[Key]]) -> Iterable[Row]:
        for kind, keys in wanted.items():
            query, of_values = _select_one(kind), COLUMNS[kind].of_values
            for key in keys:
                found = self._cursor.execute(query, key).fetchone()
                if found is not None:
                    yield of_values(found)

    def every(self, wanted: Every) -> Iterable[Row]:
        found = self._cursor.execute(_select_every(type(wanted), "?"), astuple(wanted))
        return map(COLUMNS[wanted.kind].of_values, found)

    def put(self, tables: Sequence[tuple[Into, Values]]) -> None:
        for one, values in tables:
            self._cursor.executemany(_insert_one(one), values)


@cache
def _select_one(kind: type[Row]) -> str:
    columns = COLUMNS[kind]
    condition = " AND ".join(f"{name} = ?" for name in columns.key)
    return f"SELECT {', '.join(columns.names)} FROM {columns.table.name} WHERE {condition}"  # noqa: S608


_CONDITIONS: dict[type[Every], str] = {
    HeldBy: "device = {} AND epoch = {} AND state = 'HELD'",
    UnclaimedOf: "merchant = {} AND placed_at_ms < {} AND state IN ('PAYABLE', 'BLOCKED')",
    ClaimsOf: "merchant = {} AND day = {}",
    LinesOf: "claim = {}",
    BalancesOf: "funder = {} AND year = {} AND pool = {}",
    BalancesOfYear: "year = {}",
    InUse: "replaced = 0",
}
"""What `meets` says as the database is asked it, with places for the fields in their order."""


@cache
def _select_every(kind: type[Every], place: str) -> str:
    columns = COLUMNS[kind.kind]
    condition = _CONDITIONS[kind].format(*(place for _ in kind.__struct_fields__))
    names, order = ", ".join(columns.names), ", ".join(columns.key)
    return f"SELECT {names} FROM {columns.table.name} WHERE {condition} ORDER BY {order}"  # noqa: S608


@cache
def _insert_one(one: Into) -> str:
    places = ", ".join("?" for _ in one.names)
    names = ", ".join(one.names)
    return f"INSERT INTO {one.table} ({names}) VALUES ({places}){_on_conflict(one)}"  # noqa: S608


class _Postgres:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def take_turn(self, wanted: Mapping[type[Row], Sequence[Key]]) -> tuple[Turn | None, Iterable[Row]]:
        with self._raw.pipeline():
            turn = self._raw.cursor(binary=True).execute(TAKE_TURN, prepare=True)
            asked = self._ask(wanted)
        return turn.fetchone(), _found(asked)

    def at_once(self) -> AbstractContextManager[object]:
        pipeline: AbstractContextManager[object] = self._raw.pipeline()
        return pipeline

    def get(self, wanted: Mapping[type[Row], Sequence[Key]]) -> Iterable[Row]:
        with self._raw.pipeline():
            asked = self._ask(wanted)
        return _found(asked)

    def _ask(self, wanted: Mapping[type[Row], Sequence[Key]]) -> list[tuple[type[Row], Any]]:
        asked = []
        for kind, keys in wanted.items():
            cursor = self._raw.cursor(binary=True)
            arrays = _arrays(COLUMNS[kind].key_types(), keys)
            asked.append((kind, cursor.execute(_select_many(kind), arrays, prepare=True)))
        return asked

    def every(self, wanted: Every) -> Iterable[Row]:
        query = _select_every(type(wanted), "%s")
        cursor = self._raw.cursor(binary=True).execute(query, astuple(wanted), prepare=True)
        return map(COLUMNS[wanted.kind].of_values, cursor)

    def put(self, tables: Sequence[tuple[Into, Values]]) -> None:
        arrays = [array for one, values in tables for array in _arrays(one.types, values)]
        self._raw.cursor().execute(_insert_all(tuple(one for one, _ in tables)), arrays, prepare=True)


def _found(asked: Iterable[tuple[type[Row], Any]]) -> Iterator[Row]:
    for kind, cursor in asked:
        of_values = COLUMNS[kind].of_values
        for found in cursor.fetchall():
            yield of_values(found)


_SQL_TYPES = {"t": "text", "n": "bigint", "b": "bytea"}


def _unnest(types: str) -> str:
    return f"unnest({', '.join(f'%s::{_SQL_TYPES[one.lower()]}[]' for one in types)})"


@cache
def _select_many(kind: type[Row]) -> bytes:
    columns = COLUMNS[kind]
    table = columns.table.name
    names = ", ".join(f"{table}.{name}" for name in columns.names)
    keys = ", ".join(f"k{place}" for place, _ in enumerate(columns.key))
    same = " AND ".join(f"{table}.{name} = k{place}" for place, name in enumerate(columns.key))
    asked = f"{_unnest(columns.key_types())} AS asked ({keys})"
    return f"SELECT {names} FROM {asked} JOIN {table} ON {same}".encode()  # noqa: S608


@cache
def _insert_all(tables: tuple[Into, ...]) -> bytes:
    """Return one statement that puts the rows of many tables: each more would cost its own way through."""
    inserts = [
        f"put_{number} AS (INSERT INTO {one.table} ({', '.join(one.names)}) "  # noqa: S608
        f"SELECT * FROM {_unnest(one.types)}{_on_conflict(one)})"
        for number, one in enumerate(tables)
    ]
    return f"WITH {', '.join(inserts)} SELECT 1".encode()


def _arrays(types: str, rows: Values) -> list[str]:
    """Return the columns of `rows` as PostgreSQL writes arrays, which its driver would take long to do."""
    return [_WRITE[one](column) for one, column in zip(types, zip(*rows, strict=True), strict=True)]


def _numbers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _maybe_numbers(values: Sequence[int | None]) -> str:
    return "{" + ",".join(["NULL" if one is None else str(one) for one in values]) + "}"


def _texts(values: Sequence[str]) -> str:
    whole = '","'.join(values)
    # Nearly always there is nothing to escape but what stands between them.
    if "\\" in whole or whole.count('"') != 2 * (len(values) - 1):
        whole = '","'.join([_escaped(one) for one in values])
    return '{"' + whole + '"}'


def _maybe_texts(values: Sequence[str | None]) -> str:
    if None not in values:
        return _texts(values)  # type: ignore[arg-type]  # there is none
    return "{" + ",".join(["NULL" if one is None else f'"{_escaped(one)}"' for one in values]) + "}"


def _bytes(values: Sequence[bytes]) -> str:
    return '{"\\\\x' + '","\\\\x'.join([one.hex() for one in values]) + '"}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


_WRITE: dict[str, Any] = {
    "n": _numbers,
    "N": _maybe_numbers,
    "t": _texts,
    "T": _maybe_texts,
    "b": _bytes,
}
