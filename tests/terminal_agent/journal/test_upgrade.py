"""Does an agent start that was killed anywhere in its first start after an upgrade?"""

import shutil

import pysqlite3.dbapi2 as sqlite
import pytest
from power.agent_cuts import digest
from sqlite_utils.migrations import Migrations
from unit_shop import UnitShop

from terminal_agent.journal import open as open_module
from terminal_agent.journal import recover, schema
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.open import open_journal

# What only reads leaves nothing on the disk that the statement before it had not left.
_READS = ("SELECT", "PRAGMA")


class Killed(BaseException):
    """The agent is killed."""


class Life:
    """How many more statements that may write a life has."""

    left: int | None = None
    lived = 0

    @classmethod
    def spend(cls, sql):
        if sql.lstrip().upper().startswith(_READS):
            return
        cls.lived += 1
        if cls.left is not None and cls.lived > cls.left:
            raise Killed


class MortalCursor(sqlite.Cursor):
    def execute(self, sql, *values):
        Life.spend(sql)
        return super().execute(sql, *values)


class Mortal(JournalConnection):
    def cursor(self, factory=MortalCursor):
        return super().cursor(factory)

    def execute(self, sql, *values):
        Life.spend(sql)
        return super().execute(sql, *values)


@pytest.fixture
def next_version(monkeypatch):
    """Let every journal from now on be opened by a version that has a table more."""
    later = Migrations(schema.migrations.name)
    later._migrations = list(schema.migrations._migrations)

    @later()
    def table_of_the_next_version(db):
        db.execute("CREATE TABLE next_version (one INTEGER PRIMARY KEY) STRICT")

    def install():
        for module in (open_module, recover):
            monkeypatch.setattr(module, "migrations", later)
        monkeypatch.setattr(open_module, "JournalConnection", Mortal)

    return install


def started(folder, left):
    """Start the next version in `folder`, to be killed after `left` statements; return whether it came up."""
    Life.left, Life.lived = left, 0
    try:
        open_journal(folder / "journal.db").close()
    except Killed:
        return False
    finally:
        Life.left = None
    return True


def test_wherever_it_is_killed_the_next_start_has_every_row(tmp_path, next_version):
    before = tmp_path / "before"
    shop = UnitShop(before)
    shop.sell()
    said = digest(shop.connection)
    shutil.copytree(before, tmp_path / "killed while it sold")
    shop.connection.close()
    next_version()
    for at in range(1_000):
        folder = tmp_path / f"killed at {at}"
        shutil.copytree(tmp_path / "killed while it sold", folder)
        is_up = started(folder, at)
        found = open_journal(folder / "journal.db")
        assert digest(found) == said
        assert found.execute("SELECT count(*) FROM next_version").fetchone() == (0,)
        found.close()
        if is_up:
            break
    assert at > 20, "the first start after an upgrade writes more than that"
