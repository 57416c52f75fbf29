"""How are the books saved while the service works on them?

What is copied is one state of the books, whatever is written meanwhile: SQLite's own backup, page by page,
under a transaction that sees that state, or `pg_dump` of an exported snapshot. The keys are never part of it.
"""

from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2
from sqlalchemy import Connection, Engine, text

from settlement.copies import files, manifest, pg_tools
from settlement.copies.dump import content
from settlement.copies.manifest import Books, Manifest
from settlement.copies.sqlite_file import open_copy
from settlement.copies.target import CopyRefused
from settlement.db.connection import reading
from settlement.db.place import Place, Sqlite
from subsidy import calendar

_PAGES = 1000
SQLITE = "sqlite"
POSTGRES = "postgresql"


def name_of(programme: str, place: Place, at_ms: int) -> str:
    """Return how a backup is called: programme and time, in UTC."""
    when = calendar.from_ms(at_ms).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    kind = "sqlite3" if isinstance(place, Sqlite) else "pgdump"
    return f"{quote(programme, safe='')}-{when}.{kind}"


def back_up(engine: Engine, place: Place, file: Path, programme: str, keys: str, at_ms: int) -> Manifest:
    """Save the books into `file`, its manifest beside it. Raises CopyRefused, DatabaseDown, OSError."""
    refuse_written(file)
    with files.whole(file) as unfinished:
        with reading(engine) as connection:
            books = manifest.describe(connection)
            _copy(connection, place, unfinished)
        if isinstance(place, Sqlite):
            _prove(unfinished, books)
        made = Manifest(
            v=1,
            programme=programme,
            database=SQLITE if isinstance(place, Sqlite) else POSTGRES,
            taken_ms=at_ms,
            keys=keys,
            books=books,
            size=unfinished.stat().st_size,
            sha256=files.sha256_of(unfinished),
        )
    manifest.write(file, made)
    return made


def refuse_written(file: Path) -> None:
    """Raise CopyRefused when a backup of this name is there, or a part of one."""
    for there in (file, manifest.beside(file)):
        if there.exists():
            raise CopyRefused(
                f"{there} is there already, and a backup is never written over. Name another file"
            )


def _copy(connection: Connection, place: Place, file: Path) -> None:
    if not isinstance(place, Sqlite):
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        pg_tools.dump(place, str(snapshot), file)
        return
    source: Any = connection.connection.driver_connection
    target = pysqlite3.dbapi2.connect(str(file))
    try:
        # The open transaction keeps its state: a writer beside it does not make the copy start again.
        source.backup(target, pages=_PAGES)
        # One plain file, which needs no log beside it.
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()


def _prove(file: Path, books: Books) -> None:
    with open_copy(file).begin() as copy:
        if content(copy) != books.content:
            raise CopyRefused("the copy does not hold what the books hold. Check the disk, then try again")
