"""Is what the writer remembers from batch to batch always what the database holds, on both databases?"""

import contextlib
import threading
import time

import psycopg
import pytest
from books import POSTGRES, Books
from msgspec.structs import replace
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from settlement.db.connection import reading, writing
from settlement.funds.top_up import TopUp
from settlement.system import Promised
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.step import Denied, Done
from settlement.writer.writer import MOST_WAITING, Busy, Fenced, Unsure, Writer
from subsidy.policy.split import Part
from subsidy.wire import v1

CENT = (Part("central", 1),)


@pytest.fixture
def failures():
    """What the writer has said that failed."""
    return []


@pytest.fixture
def started(any_books, failures):
    """A writer that takes commands in its own thread."""
    writer = Writer(any_books.engine, any_books.setting, any_books.clock.now_ms, failures.append)
    writer.start()
    yield writer
    writer.stop()


@pytest.fixture
def postgres_books(tmp_path):
    """Books on a server: only there is a line to lose."""
    with contextlib.closing(Books(tmp_path, on=POSTGRES)) as opened:
        yield opened


def hold(books, device, **changes):
    """Return the command of a hold."""
    return books.asked(device, device.hold_request(books.pack.hash, **changes))


def compare(books, writer):
    """Check that everything remembered is what the database holds."""
    again = Rows()
    with reading(books.engine) as connection:
        remembered = dict(writer._rows.all_loaded())
        store.load(connection, list(remembered), again)
    assert remembered
    assert dict(again.all_loaded()) == remembered


def test_a_row_that_was_put_without_being_asked_for_takes_the_place_of_the_one_that_is_there(any_books):
    # A row is only taken for a new one, and inserted without looking, when the database said it has none.
    kept = any_books.device(any_books.enrol())
    rows = Rows()
    rows.put(replace(kept, stated_ms=kept.stated_ms + 1))
    with writing(any_books.engine) as connection:
        store.write(connection, rows, [])
    assert any_books.row(type(kept), kept.device).stated_ms == kept.stated_ms + 1


def test_what_is_remembered_is_what_the_database_holds(any_books, started):
    device = any_books.enrol()
    for _ in range(5):
        assert started.submit(hold(any_books, device)).typ == v1.PROMISE
        compare(any_books, started)
    any_books.check()


def test_it_is_forgotten_when_somebody_else_has_written(any_books, started):
    device = any_books.enrol()
    assert started.submit(hold(any_books, device)).typ == v1.PROMISE
    with writing(any_books.engine) as connection:
        connection.execute(text("UPDATE merchant SET active = 0"))
    refused = started.submit(hold(any_books, device))
    assert b"MERCHANT_NOT_ACTIVE" in refused.payload
    # Another process's own command, between two of ours.
    any_books.done(TopUp(2026, CENT, "another process"))
    assert started.submit(TopUp(2026, CENT, "another process")).code == "ALREADY_BOOKED"
    compare(any_books, started)


def test_a_batch_that_changes_nothing_takes_no_turn(any_books, started):
    assert isinstance(started.submit(TopUp(2026, CENT, "one")), Done)
    turn = started._turn
    assert isinstance(started.submit(TopUp(2026, CENT, "one")), Denied)
    assert started._turn == turn
    assert isinstance(started.submit(TopUp(2026, CENT, "two")), Done)
    compare(any_books, started)


def test_a_batch_that_fails_is_forgotten_with_all_that_it_thought(any_books, started, monkeypatch):
    device = any_books.enrol()
    assert started.submit(hold(any_books, device)).typ == v1.PROMISE
    before = any_books.state_hash()

    def broken(*_parts):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as broke:
        broke.setattr(store, "write", broken)
        with pytest.raises(ZeroDivisionError):
            started.submit(hold(any_books, device))
    assert any_books.state_hash() == before
    device.hold_no -= 1
    assert started.submit(hold(any_books, device)).typ == v1.PROMISE
    any_books.check()


def test_another_process_that_becomes_the_writer_ends_this_one(any_books, started, failures):
    device = any_books.enrol()
    other = Writer(any_books.engine, any_books.setting, any_books.clock.now_ms, failures.append)
    other.start()
    before = any_books.state_hash()
    with pytest.raises(Fenced):
        started.submit(hold(any_books, device))
    assert any_books.state_hash() == before
    device.hold_no -= 1
    assert other.submit(hold(any_books, device)).typ == v1.PROMISE
    other.stop()


def test_nobody_is_answered_when_the_commit_cannot_be_known_and_asking_again_tells(any_books, started):
    device = any_books.enrol()
    assert started.submit(hold(any_books, device)).typ == v1.PROMISE
    command = hold(any_books, device)

    def lose(_connection):
        raise DBAPIError("COMMIT", None, OSError("the line is dead"), connection_invalidated=True)

    event.listen(any_books.engine, "commit", lose)
    try:
        with pytest.raises(Unsure):
            started.submit(command)
    finally:
        event.remove(any_books.engine, "commit", lose)
    answer = started.submit(command)
    assert answer.typ == v1.PROMISE
    assert started.submit(command) == answer
    any_books.check()


