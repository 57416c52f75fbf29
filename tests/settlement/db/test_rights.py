"""May the service's own role do what it does on PostgreSQL, and nothing to what has happened?"""

import contextlib

import pytest
from books import POSTGRES, Books
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from settlement.db import rights, tables
from settlement.db.connection import reading, writing
from settlement.ledger.accounts import Account


@pytest.fixture
def served(tmp_path):
    """Books on a server, which are used as the service's role."""
    with contextlib.closing(Books(tmp_path, on=POSTGRES)) as books:
        yield books


def test_it_is_not_whoever_owns_the_tables(served):
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user"
    assert served.sql_rows(query) == [(0,)]
    assert served.sql_rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]


def test_it_sells_returns_claims_and_reads(served):
    device = served.enrol()
    sold, back = served.sell(device, person=0), served.sell(device, person=1)
    served.give_back(device, back)
    assert served.claim(device).lines == 1
    assert served.record(sold).state == "IN_CLAIM"
    assert served.total(Account.PAYABLE) == 0
    served.check()


@pytest.mark.parametrize("table", rights.APPEND_ONLY, ids=str)
def test_what_has_happened_is_not_its_to_change(served, table):
    column = next(iter(table.columns)).name
    for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(ProgrammingError, match="permission denied"), writing(served.engine) as connection:
            connection.execute(text(change))


@pytest.mark.parametrize("table", tables.metadata.sorted_tables, ids=str)
def test_it_deletes_only_what_is_over(served, table):
    with reading(served.engine) as connection:
        query = text("SELECT has_table_privilege(current_user, :name, 'DELETE')")
        assert connection.execute(query, {"name": table.name}).scalar_one() == (table in rights.DELETED)


def test_it_lacks_nothing_and_is_told_what_it_lacks(served):
    with reading(served.engine) as connection:
        assert rights.missing(connection) == []
    served.sql("REVOKE DELETE ON freed FROM tradein_service")
    served.sql("REVOKE SELECT ON closed_year_year_seq FROM tradein_service")
    with reading(served.engine) as connection:
        assert rights.missing(connection) == ["DELETE on freed", "SELECT on closed_year_year_seq"]
    with reading(served.owner) as connection:
        assert rights.missing(connection) == []


def test_what_it_was_given_beyond_its_rights_is_taken_away_again(served):
    served.sql("GRANT TRUNCATE, DELETE ON event TO tradein_service")
    served.sql("GRANT ALL ON closed_year_year_seq TO tradein_service")
    rights.let_in(served.owner, "tradein_service")
    for change in ("DELETE FROM event", "TRUNCATE event", "SELECT setval('closed_year_year_seq', 1)"):
        with pytest.raises(ProgrammingError, match="permission denied"), writing(served.engine) as connection:
            connection.execute(text(change))


def test_it_can_neither_make_nor_drop_tables_nor_switch_refusals_off(served):
    for change in ("DROP TABLE event", "ALTER TABLE event DISABLE TRIGGER ALL", "CREATE TABLE mine (n int)"):
        with pytest.raises(ProgrammingError), writing(served.engine) as connection:
            connection.execute(text(change))


@pytest.mark.parametrize("name", ['x"; DROP TABLE event; --', "", "Settlement", "1st"])
def test_a_role_has_a_plain_name(name):
    assert not rights.is_role_name(name)
