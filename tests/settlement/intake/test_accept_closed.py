"""What becomes of a sale that a shop reports as not paid?"""

import pytest
from fake_device import promised

from settlement.writer.rows import HoldNumber, Qualification, Quota, Serial


def close(books, device, sealed, **more):
    """Report a sale as not paid."""
    promise = promised(sealed)
    return books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no, **more)))


def test_a_closed_sale_gives_back_everything_it_took(books):
    device = books.enrol()
    before = books.money()
    sealed = books.hold(device, person=2)
    taken = books.record(sealed)
    assert close(books, device, sealed) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.money, record.why) == ("RELEASED", None, "closed: stopped")
    assert books.money() == before == {}
    assert books.row(Serial, taken.brand, taken.serial_no).taken_by is None
    assert books.row(Qualification, taken.qualification).used_by is None
    assert books.row(Quota, taken.person, "FRIDGE", 2026).used == 0
    books.hold(device, person=2, item=promised(sealed).item)


def test_a_release_sent_early_is_a_repeat_when_it_comes_with_the_upload(books):
    device = books.enrol()
    promise = promised(books.hold(device))
    entry = device.chain(device.closed(promise.record_id, promise.hold_no))
    assert books.take_early(device, entry) == ["accepted"]
    assert books.take(device, entry) == ["repeat"]
    assert books.happened.count("hold_ended") == 1


def test_a_release_that_overtakes_its_hold_leaves_a_tombstone(books):
    device = books.enrol()
    request = device.hold_request(books.pack.hash)
    entry = device.chain(device.closed(request.record_id, request.hold_no))
    assert books.take_early(device, entry) == ["accepted"]
    assert books.record(request.record_id).state == "RELEASED"
    answer = books.ask(device, request)
    assert b"HOLD_OVER" in answer.payload
    assert books.money() == {}
    assert books.device(device).frozen is None


@pytest.mark.parametrize("state", ["UNKNOWN", "REVERSING", "GIVING_BACK", "PAID", "INTENDED"])
def test_a_closed_sale_whose_attempt_may_be_paid_frees_nothing(books, state):
    device = books.enrol()
    sealed = books.hold(device)
    attempt = device.not_paid(promised(sealed), state=state)
    assert close(books, device, sealed, attempts=[attempt]) == ["quarantined"]
    record = books.record(sealed)
    assert (record.state, record.money) == ("KEPT", "suspense")
    assert books.money() == {"suspense": 43_500}
    assert books.differences(record.record_id) == ["record_unreadable"]


def test_a_sale_whose_payments_failed_or_were_given_back_is_closed(books):
    device = books.enrol()
    sealed = books.hold(device)
    promise = promised(sealed)
    attempts = [device.not_paid(promise, 1), device.not_paid(promise, 2, state="GIVEN_BACK")]
    assert close(books, device, sealed, attempts=attempts) == ["accepted"]
    assert books.record(sealed).state == "RELEASED"


def test_a_paid_record_cannot_be_closed_afterwards(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.take(device, device.chain(device.paid(sealed)))
    assert close(books, device, sealed) == ["quarantined"]
    assert books.record(sealed).state == "PAYABLE"
    assert books.money() == {"payable": 43_500}


def test_a_closed_entry_under_another_number_than_its_holds_frees_nothing(books):
    device = books.enrol()
    sealed = books.hold(device)
    entry = device.chain(device.closed(promised(sealed).record_id, 2))
    assert books.take(device, entry) == ["quarantined"]
    assert books.money() == {"suspense": 43_500}
    assert "hold number" in books.record(sealed).why


def test_a_closed_entry_under_the_hold_number_of_another_sale_freezes_the_device(books):
    device = books.enrol()
    first = promised(books.hold(device))
    entry = device.chain(device.closed(device.record_id(), first.hold_no))
    books.frozen(device, books.uploaded(device, device.upload([entry], books.open_of(device))))
    assert books.row(HoldNumber, device.name, 1, first.hold_no).record_id == first.record_id
    assert books.record(first.record_id).state == "HELD"
