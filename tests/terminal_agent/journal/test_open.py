"""A journal is opened so that what it says is done survives a power cut, or it is not opened at all."""

import stat

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlite_utils import Database

from terminal_agent.journal import open as open_module
from terminal_agent.journal.open import JournalDown, must_be_there, open_journal
from terminal_agent.journal.schema import migrations


class Weak(sqlite.Connection):
    """A connection that forgets what it was asked for, as a strange build or file system may."""

    forgets = ""

    def execute(self, statement, *values):
        return super().execute("SELECT 1" if statement == self.forgets else statement, *values)


def opened_by(monkeypatch, **how):
    connect = sqlite.connect
    monkeypatch.setattr(open_module.sqlite, "connect", lambda path, **asked: connect(path, **(asked | how)))


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_every_open_is_wal_and_full(tmp_path):
    for _ in range(2):
        connection = open_journal(tmp_path / "journal.db")
        assert (pragma(connection, "journal_mode"), pragma(connection, "synchronous")) == ("wal", 2)
        assert pragma(connection, "locking_mode") == "exclusive"
        assert (pragma(connection, "foreign_keys"), pragma(connection, "secure_delete")) == (1, 1)
        connection.close()


@pytest.mark.parametrize(
    ("forgotten", "said"),
    [
        ("PRAGMA journal_mode=WAL", "journal_mode is delete"),
        ("PRAGMA synchronous=FULL", "synchronous 1"),
    ],
)
def test_a_database_that_would_not_be_durable_is_not_used(forgotten, said, tmp_path, monkeypatch):
    class Forgetful(Weak):
        forgets = forgotten

        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            super().execute("PRAGMA synchronous=NORMAL")

    opened_by(monkeypatch, factory=Forgetful)

    with pytest.raises(JournalDown, match=said):
        open_journal(tmp_path / "journal.db")


def test_a_journal_that_exists_is_asked_again_too(tmp_path, monkeypatch):
    open_journal(tmp_path / "journal.db").close()

    class Forgetful(Weak):
        forgets = "PRAGMA synchronous=FULL"

        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            super().execute("PRAGMA synchronous=OFF")

    opened_by(monkeypatch, factory=Forgetful)

    with pytest.raises(JournalDown, match="synchronous 0"):
        open_journal(tmp_path / "journal.db")


def test_an_old_sqlite_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(open_module.sqlite, "sqlite_version_info", (3, 51, 2))
    with pytest.raises(JournalDown, match="Install pysqlite3"):
        open_journal(tmp_path / "journal.db")


def test_a_second_agent_cannot_open_it(tmp_path, monkeypatch):
    first = open_journal(tmp_path / "journal.db")
    opened_by(monkeypatch, timeout=0.05)
    with pytest.raises(JournalDown, match="locked"):
        open_journal(tmp_path / "journal.db")
    first.close()
    open_journal(tmp_path / "journal.db").close()


def test_a_damaged_file_is_named_and_kept(tmp_path):
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(JournalDown, match=r"journal\.db"):
        open_journal(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_only_its_user_may_read_it(tmp_path):
    path = tmp_path / "data" / "journal.db"
    open_journal(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_migrations_are_taken_once(tmp_path):
    connection = open_journal(tmp_path / "journal.db")
    migrations.apply(Database(connection))
    connection.close()
    again = open_journal(tmp_path / "journal.db")
    assert again.execute("SELECT count(*) FROM sale").fetchone() == (0,)
    again.close()


def test_a_journal_of_which_only_the_black_box_is_left_is_there(tmp_path):
    """It is made anew from that; who calls it none would have its host enrolled once more."""
    path = tmp_path / "journal.db"
    open_journal(path).close()
    must_be_there(path)
    path.unlink()
    must_be_there(path)


def test_a_place_that_cannot_be_looked_at_is_said(tmp_path):
    with pytest.raises(JournalDown, match=r"cannot be opened: .*File name too long"):
        must_be_there(tmp_path / ("x" * 300) / "journal.db")
