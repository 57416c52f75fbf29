"""A byte that has changed on the disk is found, and what was written is there again afterwards."""

import pysqlite3.dbapi2 as sqlite
import pytest
from books import Books
from busy_books import keep_busy
from centre_shell import Shell
from power import agent_flips

from settlement.copies.dump import content
from settlement.db.connection import engine_on, reading
from settlement.db.place import Sqlite

FOUND = "found, made again from the black box"
MONEY = ("posting", "balance", "record", "entry_row", "claim", "claim_line", "qualification", "device")
BOX_FOUND = "found by doctor, black box made again from the database"


@pytest.fixture(scope="module")
def ended():
    return agent_flips.after_a_day(killed=False)


@pytest.fixture(scope="module")
def killed():
    return agent_flips.after_a_day(killed=True)


def test_a_changed_byte_in_any_page_of_the_journal_is_found_and_mended(ended, tmp_path):
    came, wrong = agent_flips.flip(ended, "journal.db", 1, tmp_path)
    assert wrong == []
    assert came.total() == len(ended.content["journal.db"]) // agent_flips.PAGE
    assert came[FOUND] > 10


def test_a_changed_byte_anywhere_in_the_black_box_is_found_and_mended(ended, tmp_path):
    (name,) = (one for one in ended.content if one.endswith(".box"))
    came, wrong = agent_flips.flip(ended, name, 2, tmp_path, each=16_384)
    assert wrong == []
    assert came.keys() == {BOX_FOUND}


def test_a_changed_byte_in_the_log_of_a_killed_agent_loses_nothing(killed, tmp_path):
    came, wrong = agent_flips.flip(killed, "journal.db-wal", 3, tmp_path, each=32_768)
    assert wrong == []
    # SQLite by itself would drop everything after that byte, and say nothing.
    assert came.total() > 10


def change(database, old, new):
    """Change bytes in a file that nobody has open."""
    raw = database.read_bytes()
    assert len(old) == len(new)
    assert old in raw
    database.write_bytes(raw.replace(old, new, 1))


@pytest.fixture
def shell(tmp_path):
    """Busy books that lie in one file, nobody has open, and were backed up."""
    books = Books(tmp_path)
    keep_busy(books)
    shell = Shell(tmp_path, tmp_path / "settlement.yaml")
    made = shell.json("backup", str(tmp_path / "saved.sqlite3"))
    shell.saved = {one["table"]: one["sha256"] for one in made["manifest"]["books"]["content"]["tables"]}
    books.close()
    raw = sqlite.connect(tmp_path / "centre.sqlite3")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return shell


@pytest.mark.parametrize(
    ("old", "new", "exit_code", "said"),
    [
        (b'"type":"hold_placed"', b'"type":"hold_plbced"', 1, "event"),
        (b"CREATE TABLE posting", b"CREATE TABLE pos\x00ing", 5, "restore the newest backup"),
        (b"SQLite format 3", b"SQLite formau 3", 3, "not an SQLite database"),
    ],
    ids=["a row", "the schema", "the header"],
)
def test_a_changed_byte_in_the_books_is_told_and_a_restore_brings_them_back(
    shell, old, new, exit_code, said, tmp_path
):
    change(tmp_path / "centre.sqlite3", old, new)
    out = shell.run("ledger", "rebuild", "--check", exit_code=exit_code) + shell.stderr
    assert said in out
    shell.run(
        "restore", str(tmp_path / "saved.sqlite3"), "--into", str(tmp_path / "new.sqlite3"), exit_code=4
    )
    engine = engine_on(Sqlite(tmp_path / "new.sqlite3"))
    with reading(engine) as connection:
        restored = {one.table: one.sha256 for one in content(connection).tables}
    # But for the item that says that they were restored, the books are what they were.
    assert {name for name in MONEY if restored[name] != shell.saved[name]} == set()
