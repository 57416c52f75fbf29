"""When is a transaction of the journal done? When its frame is in the black box and it is in the database.

The frame is on the disk first. A transaction that fails after that is taken out of the black box again, and
one that was cut off between the two is finished at the next start (`recover.py`).
"""

import contextlib
import zlib

import msgspec
import pysqlite3.dbapi2 as sqlite

from terminal_agent.journal import watch
from terminal_agent.journal.black_box import BlackBox, Frame


class JournalDown(Exception):
    """The journal cannot be used. The message says why and what to do."""


class JournalDamaged(JournalDown):
    """What the journal says is not what was written to it."""


class NotEnrolled(Exception):
    """The journal belongs to no device yet. The message says what to do."""


class Row(msgspec.Struct, frozen=True):
    """What a journal says of its black box. Without a head none is in use."""

    generation: int
    size: int
    head: str | None
    total: int

    @property
    def own(self) -> int:
        """What tells that nothing of this was changed on the disk."""
        return zlib.crc32(f"{self.generation} {self.size} {self.head} {self.total}".encode())


class JournalConnection(sqlite.Connection):  # type: ignore[misc]
    """The journal's one connection. End by `commit`: the statement COMMIT would leave the black box out."""

    box: BlackBox | None = None
    generation, total = 0, 0
    _stuck = False  # a frame that was not committed could not be taken back yet
    _images_of_sale = ""
    _trusted: set[str]

    def keep_in(self, box: BlackBox, row: Row) -> None:
        """Write every transaction from now on into `box` too, which is as `row` says."""
        self.box = box
        self.generation, self.total = row.generation, row.total
        tables, self._trusted = watch.tables_of(self), set()
        self._images_of_sale = watch.images_of_sale(tables)
        watch.watch(self, tables)

    def trust(self, record_id: str) -> None:
        """Return when the rows of a sale are what was written; it is looked at once in a process's life.

        Raises JournalDamaged.
        """
        if self.box is None or record_id in self._trusted:
            return
        if self.in_transaction and watch.is_changing(self, record_id):
            # Its sum is kept at the commit. What was damaged before stays so, and is found later.
            return
        if watch.sum_of_sale(self, self._images_of_sale, record_id) != watch.kept_sum(self, record_id):
            raise JournalDamaged(f"The journal is damaged: sale {record_id} is not what was written. {MEND}")
        self._trusted.add(record_id)

    def doubt(self) -> None:
        """Have the next start look at the whole journal."""
        # Where not even this can be written, the start will find out by itself.
        with contextlib.suppress(sqlite.Error):
            self.execute("UPDATE black_box SET doubted = 1")

    def commit(self) -> None:
        """Make the transaction durable in black box and database, or leave both as they were and raise."""
        if self.box is None or not self.in_transaction:
            super().commit()
            return
        if self._stuck:
            self.box.take_back()
            self._stuck = False
        changes, by = watch.take_changes(self)
        if not changes:
            super().commit()
            return
        total = watch.add(self.total, by)
        try:
            place = self.box.write(Frame(changes=changes, total=total))
            watch.keep_sums(self, by)
            write_row(self, Row(self.generation, place.size, place.head, total))
            self.box.sync()
            super().commit()
        except BaseException:
            self._take_back(self.box)
            raise
        self.box.keep(place)
        self.total = total

    def close(self) -> None:
        """Close database and black box."""
        super().close()
        if self.box is not None:
            self.box.close()
            self.box = None

    def _take_back(self, box: BlackBox) -> None:
        self._stuck = True
        super().rollback()
        box.take_back()
        self._stuck = False


def explained(wrong: sqlite.Error | OSError) -> JournalDown | None:
    """Return what a fault of disk or file means, None when it is none of those."""
    if isinstance(wrong, OSError):
        return JournalDown(f"The journal cannot be written: {wrong.strerror or wrong}. {_FREE_SPACE}")
    code = getattr(wrong, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite.SQLITE_CORRUPT, sqlite.SQLITE_NOTADB) or str(wrong).startswith(_NO_TEXT):
        return JournalDamaged(f"The journal is damaged: {wrong}. {MEND}")
    if code in _DISK:
        return JournalDown(f"The journal cannot be written: {wrong}. {_FREE_SPACE}")
    return None


def row_of(db: sqlite.Connection) -> Row | None:
    """Return what the journal says of its black box, None without the table. Raises JournalDamaged."""
    there = db.execute("SELECT 1 FROM main.sqlite_schema WHERE name = 'black_box'").fetchone()
    if there is None:
        return None
    found = db.execute("SELECT generation, size, CAST(head AS BLOB), total, own FROM black_box").fetchone()
    if found is not None:
        head = None if found[2] is None else found[2].decode("ascii", "replace")
        row = Row(found[0], found[1], head, found[3])
        if found[4] == row.own:
            return row
    raise JournalDamaged(f"The journal is damaged: it does not name its black box. {MEND}")


def write_row(db: sqlite.Connection, row: Row) -> None:
    """Say in the caller's transaction how far the black box goes, and what all rows come to."""
    db.execute(
        "UPDATE black_box SET generation = ?, size = ?, head = ?, total = ?, own = ?",
        (row.generation, row.size, row.head, row.total, row.own),
    )


MEND = "Stop the agent and run `terminal-agent mend`"
_FREE_SPACE = "Nothing was changed. Free space, look at the disk, then ask again"
_NO_TEXT = "Could not decode to UTF-8"
_DISK = (sqlite.SQLITE_FULL, sqlite.SQLITE_IOERR, sqlite.SQLITE_READONLY, sqlite.SQLITE_CANTOPEN)
