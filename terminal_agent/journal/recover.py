"""How do the journal's database and its black box come to agree, and how is one made from the other?

At a start the black box may be ahead: a power cut came between the two, or the database's log was damaged and
SQLite has dropped its end. What is ahead is put into the database. The black box is never behind.
"""

from pathlib import Path

import msgspec
import pysqlite3.dbapi2 as sqlite
from msgspec.structs import replace
from sqlite_utils import Database

from terminal_agent import system
from terminal_agent.journal import black_box, watch
from terminal_agent.journal.black_box import GONE, START, BlackBox, Frame, Place
from terminal_agent.journal.connection import (
    MEND,
    JournalConnection,
    JournalDamaged,
    JournalDown,
    Row,
    row_of,
    write_row,
)
from terminal_agent.journal.schema import migrations
from terminal_agent.journal.watch import Table

_ROWS_A_FRAME = 1000


class Folded(msgspec.Struct, frozen=True):
    """What a black box comes to: every row as it was last written."""

    path: Path
    generation: int
    at: Place
    total: int
    migrations: tuple[str, ...]
    rows: dict[tuple[str, int], bytes]
    is_to_its_end: bool


def settle(db: JournalConnection, journal: Path) -> BlackBox | None:
    """Bring the database to where its black box is, and return that; None when one has to be begun.

    Raises JournalDamaged.
    """
    row = row_of(db)
    if row is None:
        if black_box.generations_of(journal):
            raise JournalDamaged(f"{journal} has lost its tables. {MEND}")
        return None
    if row.head is None:
        return None
    path = black_box.path_of(journal, row.generation)
    if not path.exists():
        return None
    box = BlackBox(path, Place(row.size, row.head))
    if box.size < row.size:
        box.close()
        return None
    if box.size > row.size:
        for stored in box.rest():
            _follow(db, box, stored.frame, stored.after)
        box.take_back()
    return box


def begin(db: JournalConnection, journal: Path) -> BlackBox:
    """Begin a new black box with a copy of all rows, and return it.

    Whoever calls this has looked at all of them.
    """
    row = row_of(db)
    assert row is not None
    tables = watch.tables_of(db)
    sums = watch.sums_of(db, tables)
    total = watch.total_of(db, sums)
    generation = row.generation + 1
    path = black_box.path_of(journal, generation)
    path.unlink(missing_ok=True)
    box = BlackBox(path, Place(0, START))
    box.keep(box.write(Frame(migrations=tuple(one.name for one in migrations.applied(Database(db))))))
    for table in tables:
        rows = list[black_box.Change]()
        for image in watch.images(db, table):
            rows.append((table.name, _id_of(image), msgspec.Raw(image)))
            if len(rows) == _ROWS_A_FRAME:
                box.keep(box.write(Frame(changes=tuple(rows))))
                rows.clear()
        box.keep(box.write(Frame(changes=tuple(rows))))
    box.keep(box.write(Frame(total=total)))
    box.sync()
    system.sync_folder(path.parent)
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM _kept_sum")
    watch.keep_sums(db, sums)
    write_row(db, Row(generation, box.at.size, box.at.head, total))
    db.execute("COMMIT")
    for old in black_box.generations_of(journal):
        if old < generation:
            black_box.path_of(journal, old).unlink()
    return box


def leave(db: JournalConnection) -> None:
    """Say that the black box in use ends here: the tables are about to change."""
    row = row_of(db)
    assert row is not None
    write_row(db, replace(row, head=None))


def fold(journal: Path) -> Folded | None:
    """Return what the newest black box that can be used comes to, None when none can."""
    for generation in black_box.generations_of(journal):
        if (found := _fold(journal, generation)) is not None:
            return found
    return None


def make_again(folded: Folded, into: Path) -> None:
    """Make a new database at `into` out of a black box. Raises JournalDown when it is not what it says."""
    db = sqlite.connect(str(into), isolation_level=None)
    try:
        db.execute("PRAGMA synchronous=FULL")
        database = Database(db)
        later = [one.name for one in migrations.pending(database) if one.name not in folded.migrations]
        migrations.apply(database, stop_before=later)
        db.execute("BEGIN IMMEDIATE")
        tables = {one.name: one for one in watch.tables_of(db)}
        rows = ((what, row, msgspec.Raw(image)) for (what, row), image in folded.rows.items())
        sums = watch.put(db, tables, rows)
        if watch.keeps_sums(db):
            watch.keep_sums(db, sums)
        write_row(db, Row(folded.generation, folded.at.size, folded.at.head, folded.total))
        db.execute("COMMIT")
        read = watch.sums_of(db, tables.values())
        if watch.total_of(db, read) != folded.total or db.execute("PRAGMA foreign_key_check").fetchone():
            raise JournalDown(
                f"{folded.path} does not come to what it says. Keep all files, call the platform"
            )
    finally:
        db.close()


def _fold(journal: Path, generation: int) -> Folded | None:
    path = black_box.path_of(journal, generation)
    content = path.read_bytes()
    rows: dict[tuple[str, int], bytes] = {}
    at, total, made = Place(0, START), None, tuple[str, ...]()
    for stored in black_box.frames(content, at):
        for what, row, image in stored.frame.changes:
            if image == GONE:
                rows.pop((what, row), None)
            else:
                rows[what, row] = bytes(image)
        made = stored.frame.migrations or made
        at, total = stored.after, stored.frame.total if stored.frame.total is not None else total
    if total is None:
        return None
    return Folded(path, generation, at, total, made, rows, at.size == len(content))


def _follow(db: JournalConnection, box: BlackBox, frame: Frame, after: Place) -> None:
    """Put a frame that the database does not have into it."""
    assert frame.total is not None
    tables: dict[str, Table] = {one.name: one for one in watch.tables_of(db)}
    row = row_of(db)
    assert row is not None
    db.execute("BEGIN IMMEDIATE")
    by = watch.put(db, tables, frame.changes)
    if watch.keeps_sums(db):
        watch.keep_sums(db, by)
    write_row(db, Row(row.generation, after.size, after.head, frame.total))
    if watch.add(row.total, by) != frame.total:
        db.execute("ROLLBACK")
        raise JournalDamaged(f"The black box does not fit the journal. {MEND}")
    db.execute("COMMIT")
    box.keep(after)


def _id_of(image: bytes) -> int:
    return int(image[1 : image.index(b",")])
