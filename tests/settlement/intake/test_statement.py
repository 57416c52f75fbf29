"""What does a device's statement of its open holds end?"""

import pytest
from fake_device import promised

from settlement.writer.rows import RefusedOnDay
from subsidy.policy.refusals import Refusal
from subsidy.wire import v1


def open_hold(sealed):
    """Return a hold as a statement names it."""
    promise = promised(sealed)
    return v1.OpenHold(record_id=promise.record_id, hold_no=promise.hold_no)


def test_a_statement_ends_the_holds_that_it_does_not_name(books):
    device = books.enrol()
    forgotten, kept = books.hold(device), books.hold(device)
    books.take(device, still_open=(open_hold(kept),))
    assert books.record(forgotten).state == "RELEASED"
    assert books.record(forgotten).why == "statement 1"
    assert books.record(kept).state == "HELD"
    assert books.money() == {"held": 43_500}


def test_a_statement_says_nothing_of_holds_above_its_number(books):
    device = books.enrol()
    first, second = books.hold(device), books.hold(device)
    books.take(device, statement=v1.Statement(upto_hold_no=1, open=()))
    assert books.record(first).state == "RELEASED"
    assert books.record(second).state == "HELD"


def test_a_statement_says_nothing_of_other_devices(books):
    one, two = books.enrol("one"), books.enrol("two")
    sealed = books.hold(one, person=1)
    books.hold(two, person=2)
    books.take(two, still_open=())
    assert books.record(sealed).state == "HELD"


def test_a_statement_touches_nothing_that_is_paid_or_kept(books):
    device = books.enrol()
    paid, kept = books.hold(device), books.hold(device)
    books.take(device, device.chain(device.paid(paid)), device.chain(device.paid(kept, paid_fen=1)))
    books.take(device, still_open=())
    assert (books.record(paid).state, books.record(kept).state) == ("PAYABLE", "KEPT")
    assert books.money() == {"payable": 43_500, "held": 43_500}


def test_entries_come_before_the_statement_of_their_upload(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.take(device, device.chain(device.paid(sealed)), still_open=())
    assert books.record(sealed).state == "PAYABLE"


def test_a_lower_number_in_a_newer_upload_freezes_the_device_and_frees_nothing(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.hold(device)
    books.take(device)
    restored = device.upload(statement=v1.Statement(upto_hold_no=1, open=()))
    assert "it stated 2 holds, and now 1" in books.frozen(device, books.uploaded(device, restored))
    assert books.record(sealed).state == "HELD"


def test_a_lower_number_in_an_older_upload_is_only_late(books):
    device = books.enrol()
    books.hold(device)
    old = device.upload(statement=v1.Statement(upto_hold_no=0, open=()))
    books.take(device)
    before = books.state_hash()
    books.write(books.uploaded(device, old))
    assert books.device(device).frozen is None
    assert books.state_hash() == before


@pytest.mark.parametrize("repeats", [1, 3])
def test_an_upload_that_comes_again_is_heard_once(books, repeats):
    device = books.enrol()
    upload = device.upload()
    later = books.hold(device)
    for _ in range(repeats):
        books.write(books.uploaded(device, upload))
    again = device.upload(upload_no=1, statement=v1.Statement(upto_hold_no=1, open=()))
    books.write(books.uploaded(device, again))
    assert books.record(later).state == "HELD"
    assert books.happened.count("upload_taken") == 1


def test_the_entries_of_a_repeated_upload_are_taken_all_the_same(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.take(device)
    entry = device.chain(device.paid(sealed))
    late = device.upload([entry], upload_no=1)
    (answer,) = books.write(books.uploaded(device, late))
    assert books.answers(answer, (entry,)) == ["accepted"]
    assert books.record(sealed).state == "PAYABLE"


def test_a_statement_without_holds_or_entries_is_heard(books):
    device = books.enrol()
    assert books.take(device) == []
    assert (books.device(device).upload_no, books.device(device).stated_ms) == (1, books.clock.now_ms())


def test_a_device_whose_chain_has_a_gap_frees_nothing_until_the_gap_is_filled(books):
    device = books.enrol()
    paid, forgotten = books.hold(device), books.hold(device)
    missing = device.chain(device.paid(paid))
    books.take(device, device.chain(device.paid(books.hold(device))), still_open=())
    assert (books.record(paid).state, books.record(forgotten).state) == ("HELD", "HELD")
    assert books.device(device).stated_hold_no == 3
    books.take(device, missing, still_open=())
    assert (books.record(paid).state, books.record(forgotten).state) == ("PAYABLE", "RELEASED")


def test_refused_sales_are_counted_as_last_reported(books):
    device = books.enrol()
    for count in (3, 5):
        one = v1.RefusedCount(day="2026-03-01", code=Refusal.FUND_EXHAUSTED, count=count)
        books.take(device, refused=(one,))
    assert books.row(RefusedOnDay, device.name, "2026-03-01", "FUND_EXHAUSTED").count == 5


def test_a_hold_that_a_statement_ended_gives_its_person_and_serial_number_back(books):
    device = books.enrol()
    sealed = books.hold(device, person=6)
    books.take(device, still_open=())
    books.hold(device, person=6, item=promised(sealed).item)


def test_a_record_that_comes_after_its_statement_ended_it_is_a_late_grant(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(sealed)))
    assert books.differences(promised(sealed).record_id) == ["late_grant"]


def test_many_forgotten_holds_end_in_one_upload(books):
    device = books.enrol()
    for _ in range(20):
        books.hold(device)
    books.take(device, still_open=())
    assert books.money() == {}
    assert books.happened.count("hold_ended") == 20
