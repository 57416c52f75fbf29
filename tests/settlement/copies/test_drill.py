"""Does a drill prove that the books could be restored, say so only then, and leave nothing behind?"""

import tempfile

import postgres
import pytest
from books import POSTGRES, Books
from busy_books import keep_busy
from centre import APPROVER
from sqlalchemy import select

from settlement.copies import drill as drilling
from settlement.copies import manifest as manifests
from settlement.copies.backup import back_up
from settlement.copies.drill import Drilling, drill
from settlement.copies.drilled import LAST_DRILL
from settlement.copies.dump import content
from settlement.copies.manifest import ManifestWrong
from settlement.copies.restore import Restoring, restore
from settlement.copies.target import CopyRefused
from settlement.db import tables
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Postgres, Sqlite
from settlement.people import audit, sessions
from settlement.system import clock_us, random_bytes
from settlement.writer.writer import Writer

KEYS = "the keys of a test"


def saved(books, folder, name="one"):
    """Save the books and return the manifest."""
    folder.mkdir(exist_ok=True)
    place, at_ms = books.centre.settings.database, books.clock.now_ms()
    return back_up(books.engine, place, folder / name, "TRAINING", KEYS, at_ms)


def parts_of(books):
    """Return what a drill on these books works with."""
    return Drilling(
        engine=books.engine,
        place=books.centre.settings.database,
        programme="TRAINING",
        keys=KEYS,
        now_ms=books.clock.now_ms,
        clock_us=clock_us,
        unused="test",
    )


def last_drill(books):
    """Return when the last good drill was."""
    with reading(books.engine) as connection:
        c = tables.meta.c
        return connection.execute(select(c.value).where(c.name == LAST_DRILL)).scalar_one_or_none()


