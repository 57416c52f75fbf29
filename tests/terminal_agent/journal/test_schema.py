"""The journal's database itself refuses every move, deletion and change that may not be.

These journals are moved by hand, past the program, so what they have seen counts for nothing elsewhere.
"""

import itertools
import re

import pysqlite3.dbapi2 as sqlite
import pytest

from terminal_agent.checkout.sale import FOUND_LATE_MS
from terminal_agent.checkout.states import (
    ATTEMPT_MOVES,
    OPEN_ATTEMPTS,
    OPEN_SALES,
    RETURN_MOVES,
    SALE_MOVES,
    AttemptState,
    ReturnState,
    SaleState,
)
from terminal_agent.journal import outbox, read_sale, schema
from terminal_agent.journal.open import open_journal


@pytest.fixture
def database(tmp_path):
    connection = open_journal(tmp_path / "journal.db")
    yield connection
    connection.close()


def put_sale(database, state="NEW", record_id="sale", serial_no=None, qualification=None):
    database.execute(
        "INSERT INTO sale (record_id, state, request, till_no, serial_no, qualification, reasons, "
        "asked_wall_ms, asked_steady_ms, boot, stop, why, opened_ms) "
        "VALUES (?, ?, '{}', '01', ?, ?, '[]', 0, 0, '', 0, '', 0)",
        (record_id, state, serial_no or f"serial of {record_id}", qualification or f"code of {record_id}"),
    )


def put_attempt(database, state="INTENDED", no=1, record_id="sale"):
    database.execute(
        "INSERT INTO attempt (record_id, no, pay_ref, tender, terminal_no, operator, amount_fen, state, "
        "evidence, begun_ms) VALUES (?, ?, ?, 'card', 'T', 'o', 1, ?, '{}', 0)",
        (record_id, no, f"{record_id}-{no}", state),
    )


def put_return(database, state="BEGUN", no=1):
    mark = None if state in ("BEGUN", "REFUSED") else "mark"
    database.execute(
        "INSERT INTO goods_return (record_id, no, state, refund_no, refund_fen, wish, entry_seq, mark, "
        "evidence, begun_ms) VALUES ('sale', ?, ?, 'R', 1, '{}', 1, ?, '{}', 0)",
        (no, state, mark),
    )


def put_entry(database):
    database.execute(
        "INSERT INTO outbox (seq, record_id, kind, prev, hash, body, made_ms) "
        "VALUES (1, 'sale', 'paid', 'p', 'h', x'00', 0)"
    )


def moves_of(states):
    return list(itertools.product(states, repeat=2))


@pytest.mark.parametrize(("before", "after"), moves_of(SaleState))
def test_a_sale_makes_exactly_the_moves_of_its_table(before, after, database):
    put_sale(database, before.value)
    move = "UPDATE sale SET state = ? WHERE record_id = 'sale'"
    if (before, after) in SALE_MOVES:
        database.execute(move, (after.value,))
        seen = database.execute("SELECT what, record_id, attempt_no, before, after FROM move").fetchall()
        assert seen == [("sale", "sale", None, before.value, after.value)]
    else:
        with pytest.raises(sqlite.IntegrityError, match="this sale may not make this move"):
            database.execute(move, (after.value,))
        assert database.execute("SELECT state FROM sale").fetchone() == (before.value,)


@pytest.mark.parametrize(("before", "after"), moves_of(AttemptState))
def test_an_attempt_makes_exactly_the_moves_of_its_table(before, after, database):
    put_sale(database, "PAYING")
    put_attempt(database, before.value)
    move = "UPDATE attempt SET state = ? WHERE record_id = 'sale'"
    if (before, after) in ATTEMPT_MOVES:
        database.execute(move, (after.value,))
        seen = database.execute("SELECT what, record_id, attempt_no, before, after FROM move").fetchall()
        assert seen == [("attempt", "sale", 1, before.value, after.value)]
    else:
        with pytest.raises(sqlite.IntegrityError, match="this attempt may not make this move"):
            database.execute(move, (after.value,))
        assert database.execute("SELECT state FROM attempt").fetchone() == (before.value,)


@pytest.mark.parametrize(("before", "after"), moves_of(ReturnState))
def test_a_return_makes_exactly_the_moves_of_its_table(before, after, database):
    put_sale(database, "RETURNING")
    put_entry(database)
    put_return(database, before.value)
    move = "UPDATE goods_return SET state = ?, mark = 'mark' WHERE record_id = 'sale'"
    if (before, after) in RETURN_MOVES:
        database.execute(move, (after.value,))
        seen = database.execute("SELECT what, record_id, attempt_no, before, after FROM move").fetchall()
        assert seen == [("goods_return", "sale", 1, before.value, after.value)]
    else:
        with pytest.raises(sqlite.IntegrityError, match="this goods_return may not make this move"):
            database.execute(move, (after.value,))


@pytest.mark.parametrize(
    ("one", "other"), [("BEGUN", "BEGUN"), ("BEGUN", "SENDING"), ("REFUNDED", "REFUNDED")]
)
def test_a_sale_has_one_open_return_and_one_refund(one, other, database):
    put_sale(database, "RETURNING")
    put_entry(database)
    put_return(database, one)
    with pytest.raises(sqlite.IntegrityError, match="UNIQUE"):
        put_return(database, other, no=2)


def test_no_refund_leaves_without_its_mark(database):
    put_sale(database, "RETURNING")
    put_entry(database)
    put_return(database)
    with pytest.raises(sqlite.IntegrityError, match="CHECK"):
        database.execute("UPDATE goods_return SET state = 'SENDING'")


