"""What does the database itself refuse, whatever the application asks?"""

import itertools

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError, OperationalError

from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.db.migrate import is_current, migrate
from settlement.db.migrations.versions import __path__ as versions
from settlement.funds.states import MOVES, State
from settlement.ledger.accounts import NEVER_OVERDRAWN, Account


@pytest.fixture
def frozen_copy():
    """The migration, whose lists are copies of what the code said when it was written."""
    import importlib.util
    from pathlib import Path

    file = Path(next(iter(versions))) / "0001_first_tables.py"
    spec = importlib.util.spec_from_file_location("first_tables", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put_record(books, name, state):
    """Put a record in a state, as an insert may."""
    with writing(books.engine) as connection:
        values = {column.name: "" for column in tables.record.columns if not column.nullable}
        numbers = ("epoch", "hold_no", "year", "subsidy_fen", "to_pay_fen", "paid_fen")
        numbers += ("placed_at_ms", "held_for_s")
        values |= dict.fromkeys(numbers, 0) | {"promise": b"", "record_id": name, "state": state}
        connection.execute(insert(tables.record).values(values))


def test_a_record_makes_every_move_of_its_table_and_no_other(books):
    for old, new in itertools.product(State, repeat=2):
        name = f"{old}-{new}"
        put_record(books, name, old.value)
        move = f"UPDATE record SET state = '{new.value}' WHERE record_id = '{name}'"
        if old is new or (old, new) in MOVES:
            books.sql(move)
        else:
            with pytest.raises(IntegrityError, match="may not make this move"):
                books.sql(move)


def test_the_copies_in_the_first_migration_say_what_the_code_says(frozen_copy):
    assert set(frozen_copy.RECORD_MOVES) == {f"{old.value}>{new.value}" for old, new in MOVES}
    assert set(frozen_copy.NEVER_OVERDRAWN) == {account.value for account in NEVER_OVERDRAWN}


def test_a_record_is_never_deleted(books):
    put_record(books, "one", "HELD")
    with pytest.raises(IntegrityError, match="never deleted"):
        books.sql("DELETE FROM record")


@pytest.mark.parametrize("table", ["event", "posting", "entry_row"])
def test_what_has_happened_is_neither_changed_nor_deleted(books, table):
    device = books.enrol()
    books.take(device, device.chain(device.paid(books.hold(device))))
    columns = [column.name for column in getattr(tables, table).columns]
    for column in columns:
        with pytest.raises(IntegrityError, match="append-only"):
            books.sql(f"UPDATE {table} SET {column} = {column}")
    with pytest.raises(IntegrityError, match="append-only"):
        books.sql(f"DELETE FROM {table}")


@pytest.mark.parametrize("account", sorted(Account))
def test_no_account_that_may_not_be_is_overdrawn(books, account):
    put = f"INSERT INTO balance VALUES ('nobody', '{account.value}', 2026, -1)"
    if account in NEVER_OVERDRAWN:
        with pytest.raises(IntegrityError, match="overdrawn"):
            books.sql(put)
        books.sql(put.replace("-1", "0"))
        with pytest.raises(IntegrityError, match="overdrawn"):
            books.sql(f"UPDATE balance SET fen = -1 WHERE funder = 'nobody' AND account = '{account.value}'")
    else:
        books.sql(put)


@pytest.mark.parametrize("value", ["'12a'", "1.5", "x'00'"])
def test_text_does_not_stand_in_a_numbers_place(books, value):
    with pytest.raises(IntegrityError, match="cannot store"):
        books.sql(f"INSERT INTO balance VALUES ('nobody', 'available', 2026, {value})")


def test_the_migrated_tables_are_the_ones_the_code_describes(books):
    with reading(books.engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        assert is_current(connection)


def test_every_table_is_strict(books):
    names = books.sql_rows("SELECT name FROM pragma_table_list WHERE schema='main' AND strict = 0")
    assert {name for (name,) in names} <= {"sqlite_schema", "alembic_version"}


def test_migrating_again_changes_nothing(books):
    before = books.state_hash()
    migrate(books.engine)
    assert books.state_hash() == before


def test_every_connection_survives_a_power_cut(books):
    assert books.sql_rows("PRAGMA journal_mode") == [("wal",)]
    assert books.sql_rows("PRAGMA synchronous") == [(2,)]
    assert books.sql_rows("PRAGMA foreign_keys") == [(1,)]


def test_a_read_does_not_write(books):
    with reading(books.engine) as connection:
        connection.exec_driver_sql("PRAGMA query_only = 1")
        with pytest.raises(OperationalError):
            connection.exec_driver_sql("UPDATE balance SET fen = 0")
