"""Are books made anew what they are, also when persons and serial numbers lie in registers?"""

import pytest
from fake_device import promised
from sharing import waiting

from settlement.claims.enter_late import EnterLate
from settlement.copies.rebuild import keep, rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.copies.target import empty_books
from settlement.db.connection import reading
from settlement.db.place import Sqlite
from settlement.funds.release_hold import FreeGoods
from settlement.registers.database import RegisterDown


def let_go(books):
    """Let connections end that a test is about to make useless."""
    for database in books.registers.databases:
        database.close()


def record_of(sealed):
    """Return the record's id."""
    return promised(sealed).record_id


@pytest.fixture
def kept_busy(one):
    """Return a programme of which every way has been gone by which something is taken or given back."""
    device = one.enrol("here")
    back, late, freed = one.sell(device, person=1), one.hold(device, person=2), one.hold(device, person=3)
    one.give_back(device, back)
    one.take(device, still_open=[])
    assert one.take(device, device.chain(device.paid(late))) == ["accepted"]
    one.done(EnterLate(record_of(late), "decision"))
    assert one.record(freed).state == "RELEASED"
    freed = one.hold(device, person=4)
    one.done(FreeGoods(by="li, wang", record_id=record_of(freed), reason="nobody answers"))
    assert one.take(device, device.chain(device.paid(freed))) == ["accepted"]
    one.sell(device, person=1)
    return one


def test_books_of_a_register_are_what_their_events_make(kept_busy, tmp_path):
    with reading(kept_busy.engine) as connection:
        done = rebuild(connection, open_scratch(tmp_path / "anew.sqlite3"))
    assert done.faults == ()
    assert done.books == done.anew


def test_books_made_anew_tell_registers_what_is_still_to_be_told_and_nothing_else(
    kept_busy, sharing, tmp_path
):
    device = kept_busy.enrol("there")
    closed = promised(kept_busy.hold(device, person=7))
    let_go(kept_busy)
    with sharing.away(sharing.settings.places[0].database):
        with pytest.raises(RegisterDown):
            kept_busy.hold(device, person=8)
        ended = device.chain(device.closed(closed.record_id, closed.hold_no))
        assert kept_busy.take_early(device, ended) == ["accepted"]
    untold = waiting(kept_busy)
    assert {record_id for _, record_id in untold} == {closed.record_id}

    scratch, target = open_scratch(tmp_path / "anew.sqlite3"), empty_books(Sqlite(tmp_path / "kept.sqlite3"))
    with reading(kept_busy.engine) as connection:
        assert rebuild(connection, scratch, keep_postings=True).faults == ()
        keep(connection, scratch, target)
    with reading(target) as connection:
        found = connection.exec_driver_sql("SELECT kind, record_id FROM freed").all()
    assert sorted(map(tuple, found)) == untold
