"""Connections to a file of books stay open, and never lead to a file that is not there any more."""

import subprocess

import pytest
from centre import write_config
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from story.processes import BIN

from settlement.db.connection import engine_on
from settlement.db.place import Sqlite


def make(path, word):
    engine = engine_on(Sqlite(path))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE said (word TEXT)"))
        connection.execute(text("INSERT INTO said VALUES (:word)"), {"word": word})
    return engine


def word_in(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT word FROM said")).scalar_one()


def test_what_was_open_is_used_again(tmp_path):
    engine = make(tmp_path / "books.sqlite3", "one")
    opened = set()
    for _ in range(3):
        with engine.connect() as connection:
            opened.add(connection.connection.driver_connection)
    assert len(opened) == 1


def test_books_that_were_put_in_the_place_of_others_are_those_that_are_read(tmp_path):
    engine = make(tmp_path / "books.sqlite3", "lost")
    assert word_in(engine) == "lost"
    for lost in tmp_path.glob("books.sqlite3*"):
        lost.unlink()
    make(tmp_path / "other.sqlite3", "restored").dispose()
    (tmp_path / "other.sqlite3").rename(tmp_path / "books.sqlite3")
    assert word_in(engine) == "restored"


def test_books_that_went_away_are_said_to_be_away_and_do_not_come_back_empty(tmp_path):
    engine = make(tmp_path / "books.sqlite3", "lost")
    (tmp_path / "books.sqlite3").unlink()
    with pytest.raises(OperationalError, match="unable to open"):
        word_in(engine)
    assert not (tmp_path / "books.sqlite3").exists()


def test_a_command_leaves_its_books_in_one_file(tmp_path):
    """Nothing waits beside it for the next start, in a log that whoever copies the file would forget."""
    write_config(tmp_path)
    for words in (("init",), ("ledger", "verify")):
        subprocess.run(
            [BIN / "settlement", *words, "--config", "settlement.yaml"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        assert [one.name for one in tmp_path.glob("centre.sqlite3*")] == ["centre.sqlite3"]
