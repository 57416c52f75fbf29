"""What becomes of a paid record after the centre's books were restored to before its hold?"""

from contextlib import closing

import pytest
import reference_data as reference
from books import ENGINES, Books
from fake_device import promised

from settlement.writer.rows import Record, Serial


@pytest.fixture(params=ENGINES)
def restored(tmp_path, request):
    """Return books with a device, the promise of a hold, and the same books restored to before it."""
    with closing(Books(tmp_path / "before", on=request.param)) as books:
        device = books.enrol()
        books.copy(tmp_path / "after")
        sealed = books.hold(device)
        with closing(Books.reopen(tmp_path / "after", books)) as after:
            assert after.row(Record, promised(sealed).record_id) is None
            yield after, device, sealed


def test_the_hold_is_built_again_from_its_promise_and_booked(restored):
    books, device, sealed = restored
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.money, record.subsidy_fen) == ("PAYABLE", "payable", 43_500)
    assert books.happened == ["hold_placed", "record_booked", "entry_taken", "upload_taken"]
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id


def test_it_is_held_against_the_promise_as_any_other(restored):
    books, device, sealed = restored
    books.take(device, device.chain(device.paid(sealed, paid_fen=1)))
    assert (books.record(sealed).state, books.money()) == ("KEPT", {"held": 43_500})


def test_a_pool_that_cannot_bear_it_now_keeps_it_as_a_late_grant(restored):
    books, device, sealed = restored
    books.sql("UPDATE balance SET fen = 2174 WHERE funder = 'county' AND account = 'available'")
    books.sql("UPDATE balance SET fen = -2174 WHERE funder = 'county' AND account = 'appropriated'")
    books.check = lambda *_rows: None  # the balances were changed behind the books' back
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    assert books.record(sealed).state == "RELEASED"
    assert books.differences(promised(sealed).record_id) == ["late_grant"]


def test_a_sale_that_was_closed_leaves_a_tombstone(restored):
    books, device, sealed = restored
    promise = promised(sealed)
    assert books.take(device, device.chain(device.closed(promise.record_id, 1))) == ["accepted"]
    assert books.record(sealed).state == "RELEASED"
    assert books.money() == {}


def test_a_serial_number_that_was_sold_again_stays_the_others_and_the_line_is_blocked(restored):
    books, device, sealed = restored
    other = books.enrol("other")
    item = promised(sealed).item
    second = books.hold(other, item=item, person=9)
    books.take(device, device.chain(device.paid(sealed)))
    record = books.record(sealed)
    assert record.state == "BLOCKED"
    assert "serial number" in record.why
    assert books.row(Serial, record.brand, item.serial_no).taken_by == promised(second).record_id
    promise = promised(second)
    books.take(other, other.chain(other.closed(promise.record_id, promise.hold_no)))
    assert books.row(Serial, record.brand, item.serial_no).taken_by is None


def test_a_promise_under_a_number_that_stands_for_another_sale_freezes_the_device(restored):
    books, device, sealed = restored
    device.hold_no = 0
    books.hold(device, person=8)
    entry = device.chain(device.paid(sealed))
    books.frozen(device, books.uploaded(device, device.upload([entry], books.open_of(device))))
    assert books.money() == {"held": 43_500}


def test_the_hold_asked_for_again_after_it_was_rebuilt_is_over_and_freezes_nobody(restored):
    books, device, sealed = restored
    books.take(device, device.chain(device.paid(sealed, paid_fen=1)))
    promise = promised(sealed)
    request = device.hold_request(books.pack.hash, record_id=promise.record_id, hold_no=1, person=0)
    assert b"HOLD_OVER" in books.ask(device, request).payload
    assert books.device(device).frozen is None


def test_it_counts_among_the_open_holds_only_until_it_is_booked(restored):
    books, device, sealed = restored
    books.take(device, device.chain(device.paid(sealed)))
    books.hold(device, person=11, terminal_no=reference.TERMINAL)
    assert books.sql_rows("SELECT scope, open FROM open_count ORDER BY scope") == [
        ("shop", 1),
        ("terminal", 1),
    ]


def test_uploads_go_on_after_the_restore(restored):
    books, device, sealed = restored
    device.upload_no = 7
    books.take(device, device.chain(device.paid(sealed)), still_open=())
    assert books.device(device).upload_no == 8
