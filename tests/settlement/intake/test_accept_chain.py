"""Is each entry taken once, in its place, from the device whose it is?"""

import pytest
from fake_device import promised

from settlement.writer.rows import EntryRow


def test_the_same_entry_again_is_a_repeat_and_changes_nothing(books):
    device = books.enrol()
    entry = device.chain(device.paid(books.hold(device)))
    books.take(device, entry)
    money = books.money()
    books.clock.ahead_ms += 1_000
    assert books.take(device, entry) == ["repeat"]
    assert books.take(device, entry, entry) == ["repeat", "repeat"]
    assert books.money() == money
    assert books.happened.count("record_booked") == 1


def test_an_entry_twice_in_one_upload_is_taken_once(books):
    device = books.enrol()
    entry = device.chain(device.paid(books.hold(device)))
    assert books.take(device, entry, entry) == ["accepted", "repeat"]
    assert books.money() == {"payable": 43_500}


def test_a_record_reported_twice_under_two_numbers_is_booked_once(books):
    device = books.enrol()
    sealed = books.hold(device)
    entries = device.chain(device.paid(sealed)), device.chain(device.paid(sealed))
    assert books.take(device, *entries) == ["accepted", "quarantined"]
    assert books.money() == {"payable": 43_500}


def test_another_devices_record_is_left_alone(books):
    victim, thief = books.enrol("victim"), books.enrol("thief")
    sealed = books.hold(victim)
    promise = promised(sealed)
    entries = (
        thief.chain(thief.paid(sealed)),
        thief.chain(thief.closed(promise.record_id, 99)),
        thief.chain(b'{"kind":"paid","record_id":"%s"}' % promise.record_id.encode()),
    )
    assert books.take(thief, *entries) == ["quarantined"] * 3
    assert books.record(sealed).state == "HELD"
    assert books.take(victim, victim.chain(victim.paid(sealed))) == ["accepted"]


def test_a_supplement_to_no_known_record_waits_for_people(books):
    device = books.enrol()
    sealed = books.hold(device)
    known = device.supplement(promised(sealed).record_id, device.attempt(promised(sealed)))
    unknown = device.supplement(device.record_id(), device.attempt(promised(sealed)))
    assert books.take(device, device.chain(known), device.chain(unknown)) == ["accepted", "quarantined"]


def test_an_entry_that_waits_for_people_is_no_yes_when_it_is_sent_again(books):
    device = books.enrol()
    sealed = books.hold(device)
    assert books.take(device, device.chain(device.paid(sealed, paid_fen=1))) == ["accepted"]
    back = device.chain(device.returning(promised(sealed)))

    # A shop that has not heard the first ack would give the money back on a repeat.
    assert [books.take_early(device, back) for _ in range(3)] == [["quarantined"]] * 3
    assert books.take(device, back, back) == ["quarantined", "quarantined"]


# The chain.


def test_gaps_are_noted_and_filled_later(books):
    device = books.enrol()
    entries = [device.chain(device.paid(books.hold(device))) for _ in range(3)]
    books.take(device, entries[2])
    assert (books.device(device).last_seq, books.device(device).entries) == (3, 1)
    books.take(device, entries[0], entries[1])
    assert (books.device(device).last_seq, books.device(device).entries) == (3, 3)
    assert books.money() == {"payable": 3 * 43_500}


def test_one_place_of_the_chain_with_two_contents_freezes_the_device_and_keeps_both(books):
    device = books.enrol()
    first, second = books.hold(device), books.hold(device)
    one = device.chain(device.paid(first))
    books.take(device, one)
    two = device.at(1, one.wire.prev, device.paid(second))
    books.frozen(device, books.uploaded(device, device.upload([two], books.open_of(device))))
    rows = [books.row(EntryRow, device.name, 1, 1, entry.hash) for entry in (one, two)]
    assert [row.answer for row in rows] == ["accepted", "forked"]
    assert books.record(second).state == "HELD"


@pytest.mark.parametrize("later_first", [False, True])
def test_an_entry_that_does_not_follow_its_neighbour_freezes_the_device(books, later_first):
    device = books.enrol()
    one = device.chain(device.paid(books.hold(device)))
    stray = device.at(2, "a" * 64, device.paid(books.hold(device)))
    first, second = (stray, one) if later_first else (one, stray)
    books.take(device, first)
    books.frozen(device, books.uploaded(device, device.upload([second], books.open_of(device))))


def test_a_chain_that_does_not_begin_at_its_beginning_freezes_the_device(books):
    device = books.enrol()
    entry = device.at(1, "a" * 64, device.paid(books.hold(device)))
    books.frozen(device, books.uploaded(device, device.upload([entry], books.open_of(device))))


def test_what_stood_before_the_fork_in_the_same_upload_is_taken(books):
    device = books.enrol()
    good = device.chain(device.paid(books.hold(device)))
    bad = device.at(2, "a" * 64, device.paid(books.hold(device)))
    books.frozen(device, books.uploaded(device, device.upload([good, bad], books.open_of(device))))
    assert books.money() == {"payable": 43_500, "held": 43_500}


def test_a_frozen_device_is_told_so_and_nothing_is_taken(books):
    device = books.enrol()
    entry = device.chain(device.paid(books.hold(device)))
    books.sql(f"UPDATE device SET frozen = 'people said so' WHERE device = '{device.name}'")
    (answer,) = books.write(books.uploaded(device, device.upload([entry])))
    assert answer.code == "DEVICE_FROZEN"
    assert books.row(EntryRow, device.name, 1, 1, entry.hash) is None
    assert books.money() == {"held": 43_500}
