"""Could the books be restored today?

The newest backup is put back in a place of its own, proved, and thrown away.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from settlement.copies import manifest
from settlement.copies.backup import SQLITE
from settlement.copies.drilled import LAST_DRILL
from settlement.copies.dump import content
from settlement.copies.log import head_at
from settlement.copies.manifest import Manifest
from settlement.copies.rebuild import rebuild
from settlement.copies.restore import note_meta, put_back, refuse_unfit
from settlement.copies.sqlite_file import open_scratch
from settlement.copies.target import CopyRefused
from settlement.db.connection import reading, writing
from settlement.db.place import Place, Postgres, Sqlite
from settlement.ledger import read_books
from settlement.people import audit

_MAY_NOT_CREATE = text(
    "SELECT rolname FROM pg_roles WHERE rolname = current_user AND NOT rolcreatedb AND NOT rolsuper"
)


class Step(msgspec.Struct, frozen=True):
    """One part of a drill, how long it took, and what is wrong; nothing when it is well."""

    name: str
    seconds: float
    faults: tuple[str, ...]


class Drill(msgspec.Struct, frozen=True):
    """A drill that has ended."""

    backup: str
    manifest: Manifest
    steps: tuple[Step, ...]

    def is_good(self) -> bool:
        """Whether everything was proved."""
        return not any(one.faults for one in self.steps)


class Drilling(msgspec.Struct, frozen=True):
    """What a drill works with: the live books, whose they are, clocks, and a name nobody has used."""

    engine: Engine
    place: Place
    programme: str
    keys: str
    now_ms: Callable[[], int]
    clock_us: Callable[[], int]
    unused: str


def drill(folder: Path, parts: Drilling) -> Drill:
    """Restore the newest backup of `folder` beside the live books, prove it, and note when it was good.

    Raises ManifestWrong, CopyRefused, DatabaseDown.
    """
    backup = manifest.newest(folder)
    steps: list[Step] = []

    def timed(name: str, prove: Callable[[], list[str]]) -> None:
        began_us = parts.clock_us()
        faults = tuple(prove())
        steps.append(Step(name, (parts.clock_us() - began_us) / 1_000_000, faults))

    began_us = parts.clock_us()
    found = manifest.read(backup)
    refuse_unfit(found, parts.programme, parts.keys)
    with _scratch(found, parts) as (place, room), put_back(found, backup, place) as restored:
        steps.append(
            Step("restored, and its hash is the manifest's", (parts.clock_us() - began_us) / 1e6, ())
        )
        timed("postings sum to zero, balances are their fold", lambda: _verify(restored))
        timed("the books are what their events make", lambda: _rebuild(restored, room))
        timed("the hash is still the manifest's", lambda: _compare(restored, found))
        timed("the live log goes on from the backup's", lambda: _goes_on(parts.engine, found))
        timed("the live audit goes on from the backup's", lambda: _audit_goes_on(parts.engine, restored))
    done = Drill(str(backup), found, tuple(steps))
    if done.is_good():
        with writing(parts.engine) as connection:
            note_meta(connection, LAST_DRILL, str(parts.now_ms()))
    return done


@contextmanager
def _scratch(found: Manifest, parts: Drilling) -> Iterator[tuple[Place, Path]]:
    """Give a place for the restored books and a folder beside; nothing is left of either."""
    with tempfile.TemporaryDirectory(prefix="drill-") as room:
        if found.database == SQLITE:
            yield Sqlite(Path(room) / "restored.sqlite3"), Path(room)
            return
        if not isinstance(parts.place, Postgres):
            raise CopyRefused(
                "the backup is of a PostgreSQL database. Drill it where the books are on PostgreSQL"
            )
        url = make_url(parts.place.url)
        name = f"{url.database}_drill_{parts.unused}"
        _refuse_role(parts.engine)
        # A server's databases have its own encoding, unless they are told.
        _on_server(parts.engine, f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
        try:
            yield Postgres(url.set(database=name).render_as_string(hide_password=False)), Path(room)
        finally:
            _on_server(parts.engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _refuse_role(engine: Engine) -> None:
    with reading(engine) as connection:
        role = connection.execute(_MAY_NOT_CREATE).scalar_one_or_none()
    if role is not None:
        raise CopyRefused(
            f"a drill restores into a database of its own, and the role {role} may not create one. "
            f"Let the server's administrator run ALTER ROLE {role} CREATEDB, or drill as a role that may: "
            "--set database=postgresql://..."
        )


def _on_server(engine: Engine, statement: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))


def _verify(restored: Engine) -> list[str]:
    with reading(restored) as connection:
        return list(read_books.faults(connection))


def _rebuild(restored: Engine, room: Path) -> list[str]:
    with reading(restored) as connection:
        return list(rebuild(connection, open_scratch(room / "anew.sqlite3")).faults)


def _compare(restored: Engine, found: Manifest) -> list[str]:
    with reading(restored) as connection:
        wrong = found.books.content.differs_from(content(connection))
    return [f"{table} is not what was saved" for table in wrong]


def _goes_on(live: Engine, found: Manifest) -> list[str]:
    """Whether nobody has rewritten what was saved: its newest event stands in the live log as it was."""
    with reading(live) as connection:
        head = head_at(connection, found.books.events)
    return [] if head == found.books.head else [f"event {found.books.events} is not the one that was saved"]


def _audit_goes_on(live: Engine, restored: Engine) -> list[str]:
    """Whether nobody has cut or rewritten the audit that was saved: its newest entry stands as it was."""
    with reading(restored) as connection:
        entry_no, entry_hash = audit.newest(connection)
    with reading(live) as connection:
        is_here = audit.stands(connection, entry_no, entry_hash)
    return [] if is_here else [f"entry {entry_no} of the audit is not the one that was saved"]
