"""What does the database itself refuse, whatever the application asks?"""

import importlib.util
import itertools
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from books import SQLITE, Books
from sqlalchemy import BigInteger, insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.db.migrate import migrate
from settlement.db.migrations.versions import __path__ as versions
from settlement.db.version import is_current
from settlement.funds.states import MOVES, State
from settlement.ledger.accounts import NEVER_OVERDRAWN, Account


@pytest.fixture(scope="module")
def migrations():
    """The migrations, newest first, whose lists are copies of what the code said when they were written."""
    found = []
    for file in sorted(Path(next(iter(versions))).glob("0*.py"), reverse=True):
        spec = importlib.util.spec_from_file_location(f"migration_{file.stem}", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found


@pytest.fixture
def on_file(tmp_path):
    """Books on SQLite, for what only there must be seen to."""
    with closing(Books(tmp_path, on=SQLITE)) as opened:
        yield opened


def newest(migrations, name):
    """Return the list of this name in the newest migration that has one."""
    return next(getattr(one, name) for one in migrations if hasattr(one, name))


def put_record(books, name, state, **more):
    """Put a record in a state, as an insert may."""
    with writing(books.engine) as connection:
        values = {
            column.name: 0 if isinstance(column.type, BigInteger) else ""
            for column in tables.record.columns
            if not column.nullable
        }
        values |= {"promise": b"", "record_id": name, "state": state, **more}
        connection.execute(insert(tables.record).values(values))


def test_a_record_makes_every_move_of_its_table_and_no_other(any_books):
    for old, new in itertools.product(State, repeat=2):
        name = f"{old}-{new}"
        put_record(any_books, name, old.value)
        move = f"UPDATE record SET state = '{new.value}' WHERE record_id = '{name}'"
        if (old, new) in ((State.RELEASED, State.PAYABLE), (State.RELEASED, State.AVAILABLE_AGAIN)):
            continue
        if old is new or (old, new) in MOVES:
            any_books.sql(move)
        else:
            with pytest.raises(IntegrityError, match="may not make this move"):
                any_books.sql(move)


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("late_grants_claimed", "payable", True),
        (None, "payable", False),
        ("late_grants_claimed", None, False),
        ("payable", "payable", False),
    ],
)
def test_a_tombstone_becomes_payable_only_out_of_the_late_grants(any_books, before, after, may):
    put_record(any_books, "late", "RELEASED", money=before)
    money = "NULL" if after is None else f"'{after}'"
    move = f"UPDATE record SET state = 'PAYABLE', money = {money} WHERE record_id = 'late'"
    if may:
        any_books.sql(move)
    else:
        with pytest.raises(IntegrityError, match="only as a late grant"):
            any_books.sql(move)


@pytest.mark.parametrize(
    ("before", "after", "may"),
    [
        ("late_grants_claimed", None, True),
        (None, None, False),
        ("late_grants_claimed", "late_grants_claimed", False),
        ("payable", None, False),
    ],
)
def test_a_tombstone_is_rejected_only_out_of_the_late_grants(any_books, before, after, may):
    put_record(any_books, "late", "RELEASED", money=before)
    money = "NULL" if after is None else f"'{after}'"
    move = f"UPDATE record SET state = 'AVAILABLE_AGAIN', money = {money} WHERE record_id = 'late'"
    if may:
        any_books.sql(move)
    else:
        with pytest.raises(IntegrityError, match="only as a late grant"):
            any_books.sql(move)


def test_the_copies_in_the_migrations_say_what_the_code_says(migrations):
    assert set(newest(migrations, "RECORD_MOVES")) == {f"{old.value}>{new.value}" for old, new in MOVES}
    assert set(newest(migrations, "NEVER_OVERDRAWN")) == {account.value for account in NEVER_OVERDRAWN}


CLAIM = "INSERT INTO claim VALUES ('C-1', 'M001', '2026-03-01', 1, 5, 0)"
LINE = "INSERT INTO claim_line VALUES ('{}', 'r', 5, 'SUBMITTED', '', '', NULL)"
PAYMENT = "INSERT INTO claim_payment VALUES ('C-1', 'bank 1', 1, 5, 0, 0, 0)"


