"""Is everything that people do written down, and does a change to it show?"""

import threading

import pytest
from sqlalchemy.exc import IntegrityError

from settlement.db.connection import reading
from settlement.people import audit


def note(books, subject="a"):
    """Write an entry."""
    audit.note(books.engine, books.clock.now_ms(), "wang", "token", "read_books", subject, "200")


def faults(books):
    """Return where the chain is broken."""
    with reading(books.engine) as connection:
        return list(audit.faults(connection))


@pytest.fixture
def noted(books):
    """Books with three entries."""
    for subject in "abc":
        note(books, subject)
    return books


def test_entries_follow_each_other(noted):
    assert faults(noted) == []
    assert [row[0] for row in noted.sql_rows("SELECT subject FROM audit_entry ORDER BY entry_no")] == [
        "a",
        "b",
        "c",
    ]


@pytest.mark.parametrize("change", ["UPDATE audit_entry SET who = 'li'", "DELETE FROM audit_entry"])
def test_the_database_refuses_to_change_or_take_out_an_entry(noted, change):
    with pytest.raises(IntegrityError, match="append-only"):
        noted.sql(change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *(
            (f"UPDATE audit_entry SET {column} = {value} WHERE entry_no = 2", "is not what was written")
            for column, value in (
                ("who", "'li'"),
                ("via", "'os'"),
                ("what", "'x'"),
                ("subject", "'x'"),
                ("outcome", "'403'"),
                ("at_ms", "1"),
                ("hash", "'x'"),
            )
        ),
        ("UPDATE audit_entry SET prev = 'x' WHERE entry_no = 2", "does not follow"),
        ("DELETE FROM audit_entry WHERE entry_no = 2", "was taken out"),
        ("DELETE FROM audit_entry WHERE entry_no = 1", "was taken out"),
    ],
)
def test_whoever_gets_past_the_database_breaks_the_chain(noted, change, fault):
    noted.unguard("audit_entry")
    noted.sql(change)
    assert any(fault in one for one in faults(noted))


def test_many_at_once_are_one_chain(books):
    threads = [threading.Thread(target=note, args=(books, str(number))) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults(books) == []
    assert books.sql_rows("SELECT count(*), max(entry_no) FROM audit_entry") == [(20, 20)]


def test_nothing_personal_and_nothing_unseen_is_written(books):
    note(books, "GET /v1/records/321202199003070013\0\u202e\n" + "x" * 10_000)
    ((subject,),) = books.sql_rows("SELECT subject FROM audit_entry")
    assert "321202199003070013" not in subject
    assert subject.isprintable()
    assert len(subject) <= 320