def test_a_return_needs_its_sale_and_its_entry(database):
    put_sale(database, "RETURNING")
    with pytest.raises(sqlite.IntegrityError, match="FOREIGN KEY"):
        put_return(database)


def test_no_made_up_state_can_be_reached(database):
    put_sale(database)
    with pytest.raises(sqlite.IntegrityError, match="may not make this move"):
        database.execute("UPDATE sale SET state = 'PAID TWICE'")


def test_the_lists_that_the_first_migration_froze_are_those_of_the_tables():
    assert set(schema._SALE_MOVES) == {f"{before}>{after}" for before, after in SALE_MOVES}
    assert set(schema._ATTEMPT_MOVES) == {f"{before}>{after}" for before, after in ATTEMPT_MOVES}
    assert set(schema._RETURN_MOVES) == {f"{before}>{after}" for before, after in RETURN_MOVES}
    frozen = schema._OPEN_SALES.strip("()").split(", ")
    assert [one.strip("'") for one in frozen] == [one.value for one in OPEN_SALES]


@pytest.mark.parametrize("table", ["goods_return", "sale", "attempt", "outbox"])
def test_nothing_is_deleted(table, database):
    put_sale(database)
    put_attempt(database)
    put_entry(database)
    put_return(database)
    with pytest.raises(sqlite.IntegrityError, match="never deleted"):
        database.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("column", "value"), [("seq", 2), ("prev", "other"), ("hash", "other"), ("body", b"\x01")]
)
def test_an_entry_of_the_outbox_is_not_changed(column, value, database):
    put_entry(database)
    with pytest.raises(sqlite.IntegrityError, match="never changed"):
        database.execute(f"UPDATE outbox SET {column} = ?", (value,))


def test_an_entry_of_the_outbox_can_be_acknowledged(database):
    put_entry(database)
    database.execute("UPDATE outbox SET answer = 'accepted', ack = 'sealed'")
    assert database.execute("SELECT answer FROM outbox").fetchone() == ("accepted",)


def test_a_sale_has_one_paid_attempt(database):
    put_sale(database, "PAYING")
    put_attempt(database, "PAID", no=1)
    put_attempt(database, "UNKNOWN", no=2)
    with pytest.raises(sqlite.IntegrityError, match="UNIQUE"):
        database.execute("UPDATE attempt SET state = 'PAID' WHERE no = 2")


@pytest.mark.parametrize("same", [{"serial_no": "S"}, {"qualification": "Q"}], ids=["serial", "person"])
@pytest.mark.parametrize("state", OPEN_SALES, ids=str)
def test_an_item_and_a_person_have_one_open_sale(state, same, database):
    put_sale(database, state.value, "one", **same)
    with pytest.raises(sqlite.IntegrityError, match="UNIQUE"):
        put_sale(database, "ASKING", "other", **same)
    put_sale(database, "NEW", "third", **same)


def test_a_hold_number_is_one_sales(database):
    put_sale(database, record_id="one")
    put_sale(database, record_id="other")
    database.execute("UPDATE sale SET hold_no = 1 WHERE record_id = 'one'")
    with pytest.raises(sqlite.IntegrityError, match="UNIQUE"):
        database.execute("UPDATE sale SET hold_no = 1 WHERE record_id = 'other'")


def test_an_attempt_needs_its_sale(database):
    with pytest.raises(sqlite.IntegrityError, match="FOREIGN KEY"):
        put_attempt(database, record_id="nobody's")


def test_the_index_of_sales_found_late_is_of_the_time_that_counts(database):
    (text,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'sale_found_late'").fetchone()
    assert text.endswith(f"paid_ms - opened_ms > {FOUND_LATE_MS}")


class Watched:
    """A journal that remembers what it was asked."""

    def __init__(self, database):
        self._database = database
        self.asked = []

    def execute(self, query, values=()):
        self.asked.append((query, values))
        return self._database.execute(query, values)


def steps(database, asked):
    """Return the steps by which SQLite answers a question."""
    query, values = asked
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}", values)]


def test_what_a_till_has_open_is_found_without_reading_every_sale(database):
    watched = Watched(database)
    read_sale.of_till(watched, "01")
    plan = steps(database, watched.asked[0])
    assert not [step for step in plan if step.startswith("SCAN sale")]


OPEN_ONLY = {"outbox_waiting", "outbox_open", "outbox_quarantined", "attempt_open"}


@pytest.mark.parametrize(
    "ask",
    [
        read_sale.numbers,
        read_sale.links_in_use,
        lambda db: read_sale.open_attempts(db, "EMU00001"),
        lambda db: read_sale.in_states(db, ("NEW", "ASKING")),
        lambda db: outbox.waiting(db, 200),
        lambda db: outbox.listed(db, 200),
        lambda db: outbox.cut_batch(db, 200),
    ],
)
def test_start_status_and_upload_read_what_is_open_and_not_all_there_was(database, ask):
    watched = Watched(database)
    ask(watched)
    questions = [one for one in watched.asked if one[0].startswith("SELECT")]
    assert questions
    for question in questions:
        for step in steps(database, question):
            if re.match("SCAN (sale|attempt|outbox|move|idempotency_key)", step):
                assert step.split()[-1] in OPEN_ONLY, (question, step)


def test_the_index_of_open_attempts_is_of_those_that_count(database):
    (text,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'attempt_open'").fetchone()
    assert set(re.findall("'([A-Z_]+)'", text)) == {one.value for one in OPEN_ATTEMPTS}
