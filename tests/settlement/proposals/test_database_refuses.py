"""Which approvals does the database itself refuse?"""

import pytest
from centre import APPROVER
from proposed import TOP_UP, approval, propose
from sqlalchemy.exc import IntegrityError

from settlement.db.connection import writing
from settlement.people import users


@pytest.mark.parametrize(
    "change",
    [
        "state = 'APPROVED', decided_by = proposed_by, decided_hash = shown_hash, decided_ms = 1",
        "state = 'APPROVED', decided_by = 'li', decided_hash = '', decided_ms = 1",
        "state = 'APPROVED', decided_by = '', decided_hash = shown_hash, decided_ms = 1",
        "state = 'APPROVED', decided_by = 'li', decided_hash = shown_hash",
        "state = 'APPROVED', decided_by = 'nobody', decided_hash = shown_hash, decided_ms = 1",
        "state = 'DONE'",
        "command = '{}'",
        "shown = '{}'",
        "shown_hash = 'x'",
        "proposed_by = 'another'",
        "proposed_ms = proposed_ms + 1",
        "kind = 'close_year'",
        "proposal = 'P-OTHER'",
    ],
)
def test_the_database_refuses_an_approval_that_is_none(books, change):
    propose(books, TOP_UP)
    with pytest.raises(IntegrityError):
        books.sql(f"UPDATE proposal SET {change}")


def test_the_database_takes_the_approval_that_is_one(books):
    propose(books, TOP_UP)
    books.sql(
        "UPDATE proposal SET state = 'APPROVED', decided_by = 'li', decided_hash = shown_hash, decided_ms = 1"
    )


@pytest.mark.parametrize("change", ["why = 'x'", "state = 'OPEN'", "decided_by = 'wang'"])
def test_the_database_refuses_to_change_what_was_decided(books, change):
    books.write(approval(propose(books, TOP_UP)))
    with pytest.raises(IntegrityError, match="decided once"):
        books.sql(f"UPDATE proposal SET {change}")
    with pytest.raises(IntegrityError, match="append-only"):
        books.sql("DELETE FROM proposal")


def test_the_database_refuses_an_approval_by_whoever_was_disabled_a_moment_ago(books):
    proposal = propose(books, TOP_UP)
    with writing(books.engine) as connection:
        users.disable(connection, APPROVER, "tests", 0)
    before = books.state_hash()
    with pytest.raises(IntegrityError, match="nobody who may approve"):
        books.writer.write_now([approval(proposal)])
    assert books.state_hash() == before


def test_the_database_refuses_an_approval_by_a_service(books):
    with writing(books.engine) as connection:
        users.add_service(connection, "robot", "tests", 0)
    proposal = propose(books, TOP_UP)
    with pytest.raises(IntegrityError, match="nobody who may approve"):
        books.writer.write_now([approval(proposal, "robot")])
