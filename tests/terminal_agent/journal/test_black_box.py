"""The black box holds every transaction before it is done, and makes a damaged journal again."""

import shutil

import pysqlite3.dbapi2 as sqlite
import pytest
from power.agent_cuts import digest
from power.agent_day import AgentDay
from sqlite_utils import Database
from unit_shop import UnitShop

from terminal_agent.journal import black_box, check, connection, recover, schema, watch
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.mend import look, mend
from terminal_agent.journal.open import JournalDamaged, JournalDown, open_journal

CHANGED = {
    "sale": "till_no = '09'",
    "attempt": "operator = 'cashier-2'",
    "outbox": "made_ms = made_ms + 1",
    "idempotency_key": "body_mac = 'another'",
    "move": "after = 'CLOSED'",
    "counter": "value = value + 1",
    "device": "centre_url = 'https://another.example'",
    "_kept_sum": "total = total + 1",
    "_sqlite_migrations": "name = name || '2'",
}


class Killed(BaseException):
    """The agent is killed."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def shop(tmp_path):
    shop = UnitShop(tmp_path)
    yield shop
    shop.connection.close()


def boxes(path):
    """Return the black boxes beside a journal."""
    return sorted(one.name for one in path.parent.glob("*.box"))


def reopened(path):
    """Return what a journal says when it is opened again."""
    database = open_journal(path)
    try:
        return digest(database)
    finally:
        database.close()


def restarted(shop, path):
    """Start the shop's agent again on its files."""
    shop.connection = open_journal(path)
    shop.restart()


def change(path, table, where="true"):
    """Change a word in a row of a journal that nobody has open, past the program."""
    database = sqlite.connect(str(path))
    database.execute(f"UPDATE {table} SET {CHANGED[table]} WHERE {where}")
    database.commit()
    database.close()


def damage(path, old=b'"cashier-1"', new=b'"cashier-2"'):
    """Change a word in a journal that nobody has open."""
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new, 1))


def test_the_black_box_has_every_row_once_a_move_is_done(shop, path):
    shop.sell()
    folded = recover.fold(path)
    assert folded.total == shop.connection.total
    assert len(folded.rows) == sum(
        shop.rows(f"SELECT count(*) FROM {name}")[0][0]
        for name in ("device", "counter", "sale", "attempt", "idempotency_key", "outbox", "move")
    )
    assert folded.is_to_its_end


def test_what_was_cut_off_between_black_box_and_database_is_finished_at_the_start(shop, path, monkeypatch):
    opened = shop.open()
    before = digest(shop.connection)

    def killed(self):
        raise Killed

    monkeypatch.setattr(JournalConnection, "_take_back", lambda self, box: None)
    monkeypatch.setattr(black_box.BlackBox, "sync", killed)
    with pytest.raises(Killed):
        shop.work(opened.sale)
    shop.connection.close()
    monkeypatch.undo()
    assert reopened(path) != before
    assert look(path).is_well
    shop.connection = open_journal(path)
    assert shop.rows("SELECT mark FROM attempt") == [("000041",)]


def test_half_a_frame_is_cut_off_at_the_start(shop, path):
    shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    box = path.parent / boxes(path)[0]
    whole = box.read_bytes()
    box.write_bytes(whole + whole[:40])
    assert reopened(path) == before
    assert box.read_bytes() == whole


@pytest.mark.parametrize("left", [0, 100, None], ids=["empty", "short", "gone"])
def test_a_black_box_that_is_not_there_is_begun_anew_with_everything(left, shop, path):
    shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    box = path.parent / boxes(path)[0]
    if left is None:
        box.unlink()
    else:
        box.write_bytes(box.read_bytes()[:left])
    assert reopened(path) == before
    assert boxes(path) == ["journal.0002.box"]
    assert look(path).is_well


def test_a_journal_from_before_there_were_black_boxes_gets_one(path):
    later = [one.name for one in schema.migrations._migrations if one.name == "black_box"]
    old = connection.JournalConnection(str(path), isolation_level=None)
    schema.migrations.apply(Database(old), stop_before=later)
    old.execute("INSERT INTO counter VALUES ('seq', 7)")
    old.close()
    database = open_journal(path)
    assert database.execute("SELECT value FROM counter").fetchone() == (7,)
    database.close()
    assert look(path).rows == 1
    assert look(path).is_well


@pytest.mark.parametrize("table", ["sale", "attempt", "outbox", "idempotency_key"])
def test_a_sale_of_which_a_word_was_changed_on_the_disk_is_found_when_it_is_used_and_made_good(
    table, shop, path
):
    sold = shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    change(path, table)
    restarted(shop, path)
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        shop.real_journal.sale(sold.record_id)
    shop.connection.close()
    # From now on nothing is sold on it.
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        open_journal(path)
    assert mend(path).is_well
    assert reopened(path) == before
    assert (path.parent / "journal.db.damaged-1").exists()


