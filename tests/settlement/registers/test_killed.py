"""Is nothing taken twice, and nothing lost, wherever the process dies between two databases?

The scene is played again and again, each time dying one step later: at every statement and before and after
every commit, of the register and of the books, until it plays to its end. Then a new process starts.
"""

import contextlib

import pytest
from books import POSTGRES, SQLITE
from fake_device import promised
from sharing import Sharing, waiting
from sqlalchemy import event
from sqlalchemy.engine import RootTransaction

from settlement.registers.database import open_register

HELD = ("HELD", "PAYABLE", "BLOCKED")


class Killed(BaseException):
    """The process is gone."""


class Killer:
    """Counts the steps of a scene, and kills at one of them."""

    def __init__(self, at):
        self.left = at
        self.name = ""

    def step(self, name):
        """Come by; be killed when it is the step."""
        self.left -= 1
        if self.left == 0:
            self.name = name
            raise Killed(name)


@contextlib.contextmanager
def killing(books, monkeypatch, at):
    """Kill at step `at` of what is done inside."""
    killer = Killer(at)
    commit = RootTransaction.commit

    def watched(transaction):
        killer.step("before a commit")
        commit(transaction)
        killer.step("after a commit")

    def statement(_connection, _cursor, text, *_more):
        killer.step(text)

    engines = [books.engine, *(one.engine() for one in books.registers.databases)]
    with monkeypatch.context() as patched:
        patched.setattr(RootTransaction, "commit", watched)
        for engine in engines:
            event.listen(engine, "before_cursor_execute", statement)
        try:
            yield killer
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", statement)


def play(books, *batches):
    """Do batches as the writer's thread does, in this one: what dies, dies here."""
    writer = books.new_writer()
    try:
        writer._tell_registers()
        for batch in batches:
            # The answer is not waited for: who dies does not give one.
            writer._commit(list(batch))
            writer._tell_registers()
    finally:
        writer._forget()
        writer._tries.close()


def check(sharing, books):
    """Check that the register holds exactly what the books say, and nobody waits."""
    states = dict(books.sql_rows("SELECT record_id, state FROM record"))
    held = {name for name, state in states.items() if state in HELD}
    programme = books.centre.settings.programme
    expected = sorted((kind, programme, name) for kind in ("person", "serial") for name in held)
    assert sharing.taken(programme) == expected
    assert waiting(books) == []
    for place in {str(one.database): one.database for one in sharing.settings}.values():
        engine = open_register(place)
        with engine.connect() as connection:
            asking = connection.exec_driver_sql("SELECT asking FROM taken WHERE asking <> 0").fetchall()
        engine.dispose()
        # A line of the newest batch may still ask: the books know its turn.
        assert {row[0] for row in asking} <= {
            int(value)
            for (value,) in books.sql_rows("SELECT value FROM meta WHERE name LIKE 'register.turn.%'")
        }
    books.check()


def scene_of(name, books, device):
    """Return the batches of a scene, and what a new process is asked afterwards."""
    if name == "take":
        return [[books.asked(device, device.hold_request(books.pack.hash, person=1))]]
    sealed = books.hold(device, person=1)
    promise = promised(sealed)
    if name == "release":
        closed = device.chain(device.closed(promise.record_id, promise.hold_no))
        return [[books.uploaded(device, device.upload([closed]), stated=False)]]
    if name == "return":
        books.take(device, device.chain(device.paid(sealed)))
        back = [device.chain(one) for one in (device.returning(promise), device.returned(promise))]
        return [[books.uploaded(device, device.upload(back), stated=False)]]
    assert name == "both"
    # One batch that gives back and takes the same serial number and the same person's quota.
    closed = device.chain(device.closed(promise.record_id, promise.hold_no))
    again = device.hold_request(books.pack.hash, person=1, item=promise.item)
    return [[books.uploaded(device, device.upload([closed]), stated=False), books.asked(device, again)]]


@pytest.mark.parametrize(
    ("name", "on", "apart"),
    [
        ("take", SQLITE, False),
        ("release", SQLITE, False),
        ("return", SQLITE, False),
        ("both", SQLITE, True),
        ("take", POSTGRES, False),
        ("both", POSTGRES, False),
    ],
)
def test_wherever_it_dies_the_next_start_finds_what_the_books_say(tmp_path, monkeypatch, name, on, apart):
    with Sharing(tmp_path, on=on, apart=apart) as sharing:
        books = sharing.programme("TRAINING-A")
        device = books.enrol("here")
        other = sharing.programme("TRAINING-B")
        there = other.enrol("there")
        killed, at = [], 0
        while True:
            at += 1
            scene = scene_of(name, books, device)
            with killing(books, monkeypatch, at) as killer:
                try:
                    play(books, *scene)
                except Killed:
                    killed.append(killer.name)
            # Nobody gets what may still be somebody's, before anything is settled.
            granted_before = dict(books.sql_rows("SELECT record_id, state FROM record"))
            if any(state in HELD for state in granted_before.values()):
                assert other.refusals(there, person=1) == ["PERSON_QUOTA_USED"]
            books.start_and_stop()
            assert books.failures == []
            check(sharing, books)
            # The shop asks the same again, as it does when no answer has come.
            answers = books.write(*scene[0])
            assert len(answers) == len(scene[0])
            _end_all(books, device)
            check(sharing, books)
            assert sharing.taken() == []
            # What was freed is free for another programme.
            other.hold(there, person=1)
            other.take(there, still_open=())
            if not killer.name:
                break
        assert killed.count("before a commit") >= 2 + (1 if apart else 0)
        assert killed.count("after a commit") == killed.count("before a commit")
        assert len(killed) > 12


def _end_all(books, device):
    """Let everything that is open or sold end, so that the scene can be played again."""
    for name, state, hold_no in books.sql_rows("SELECT record_id, state, hold_no FROM record"):
        if state == "HELD":
            books.take_early(device, device.chain(device.closed(name, hold_no)))
        assert state in ("HELD", "RELEASED", "RETURNED"), state
