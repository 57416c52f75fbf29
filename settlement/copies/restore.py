"""How do the books of a backup become a database again, and are they what was saved?

Into a database that is not there, or is empty; never over books. The file is held against its manifest
before, and what the database holds after. The centre is told: by an event in its log and an item for people.
Sessions are over.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, delete, inspect, text

from settlement.copies import files, manifest, pg_tools
from settlement.copies.backup import POSTGRES, SQLITE
from settlement.copies.dump import content
from settlement.copies.manifest import Manifest
from settlement.copies.restored import NoteRestore
from settlement.copies.sqlite_file import open_copy
from settlement.copies.target import CopyRefused, empty_books, refuse_books
from settlement.db import tables, version
from settlement.db.connection import engine_on, writing
from settlement.db.place import Place, Postgres, Sqlite
from settlement.db.upsert import upsert
from settlement.writer.apply import Command
from settlement.writer.step import Answer

RESTORED_FROM = "restored_from_event_no"
RESTORED_AT = "restored_at_ms"


class Restoring(msgspec.Struct, frozen=True):
    """What a restore works with: whose books and keys, a writer for the new ones, and the time."""

    programme: str
    keys: str
    submit: Callable[[Engine, Command], Answer]
    now_ms: Callable[[], int]


def restore(backup: Path, place: Place, parts: Restoring) -> Manifest:
    """Restore a backup into `place` and tell the centre that it was. Raises CopyRefused, ManifestWrong.

    On SQLite there is all of it or nothing, on PostgreSQL all or nothing but the note.
    """
    found = manifest.read(backup)
    refuse_unfit(found, parts.programme, parts.keys)
    with put_back(found, backup, place) as engine:
        _note(engine, found, parts)
    return found


def refuse_unfit(found: Manifest, programme: str, keys: str) -> None:
    """Raise CopyRefused when a backup is not this centre's, or not of this version."""
    if found.programme != programme:
        raise CopyRefused(f"the backup is of programme {found.programme}, not {programme}. Use another one")
    if found.keys != keys:
        raise CopyRefused(
            "the keys here are not those of the backup: no promise in it could be checked. "
            "Put the saved keys into the folder that `keys` names first"
        )
    if found.books.revision != version.NEWEST:
        raise CopyRefused(
            f"the backup has tables of version {found.books.revision}, this software {version.NEWEST}. "
            "Restore it with the software that made it, then run `settlement init` with this one"
        )


@contextmanager
def put_back(found: Manifest, backup: Path, place: Place) -> Iterator[Engine]:
    """Put a backup's books into `place` and give an engine on them; they are there when the block has ended.

    Raises CopyRefused, DatabaseDown.
    """
    if found.database != (SQLITE if isinstance(place, Sqlite) else POSTGRES):
        raise CopyRefused(
            f"the backup is of {found.database}, and {place} is not. Restore it where it is from, "
            "then run `settlement move`"
        )
    way = _into_file if isinstance(place, Sqlite) else _into_server
    with way(found, backup, place) as engine:  # type: ignore[arg-type]  # the way is of the place
        yield engine


@contextmanager
def _into_file(found: Manifest, backup: Path, place: Sqlite) -> Iterator[Engine]:
    _refuse_file(place)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(place.path) as unfinished:
        files.copy(backup, unfinished)
        with open_copy(unfinished).begin() as copy:
            said = copy.execute(text("PRAGMA integrity_check")).scalars().all()
            if said != ["ok"]:
                raise CopyRefused(f"SQLite finds the copy damaged: {said[0]}. Use another backup")
            _compare(copy, found)
        engine = engine_on(Sqlite(unfinished))
        try:
            yield engine
            # Whatever was written has to lie in the one file that is put in place.
            with engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        finally:
            engine.dispose()


def _refuse_file(place: Sqlite) -> None:
    refuse_books(place)
    if place.path.exists() and place.path.stat().st_size > 0:
        empty_books(place).dispose()
    for beside in ("-wal", "-journal"):
        left = place.path.with_name(place.path.name + beside)
        if left.exists() and left.stat().st_size > 0:
            raise CopyRefused(
                f"{left} is of a database that was there. SQLite would mix it into the books: move it away"
            )


@contextmanager
def _into_server(found: Manifest, backup: Path, place: Postgres) -> Iterator[Engine]:
    refuse_books(place)
    engine = engine_on(place)
    try:
        with engine.connect() as connection:
            if inspect(connection).get_table_names():
                raise CopyRefused(f"{place} has tables already. Name an empty database")
        pg_tools.put_back(backup, place)
        with engine.begin() as connection:
            _compare(connection, found)
        yield engine
    finally:
        engine.dispose()


def _compare(connection: Connection, found: Manifest) -> None:
    wrong = found.books.content.differs_from(content(connection))
    if wrong:
        raise CopyRefused(f"what was restored is not what was saved: {', '.join(wrong)}. Use another backup")


def _note(engine: Engine, found: Manifest, parts: Restoring) -> None:
    with writing(engine) as connection:
        # Who logged in before may have been disabled since, of which these books know nothing.
        connection.execute(delete(tables.user_session))
        for name, value in ((RESTORED_FROM, found.books.events), (RESTORED_AT, parts.now_ms())):
            note_meta(connection, name, str(value))
    parts.submit(engine, NoteRestore(found.books.events, found.sha256, found.taken_ms))


def note_meta(connection: Connection, name: str, value: str) -> None:
    """Put a value under a name of `meta`."""
    statement = upsert(connection, tables.meta).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