def test_a_damaged_entry_is_not_sent(shop, path):
    shop.sell()
    shop.connection.close()
    change(path, "outbox")
    restarted(shop, path)
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        shop.real_journal.cut_batch(200)


def test_a_damaged_sale_keeps_no_other_from_being_sold(shop, path):
    sold = shop.sell()
    shop.connection.close()
    change(path, "sale", f"record_id = '{sold.record_id}'")
    restarted(shop, path)
    assert shop.sell().state == "PAID"


@pytest.mark.parametrize("table", ["counter", "device", "_kept_sum", "_sqlite_migrations"])
def test_what_is_of_no_sale_is_looked_at_by_each_start(table, shop, path):
    shop.sell()
    shop.connection.close()
    change(path, table)
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        open_journal(path)


def test_what_nobody_uses_is_looked_at_too_and_then_nothing_is_sold_any_more(shop, path):
    shop.sell()
    shop.connection.close()
    change(path, "move")
    restarted(shop, path)
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        shop.real_journal.check()
    shop.connection.close()
    with pytest.raises(JournalDamaged, match="terminal-agent mend"):
        open_journal(path)
    assert not look(path).is_well
    assert mend(path).is_well
    open_journal(path).close()


def test_a_doubt_that_was_none_is_over(shop, path):
    shop.sell()
    shop.connection.doubt()
    shop.connection.close()
    database = open_journal(path)
    assert database.execute("SELECT doubted FROM black_box").fetchone() == (0,)
    database.close()


def test_sums_are_those_of_the_rows_whatever_has_happened(tmp_path):
    day = AgentDay(tmp_path)
    day.live()
    database = open_journal(day.path)
    tables = watch.tables_of(database)
    assert watch.sums_of(database, tables) == watch.kept_sums(database)
    check.wholly(database)
    database.close()


@pytest.mark.parametrize(
    "query", ["SELECT head FROM black_box", "SELECT applied_at FROM _sqlite_migrations ORDER BY id DESC"]
)
def test_a_text_that_is_none_any_more_is_damage(query, shop, path):
    shop.sell()
    before = digest(shop.connection)
    ((found,),) = shop.rows(query + " LIMIT 1")
    shop.connection.close()
    damage(path, found.encode(), b"\xfd" + found.encode()[1:])
    with pytest.raises(JournalDamaged):
        open_journal(path)
    assert mend(path).is_well
    assert reopened(path) == before


def test_a_column_that_is_called_otherwise_is_damage(shop, path):
    shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    damage(path, b"head TEXT", b"heaf TEXT")
    with pytest.raises(JournalDamaged, match="no such column"):
        open_journal(path)
    assert mend(path).is_well
    assert reopened(path) == before


def test_a_black_box_of_another_length_than_the_journal_says_is_damage(shop, path):
    shop.sell()
    before = digest(shop.connection)
    shop.connection.execute("UPDATE black_box SET size = size - 1")
    shop.connection.close()
    with pytest.raises(JournalDamaged, match="black box"):
        open_journal(path)
    assert mend(path).is_well
    assert reopened(path) == before


def test_sales_go_on_after_a_journal_was_mended(shop, path):
    shop.sell()
    shop.connection.close()
    damage(path)
    mend(path)
    shop.connection = open_journal(path)
    shop._begin()
    assert shop.sell().state == "PAID"
    assert shop.rows("SELECT count(*) FROM outbox") == [(2,)]
    assert recover.fold(path).total == shop.connection.total


def test_a_journal_that_was_taken_away_is_made_again(shop, path):
    shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    path.unlink()
    with pytest.raises(JournalDamaged, match="lost its tables"):
        open_journal(path)
    assert mend(path).is_well
    assert reopened(path) == before


def test_nothing_is_touched_when_both_are_damaged(shop, path):
    shop.sell()
    shop.connection.close()
    damage(path)
    box = path.parent / boxes(path)[0]
    raw = bytearray(box.read_bytes())
    raw[len(raw) // 2] ^= 1
    box.write_bytes(raw)
    files = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    with pytest.raises(JournalDown, match="call the service platform"):
        mend(path)
    assert {one.name: one.read_bytes() for one in path.parent.iterdir()} == files


def test_an_older_copy_of_the_database_is_brought_up_to_its_black_box(shop, path, tmp_path):
    shop.sell()
    shop.connection.close()
    shutil.copy(path, tmp_path / "older.db")
    shop.connection = open_journal(path)
    shop._begin()
    shop.sell()
    before = digest(shop.connection)
    shop.connection.close()
    shutil.copy(tmp_path / "older.db", path)
    assert reopened(path) == before


def test_a_deleted_row_is_gone_from_the_black_box(shop, path):
    shop.real_journal.take_pin_try("supervisor-1")
    assert ("pin_try", 1) in recover.fold(path).rows
    shop.real_journal.pin_was_right("supervisor-1")
    assert ("pin_try", 1) not in recover.fold(path).rows


def test_a_black_box_is_read_by_its_user_only(shop, path):
    assert (path.parent / boxes(path)[0]).stat().st_mode & 0o777 == 0o600
