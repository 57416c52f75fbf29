"""Do the books go to another database whole, once, and never so that two could be written in?"""

import postgres
import pytest
from books import ENGINES, POSTGRES, Books
from busy_books import keep_busy
from centre import APPROVER, PROPOSER
from centre_shell import Shell
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from settlement.copies import move as moving
from settlement.copies.dump import content
from settlement.copies.move import move
from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.copies.target import CopyRefused
from settlement.db import tables
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import DatabaseDown, Postgres, Sqlite
from settlement.db.serving import BooksTaken, serving
from settlement.funds.top_up import TopUp
from settlement.people import users
from settlement.writer.writer import Fenced
from subsidy.policy.split import Part


@pytest.fixture(params=ENGINES)
def target(tmp_path, request):
    """An empty place on each database."""
    if request.param != POSTGRES:
        yield Sqlite(tmp_path / "target.sqlite3")
        return
    name = postgres.shared().make()
    yield Postgres(postgres.shared().url(name))
    postgres.shared().drop(name)


def content_of(engine):
    """Return what books hold."""
    with reading(engine) as connection:
        return content(connection)


def test_the_books_hold_the_same_wherever_they_go(any_books, target, tmp_path):
    keep_busy(any_books)
    before = content_of(any_books.engine)
    done = move(any_books.engine, any_books.centre.settings.database, target)
    assert done.before == done.after == before
    new = engine_on(target)
    assert content_of(new) == before
    with reading(new) as connection:
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()
    with writing(new):
        pass
    new.dispose()
    # The old ones are closed, for whoever has them open too.
    assert content_of(any_books.engine).differs_from(before) == ["meta"]
    with pytest.raises(DatabaseDown, match="were moved"), writing(any_books.engine):
        pass
    with pytest.raises(DatabaseDown, match="were moved"):
        any_books.writer.write_now([TopUp(2026, (Part("central", 1),), "late")])


def test_what_somebody_approved_who_is_disabled_since_moves_and_is_guarded_as_before(any_books, target):
    any_books.sql(
        "INSERT INTO proposal VALUES ('P-1', 'APPROVED', 'close_year', '{}', '{}', 'h', "
        f"'{PROPOSER}', 1, '{APPROVER}', 'h', 2, '')"
    )
    with writing(any_books.engine) as connection:
        users.disable(connection, APPROVER, "os:tests", 3)
    before = content_of(any_books.engine)
    assert move(any_books.engine, any_books.centre.settings.database, target).after == before
    new = engine_on(target)
    for statement, says in (
        (
            "INSERT INTO proposal SELECT 'P-2', state, kind, command, shown, shown_hash, proposed_by, "
            "proposed_ms, decided_by, decided_hash, decided_ms, why FROM proposal",
            "nobody who may approve",
        ),
        ("DELETE FROM proposal", "append-only"),
    ):
        with pytest.raises(IntegrityError, match=says), writing(new) as connection:
            connection.execute(text(statement))
    new.dispose()


def test_a_writer_that_was_running_writes_no_more(books, tmp_path):
    books.writer.start()
    command = TopUp(2026, (Part("central", 1),), "first")
    books.writer.submit(command)
    move(books.engine, books.centre.settings.database, Sqlite(tmp_path / "target.sqlite3"))
    failed = []
    books.writer._failed = failed.append
    with pytest.raises(Fenced):
        books.writer.submit(TopUp(2026, (Part("central", 1),), "second"))
    assert [type(one) for one in failed] == [Fenced]


