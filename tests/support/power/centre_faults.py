"""What do the centre's books do when the disk is full or broken at any operation?

It must be said, nothing changed, and what was asked must work once the disk does again.
"""

import shutil
from pathlib import Path

from books import Books
from busy_books import keep_busy
from power.centre_cuts import digest
from power.every_operation import Trial
from power.kinds import Piece
from power.recorded_sqlite import RecordedSqlite
from power.scratch import fast_folder
from sqlalchemy.exc import DBAPIError

from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.db.place import DatabaseDown
from settlement.writer.apply import Command
from settlement.writer.step import Answer


class _Down(Exception):
    """The books could not be written, as whoever asked is told."""


class FaultyBooks(Books):
    """Books whose every batch fails at its operations before it is done."""

    def __init__(self, folder: Path, trial: Trial) -> None:
        super().__init__(folder)
        self.disk: RecordedSqlite | None = None
        self._trial = trial
        self._database = folder / "centre.sqlite3"

    def write(self, *commands: Command) -> list[Answer]:
        """Run the commands as one batch, in the end."""
        assert self.disk is not None
        before = digest(self._database)

        def act() -> list[Answer]:
            try:
                return self.writer.write_now(list(commands))
            except (DBAPIError, DatabaseDown) as wrong:
                raise _Down(str(getattr(wrong, "orig", wrong))) from wrong

        def check() -> str:
            return "" if digest(self._database) == before else "what failed has changed something"

        return self._trial.run(self.disk, act, _Down, check)


def try_books(kind: str, stride: int = 1, seed: int = 0) -> Trial:
    """Keep books busy with one kind of fault and return what came of it."""
    folder = fast_folder("centre-fault-")
    trial = Trial(kind, stride, seed)
    try:
        books = FaultyBooks(folder, trial)
        with RecordedSqlite(folder) as disk:
            books.disk = disk
            keep_busy(books)
        books.check()
        with reading(books.engine) as connection:
            done = rebuild(connection, open_scratch(folder / "anew.sqlite3"))
        trial.wrong += list(done.faults)
        books.engine.dispose()
    finally:
        shutil.rmtree(folder)
    return trial


def piece(seed: int, kind: str) -> Piece:
    """Meet one kind of fault at each operation of each act."""
    return try_books(kind, 1, seed).piece()
