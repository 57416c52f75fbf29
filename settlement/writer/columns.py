"""How does a row become the values of its table's columns, and come back?"""

import types
import typing
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import LargeBinary, Table, Text

from settlement.db import tables
from settlement.writer.rows import KINDS, Row


class Columns(msgspec.Struct, frozen=True):
    """A kind's table, the columns of its fields in their order, and the ways to and fro.

    `types` has one letter for each column: t is text, n a whole number, b bytes; capital when it may be null.
    """

    table: Table
    names: tuple[str, ...]
    key: tuple[str, ...]
    types: str
    to_values: Callable[[Any], tuple[Any, ...]]
    of_values: Callable[[Sequence[Any]], Any]

    def key_types(self) -> str:
        """Return the letters of the key's columns."""
        return "".join(self.types[self.names.index(name)] for name in self.key)


def _table_of(kind: type[Row]) -> Table:
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)[1:]
    found: Table = getattr(tables, name)
    return found


def _letter(table: Table, name: str) -> str:
    column = table.c[name]
    letter = "n"
    if isinstance(column.type, LargeBinary):
        letter = "b"
    elif isinstance(column.type, Text):
        letter = "t"
    return letter.upper() if column.nullable else letter


def _to_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _codec(hint: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    """Return how a field goes to its column and comes back; None when it stays as it is."""
    if hint is bool:
        return int, bool
    if typing.get_origin(hint) is tuple:
        return _to_text, msgspec.json.Decoder(hint).decode
    if hint in (str, int, bytes) or isinstance(hint, types.UnionType):
        return None
    raise AssertionError(f"no column holds {hint}")


def _columns(kind: type[Row]) -> Columns:
    names = kind.__struct_fields__
    hints = typing.get_type_hints(kind)
    codecs = [(place, codec) for place, name in enumerate(names) if (codec := _codec(hints[name]))]
    get = attrgetter(*names) if len(names) > 1 else lambda row: (getattr(row, names[0]),)

    def to_values(row: Row) -> tuple[Any, ...]:
        if not codecs:
            return get(row)
        values = list(get(row))
        for place, (there, _) in codecs:
            values[place] = there(values[place])
        return tuple(values)

    def of_values(found: Sequence[Any]) -> Row:
        if not codecs:
            return kind(*found)
        values = list(found)
        for place, (_, back) in codecs:
            values[place] = back(values[place])
        return kind(*values)

    table = _table_of(kind)
    letters = "".join(_letter(table, name) for name in names)
    return Columns(table, names, kind.key, letters, to_values, of_values)


COLUMNS: dict[type[Row], Columns] = {kind: _columns(kind) for kind in KINDS}