@pytest.mark.parametrize(
    ("made", "changed", "says"),
    [
        (CLAIM, "UPDATE claim SET fen = 6", "append-only"),
        (CLAIM, "DELETE FROM claim", "append-only"),
        (PAYMENT, "UPDATE claim_payment SET fen = 6", "append-only"),
        (PAYMENT, "DELETE FROM claim_payment", "append-only"),
        ("INSERT INTO closed_year VALUES (2025, 0)", "DELETE FROM closed_year", "append-only"),
        (LINE.format("C-1"), "DELETE FROM claim_line", "append-only"),
        (LINE.format("C-1"), "UPDATE claim_line SET fen = 6", "ends once"),
        (LINE.format("C-1"), LINE.format("C-2"), "(?i)unique"),
        (
            LINE.format("C-1").replace("SUBMITTED", "PAID"),
            "UPDATE claim_line SET state = 'REJECTED'",
            "ends once",
        ),
        (
            "INSERT INTO freezing VALUES ('shop', 'S1', 'why', 'li', 0, '', '', '', NULL)",
            "DELETE FROM freezing",
            "never deleted",
        ),
        (
            "INSERT INTO goods_return VALUES "
            "('r', 'REFUNDED', 'n', 5, 0, '', '', '', NULL, 0, NULL, 1, 'payable', 1, '', NULL)",
            "UPDATE goods_return SET state = 'RETURNING'",
            "stays so",
        ),
    ],
)
def test_claims_and_returns_are_not_rewritten(any_books, made, changed, says):
    any_books.sql(made)
    with pytest.raises(IntegrityError, match=says):
        any_books.sql(changed)


def test_a_record_is_never_deleted(any_books):
    put_record(any_books, "one", "HELD")
    with pytest.raises(IntegrityError, match="never deleted"):
        any_books.sql("DELETE FROM record")


@pytest.mark.parametrize("table", ["event", "posting", "entry_row"])
def test_what_has_happened_is_neither_changed_nor_deleted(any_books, table):
    device = any_books.enrol()
    any_books.take(device, device.chain(device.paid(any_books.hold(device))))
    columns = [column.name for column in getattr(tables, table).columns]
    for column in columns:
        with pytest.raises(IntegrityError, match="append-only"):
            any_books.sql(f"UPDATE {table} SET {column} = {column}")
    with pytest.raises(IntegrityError, match="append-only"):
        any_books.sql(f"DELETE FROM {table}")


@pytest.mark.parametrize("account", sorted(Account))
def test_no_account_that_may_not_be_is_overdrawn(any_books, account):
    put = f"INSERT INTO balance VALUES ('nobody', '{account.value}', 2026, '', -1)"
    if account in NEVER_OVERDRAWN:
        with pytest.raises(IntegrityError, match="overdrawn"):
            any_books.sql(put)
        any_books.sql(put.replace("-1", "0"))
        with pytest.raises(IntegrityError, match="overdrawn"):
            any_books.sql(
                f"UPDATE balance SET fen = -1 WHERE funder = 'nobody' AND account = '{account.value}'"
            )
    else:
        any_books.sql(put)


@pytest.mark.parametrize("value", ["'12a'", "1.5", "x'00'"])
def test_text_does_not_stand_in_a_numbers_place(on_file, value):
    with pytest.raises(IntegrityError, match="cannot store"):
        on_file.sql(f"INSERT INTO balance VALUES ('nobody', 'available', 2026, '', {value})")


def test_the_migrated_tables_are_the_ones_the_code_describes(any_books):
    with reading(any_books.engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
        assert is_current(connection)


def test_every_table_is_strict(on_file):
    names = on_file.sql_rows("SELECT name FROM pragma_table_list WHERE schema='main' AND strict = 0")
    assert {name for (name,) in names} <= {"sqlite_schema", "alembic_version"}


def test_migrating_again_changes_nothing(any_books):
    before = any_books.state_hash()
    migrate(any_books.engine)
    assert any_books.state_hash() == before


def test_every_connection_survives_a_power_cut(on_file):
    assert on_file.sql_rows("PRAGMA journal_mode") == [("wal",)]
    assert on_file.sql_rows("PRAGMA synchronous") == [(2,)]
    assert on_file.sql_rows("PRAGMA foreign_keys") == [(1,)]


def test_a_read_does_not_write(any_books):
    with reading(any_books.engine) as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = 1")
        with pytest.raises(DBAPIError, match=r"(?i)read.?only"):
            connection.exec_driver_sql("UPDATE balance SET fen = 0")
