"""What do books hold, as bytes that are the same wherever they lie?

The canonical text of a table: a line that names it and its columns, then a line for each row, by key; each
line a JSON array, bytes in base64. Its SHA-256 does not depend on the database, the machine, its language
or its time zone. The books' own hash is over the hashes of their tables.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, Table

from settlement.copies.books import ALL, in_order

_ENCODER = msgspec.json.Encoder()


class TableHash(msgspec.Struct, frozen=True):
    """A table, how many rows it has, and the SHA-256 of its canonical text."""

    table: str
    rows: int
    sha256: str


class Content(msgspec.Struct, frozen=True):
    """The hashes of all tables that were asked for, and the one over them."""

    sha256: str
    tables: tuple[TableHash, ...]

    def differs_from(self, other: "Content") -> list[str]:
        """Return the names of the tables that are not the same."""
        theirs = {one.table: one for one in other.tables}
        return [one.table for one in self.tables if theirs.get(one.table) != one]


def content(connection: Connection, of: Sequence[Table] = ALL) -> Content:
    """Return what the tables hold in the transaction of `connection`, reading a thousand rows at a time."""
    hashes = tuple(_of_table(connection, table) for table in of)
    return Content(hashlib.sha256(_ENCODER.encode_lines(hashes)).hexdigest(), hashes)


def text(connection: Connection, table: Table) -> Iterator[bytes]:
    """Yield a table's canonical text, piece by piece."""
    yield _ENCODER.encode([str(table.name), *(str(column.name) for column in table.columns)]) + b"\n"
    for few in in_order(connection, table):
        yield _ENCODER.encode_lines(few)


def _of_table(connection: Connection, table: Table) -> TableHash:
    whole, lines = hashlib.sha256(), 0
    for piece in text(connection, table):
        whole.update(piece)
        # A line break within a text is escaped: but for the first, every line is a row.
        lines += piece.count(b"\n")
    return TableHash(str(table.name), lines - 1, whole.hexdigest())