def test_the_old_books_name_the_new_ones_and_serve_no_more(books, shell, tmp_path):
    new = tmp_path / "target.sqlite3"
    before = books.state_hash()
    rehearsed = shell.json("move", "--to", str(new), "--dry-run")
    assert rehearsed["sha256_before"] == rehearsed["sha256_after"]
    assert books.state_hash() == before
    said = shell.json("move", "--to", str(new))
    assert said["sha256_before"] == said["sha256_after"]
    for words in (("serve",), ("ledger", "verify"), ("backup", str(tmp_path))):
        out = shell.run(*words, exit_code=3) + shell.stderr
        assert f"its books were moved to {new}. Name that one under `database:`" in out
    assert shell.json("ledger", "verify", "--set", f"database={new}")["true"]
    entry = shell.json("audit", "ls", "--set", f"database={new}")["entries"][-2]
    assert [entry[name] for name in ("what", "via", "subject")] == ["move", "os", str(new)]
    again = shell.run("move", "--to", str(tmp_path / "other.sqlite3"), exit_code=6) + shell.stderr
    assert f"were moved to {new} already" in again


def test_nothing_moves_while_a_service_works_on_the_books(any_books, tmp_path):
    place = any_books.centre.settings.database
    before = content_of(any_books.engine)
    with serving(any_books.engine, place), serving(any_books.engine, place):
        with pytest.raises(BooksTaken, match="Stop it first"):
            move(any_books.engine, place, Sqlite(tmp_path / "target.sqlite3"))
        assert not (tmp_path / "target.sqlite3").exists()
    assert content_of(any_books.engine) == before
    move(any_books.engine, place, Sqlite(tmp_path / "target.sqlite3"))


def test_nothing_moves_over_books(books, tmp_path):
    before = content_of(books.engine)
    other = Books(tmp_path / "other")
    with pytest.raises(CopyRefused, match="over books"):
        move(books.engine, books.centre.settings.database, other.centre.settings.database)
    assert content_of(books.engine) == content_of(other.engine) == before
    other.close()


def test_a_copy_that_is_not_one_is_rolled_back_and_the_old_books_go_on(books, tmp_path, monkeypatch):
    keep_busy(books)
    copy = moving.copy_table

    def wrong(source, target, table):
        count = copy(source, target, table)
        if table.name == "closed_year":
            target.execute(insert(table).values(year=1999, closed_ms=1))
        return count

    monkeypatch.setattr(moving, "copy_table", wrong)
    target = Sqlite(tmp_path / "target.sqlite3")
    with pytest.raises(CopyRefused, match="closed_year"):
        move(books.engine, books.centre.settings.database, target)
    with reading(engine_on(target)) as connection:
        assert connection.execute(tables.event.select()).all() == []
    books.hold(books.enrol("later"), person=30)
    monkeypatch.undo()
    # The place that was made is empty, so it can be used.
    move(books.engine, books.centre.settings.database, target)


def test_a_move_that_was_cut_off_is_run_again(books, tmp_path, monkeypatch):
    """The old books were closed, and the power went before the new ones were there."""
    keep_busy(books)
    before = content_of(books.engine)
    place, target = books.centre.settings.database, Sqlite(tmp_path / "target.sqlite3")
    write = moving.writing

    class Cut:
        """The new books' transaction, which does not reach its end."""

        def __init__(self, engine):
            self._inner = write(engine)

        def __enter__(self):
            return self._inner.__enter__()

        def __exit__(self, *_exception):
            raised = KeyboardInterrupt()
            self._inner.__exit__(KeyboardInterrupt, raised, None)
            raise raised

    monkeypatch.setattr(
        moving, "writing", lambda engine: write(engine) if engine is books.engine else Cut(engine)
    )
    with pytest.raises(KeyboardInterrupt):
        move(books.engine, place, target)
    with pytest.raises(DatabaseDown, match="were moved"), writing(books.engine):
        pass
    monkeypatch.undo()
    with pytest.raises(CopyRefused, match="were moved to"):
        move(books.engine, place, Sqlite(tmp_path / "other.sqlite3"))
    assert move(books.engine, place, target).after == before


def test_the_shell_runs_a_cut_off_move_again(books, shell, tmp_path):
    target = tmp_path / "target.sqlite3"
    Shell(tmp_path, shell.file).sql(f"INSERT INTO meta VALUES ('moved_to', '{target}')")
    shell.sql("UPDATE writer SET epoch = -1 - epoch")
    assert shell.json("move", "--to", str(target))["to"] == str(target)
