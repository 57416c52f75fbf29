"""How does a file get into the books: once, whole, and never changed?

A file and all its rows are loaded in one transaction. The same bytes again change nothing. Other bytes for
the same source and day are refused, unless they are to replace the file: then they count, and the
file before stays on record.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, insert, select

from settlement.db import tables
from settlement.reconcile.expect import day_of
from settlement.reconcile.lines import FileRead, Line, Moved
from settlement.reconcile.sales import Registered


class OtherBytes(Exception):
    """A file of this source and day is in the books, and it is another one."""

    def __init__(self, file: FileRead) -> None:
        super().__init__(
            f"{file.source} has another file of {file.day} on record. Look at both; to let the new one "
            f"count, run again with --replace {file.source}"
        )
        self.source = file.source


def counting(connection: Connection, since: str = "") -> dict[tuple[str, str], Registered]:
    """Return the file that counts, by source and day, of the days from `since` (2026-01-31) on."""
    c = tables.channel_file.c
    query = select(tables.channel_file).where(c.day >= since).order_by(c.source, c.day, c.version)
    return {(row.source, row.day): _registered(row) for row in connection.execute(query)}


def is_new(
    file: FileRead, known: dict[tuple[str, str], Registered], replace: Iterable[str], at_ms: int
) -> bool:
    """Whether `file` is to be loaded. Raises OtherBytes."""
    before = known.get((file.source, file.day))
    if before is None:
        return True
    if (before.sha256, before.is_none) == (file.sha256, file.is_none):
        # What came on its own day proved nothing yet; that it is the same when the day is over does.
        return not before.whole and day_of(at_ms) > file.day
    if file.source not in replace:
        raise OtherBytes(file)
    return True


def as_registered(file: FileRead, before: Registered | None, at_ms: int) -> Registered:
    """Return the file as it will stand in the books."""
    return Registered(
        source=file.source,
        day=file.day,
        version=1 if before is None else before.version + 1,
        layout=file.layout,
        sha256=file.sha256,
        rows=len(file.lines),
        sale_fen=file.sale_fen,
        back_fen=file.back_fen,
        is_none=file.is_none,
        registered_ms=at_ms,
        whole=day_of(at_ms) > file.day,
    )


def load(connection: Connection, files: Sequence[FileRead], replace: Iterable[str], at_ms: int) -> None:
    """Put the files that are new into the books, in the transaction of `connection`. Raises OtherBytes."""
    known = counting(connection)
    for file in files:
        if not is_new(file, known, replace, at_ms):
            continue
        row = as_registered(file, known.get((file.source, file.day)), at_ms)
        known[file.source, file.day] = row
        flags = {"is_none": int(row.is_none), "whole": int(row.whole)}
        connection.execute(insert(tables.channel_file), msgspec.to_builtins(row) | flags)
        if file.lines:
            connection.execute(insert(tables.channel_line), [_values(one, row.version) for one in file.lines])


def line_of(row: object) -> Line:
    """Return a stored row."""
    names = (name for name in Line.__struct_fields__ if name != "kind")
    return Line(**{name: getattr(row, name) for name in names}, kind=Moved(getattr(row, "kind")))  # noqa: B009


def _values(line: Line, version: int) -> dict[str, object]:
    return {**msgspec.to_builtins(line), "version": version, "sale": line.sale}


def _registered(row: object) -> Registered:
    values = {name: getattr(row, name) for name in Registered.__struct_fields__}
    return Registered(**values | {"is_none": bool(values["is_none"]), "whole": bool(values["whole"])})