def end_other_connections(books):
    """Let the server end every connection to these books but the one that asks for it."""
    with books.engine.connect() as connection, contextlib.suppress(DBAPIError):
        ours = "pid <> pg_backend_pid() AND datname = current_database()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))


def test_a_line_that_ends_between_decision_and_commit_leaves_it_unknown(postgres_books, monkeypatch):
    writer = Writer(
        postgres_books.engine, postgres_books.setting, postgres_books.clock.now_ms, lambda _: None
    )
    device = postgres_books.enrol()
    command = hold(postgres_books, device)
    written = store.write

    def cut_off(*parts):
        end_other_connections(postgres_books)
        time.sleep(0.2)
        written(*parts)

    writer.start()
    try:
        with monkeypatch.context() as cut:
            cut.setattr(store, "write", cut_off)
            with pytest.raises(Unsure):
                writer.submit(command)
        assert writer.submit(command).typ == v1.PROMISE
    finally:
        writer.stop()
    postgres_books.check()


def test_a_line_that_ends_right_after_the_commit_leaves_it_unknown_and_asking_again_tells(
    postgres_books, monkeypatch
):
    writer = Writer(
        postgres_books.engine, postgres_books.setting, postgres_books.clock.now_ms, lambda _: None
    )
    device = postgres_books.enrol()
    command = hold(postgres_books, device)
    committed = psycopg.Connection.commit

    def cut_off(connection):
        sent_together = connection.pgconn.pipeline_status
        committed(connection)
        if sent_together:
            end_other_connections(postgres_books)
            time.sleep(0.2)

    writer.start()
    try:
        with monkeypatch.context() as cut:
            cut.setattr(psycopg.Connection, "commit", cut_off)
            with pytest.raises(Unsure):
                writer.submit(command)
        before = postgres_books.state_hash()
        assert writer.submit(command).typ == v1.PROMISE
        assert postgres_books.state_hash() == before
    finally:
        writer.stop()
    postgres_books.check()


def test_what_the_database_refuses_of_a_batch_spoils_no_other_command(any_books, failures, monkeypatch):
    writer = Writer(any_books.engine, any_books.setting, any_books.clock.now_ms, failures.append)
    devices = any_books.enrol("one"), any_books.enrol("two")
    commands = [hold(any_books, one, person=number) for number, one in enumerate(devices, 1)]
    written, taken = store.write, f"'{devices[1].name}', 1, {commands[1].request.hold_no}, 'another'"

    def interfere(connection, *parts):
        # The number was free when the writer looked.
        monkeypatch.setattr(store, "write", written)
        connection.exec_driver_sql(f"INSERT INTO hold_number VALUES ({taken})")
        written(connection, *parts)

    monkeypatch.setattr(store, "write", interfere)
    waiting = [Promised(), Promised()]
    writer._take(list(zip(commands, waiting, strict=True)))
    assert store.write is written
    assert [answer.wait(1).typ for answer in waiting] == [v1.PROMISE, v1.PROMISE]
    assert failures == []
    writer._forget()
    any_books.check()


def test_a_server_that_ends_our_connection_is_gone_back_to(any_books, started, failures):
    if any_books.centre.settings.database.__class__.__name__ != "Postgres":
        # SQLite lies in this process: there is no line to lose. What is the same is that it goes on.
        assert isinstance(started.submit(TopUp(2026, CENT, "one")), Done)
        return
    device = any_books.enrol()
    assert started.submit(hold(any_books, device)).typ == v1.PROMISE
    end_other_connections(any_books)
    command = hold(any_books, device)
    with pytest.raises(DBAPIError):
        started.submit(command)
    assert started.submit(command).typ == v1.PROMISE
    any_books.check()
    assert len(failures) == 1


def test_more_than_can_wait_are_told_so_at_once(any_books, failures):
    writer = Writer(any_books.engine, any_books.setting, any_books.clock.now_ms, failures.append)
    waiters = [Promised() for _ in range(MOST_WAITING)]
    for waiter in waiters:
        writer.submit_soon(TopUp(2026, CENT, "one"), waiter)
    with pytest.raises(Busy):
        writer.submit_soon(TopUp(2026, CENT, "one"), Promised())
    assert writer.numbers.busy == 1
    # Those that were taken are answered, also when it is told to stop.
    writer.start()
    stopping = threading.Thread(target=writer.stop)
    stopping.start()
    stopping.join()
    kinds = [type(waiter.wait(0)) for waiter in waiters]
    assert kinds == [Done] + [Denied] * (MOST_WAITING - 1)
    with pytest.raises(Busy):
        writer.submit_soon(TopUp(2026, CENT, "two"), Promised())