@pytest.fixture
def left_over(tmp_path, monkeypatch):
    """The folder in which temporary places are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_good_drill_is_noted(any_books, tmp_path, left_over):
    keep_busy(any_books)
    saved(any_books, tmp_path / "backups")
    assert last_drill(any_books) is None
    done = drill(tmp_path / "backups", parts_of(any_books))
    assert done.is_good()
    assert [one.faults for one in done.steps] == [()] * 6
    assert all(one.seconds > 0 for one in done.steps)
    assert last_drill(any_books) == str(any_books.clock.now_ms())
    assert list(left_over.iterdir()) == []
    assert not any_books.sql_rows("SELECT value FROM meta WHERE name LIKE 'restored%'")


def test_the_newest_backup_is_taken_and_an_unfinished_one_is_not(books, tmp_path):
    keep_busy(books)
    folder = tmp_path / "backups"
    saved(books, folder, "z")
    books.clock.ahead_ms += 1_000
    saved(books, folder, "a")
    (folder / "zz").write_bytes(b"cut off")
    assert drill(folder, parts_of(books)).backup == str(folder / "a")


def test_a_drill_without_backup_is_a_failed_one(books, tmp_path, left_over):
    with pytest.raises(ManifestWrong, match="has no backup"):
        drill(tmp_path, parts_of(books))
    assert last_drill(books) is None


def test_a_damaged_backup_is_found_and_not_noted(books, tmp_path, left_over):
    folder = tmp_path / "backups"
    saved(books, folder)
    raw = bytearray((folder / "one").read_bytes())
    raw[-1] ^= 1
    (folder / "one").write_bytes(raw)
    with pytest.raises(ManifestWrong, match="was damaged"):
        drill(folder, parts_of(books))
    assert last_drill(books) is None
    assert list(left_over.iterdir()) == []


def test_spoilt_books_are_found_in_their_backup(books, tmp_path, left_over):
    keep_busy(books)
    books.sql("UPDATE quota SET used = used + 1")
    saved(books, tmp_path / "backups")
    done = drill(tmp_path / "backups", parts_of(books))
    assert not done.is_good()
    assert [one.name for one in done.steps if one.faults] == ["the books are what their events make"]
    assert last_drill(books) is None


def test_a_log_that_was_rewritten_since_the_backup_is_found(books, tmp_path):
    device = keep_busy(books)
    saved(books, tmp_path / "backups")
    books.take(device)
    assert drill(tmp_path / "backups", parts_of(books)).is_good()
    # Whoever counts the whole chain anew is still found by what was saved.
    books.sql("DROP TRIGGER event_no_update")
    books.sql("UPDATE event SET hash = 'abc'")
    done = drill(tmp_path / "backups", parts_of(books))
    assert [one.name for one in done.steps if one.faults] == ["the live log goes on from the backup's"]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit_entry WHERE entry_no > 1",
        "DELETE FROM audit_entry",
        "UPDATE audit_entry SET hash = 'abc' WHERE entry_no = 3",
    ],
    ids=["the newest taken out", "all taken out", "counted anew"],
)
def test_an_audit_that_was_cut_or_rewritten_since_the_backup_is_found(books, tmp_path, change):
    for subject in "abc":
        audit.note(books.engine, books.clock.now_ms(), "wang", "token", "approve", subject, "200")
    saved(books, tmp_path / "backups")
    audit.note(books.engine, books.clock.now_ms(), "wang", "token", "approve", "d", "200")
    assert drill(tmp_path / "backups", parts_of(books)).is_good()
    books.unguard("audit_entry")
    books.sql(change)
    # What comes after follows what was left: the chain alone says nothing of it.
    audit.note(books.engine, books.clock.now_ms(), "os:root", "os", "audit verify", "", "done")
    done = drill(tmp_path / "backups", parts_of(books))
    assert [one.name for one in done.steps if one.faults] == ["the live audit goes on from the backup's"]


def test_the_command_tells_and_exits_with_1_when_there_is_nothing_to_restore(shell, tmp_path):
    folder = tmp_path / "backups"
    with_folder = ("--set", f"backups={folder}")
    assert "has no backup" in shell.run("drill", *with_folder, exit_code=1) + shell.stderr
    shell.run("drill", exit_code=2)
    assert "set `backups:`" in shell.stderr
    shell.run("backup", *with_folder)
    assert "could be restored today" in shell.run("drill", *with_folder)
    (tmp_path / "a file").touch()
    assert "is a file" in shell.run("drill", str(tmp_path / "a file"), exit_code=1) + shell.stderr
    assert shell.json("drill", str(folder))["good"]


@pytest.fixture
def on_server(tmp_path):
    """Busy books on PostgreSQL."""
    books = Books(tmp_path, on=POSTGRES)
    keep_busy(books)
    yield books
    books.close()


def databases():
    """Return the databases of the server."""
    engine = engine_on(Postgres(postgres.shared().url("postgres")))
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
    engine.dispose()
    return set(found)


def test_books_on_a_server_come_back_into_an_empty_database(on_server, tmp_path):
    with writing(on_server.engine) as connection:
        session = sessions.begin(connection, APPROVER, random_bytes, on_server.clock.now_ms())
    made = saved(on_server, tmp_path / "backups")

    def submit(engine, command):
        return Writer(engine, on_server.setting, on_server.clock.now_ms, print).write_now([command])[0]

    parts = Restoring("TRAINING", KEYS, submit, on_server.clock.now_ms)
    name = postgres.shared().make()
    place = Postgres(postgres.shared().url(name))
    restore(tmp_path / "backups/one", place, parts)
    engine = engine_on(place)
    with reading(engine) as connection:
        changed = made.books.content.differs_from(content(connection))
    assert changed == ["difference", "event", "meta", "user_session"]
    assert sessions.who_is(engine, session, on_server.clock.now_ms()) is None
    engine.dispose()
    with pytest.raises(CopyRefused, match="over books"):
        restore(tmp_path / "backups/one", place, parts)
    with pytest.raises(CopyRefused, match="Restore it where it is from"):
        restore(tmp_path / "backups/one", Sqlite(tmp_path / "no.sqlite3"), parts)
    postgres.shared().drop(name)


def test_a_drill_on_a_server_leaves_no_database_even_when_it_fails(on_server, tmp_path, monkeypatch):
    saved(on_server, tmp_path / "backups")
    before = databases()
    assert drill(tmp_path / "backups", parts_of(on_server)).is_good()
    assert databases() == before

    def broken(*_more):
        raise CopyRefused("broken")

    monkeypatch.setattr(drilling, "rebuild", broken)
    with pytest.raises(CopyRefused, match="broken"):
        drill(tmp_path / "backups", parts_of(on_server))
    assert databases() == before


def test_a_missing_program_is_named_with_what_to_install(on_server, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match=r"pg_dump is not installed.*postgresql-client"):
        saved(on_server, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []
    assert manifests.beside(tmp_path / "x").name == "x.manifest.json"
