"""Is exactly what fits granted when two hundred threads ask the writer for the same at once?"""

import msgspec
import pytest
import storm
from books import changed_rule
from fake_device import promised
from storm import THREADS, all_at_once, available, check, leave_for, let_in, said

from settlement.writer.writer import Writer

CODES = [f"STORM-{number:04d}" for number in range(THREADS)]


@pytest.fixture
def failures():
    """What the writer has said that failed."""
    return []


@pytest.fixture
def started(any_books, failures):
    """A writer that takes commands in its own thread, and has not failed at the end."""
    writer = Writer(any_books.engine, any_books.setting, any_books.clock.now_ms, failures.append)
    writer.start()
    yield writer
    writer.stop()
    assert failures == []


def requests(books, devices, **changes):
    """Return a hold for each thread, from each device in turn, each with a code of its own."""
    asked = []
    for place in range(THREADS):
        device = devices[place % len(devices)]
        more = {"qualification_code": CODES[place], **changes}
        asked.append(books.asked(device, device.hold_request(books.pack.hash, **more)))
    return asked


def with_quota(pack, quota):
    """Return the pack with another quota for fridges."""

    def change(rule):
        (row,) = rule.quota.rows
        rows = (msgspec.structs.replace(row, value=quota),)
        return msgspec.structs.replace(rule, quota=msgspec.structs.replace(rule.quota, rows=rows))

    return changed_rule(pack, "FRIDGE", change)


@pytest.mark.parametrize("fits", [0, 1, 7, 64])
def test_a_pool_that_is_nearly_empty_grants_what_it_can_bear_and_no_more(any_books, started, fits):
    devices = [any_books.enrol(f"device {number}") for number in range(4)]
    let_in(any_books.centre, CODES)
    leave_for(any_books.centre, fits)
    answers = [said(one) for one in all_at_once(started.submit, requests(any_books, devices))]
    wanted = {(): fits, ("FUND_EXHAUSTED",): THREADS - fits}
    assert storm.count(answers) == {answer: times for answer, times in wanted.items() if times}
    assert available(any_books.engine) == 0
    check(any_books.engine, fits, started)


@pytest.mark.parametrize("quota", [1, 2])
def test_a_person_with_many_codes_gets_what_the_quota_allows(any_books, started, quota):
    any_books.pack = with_quota(any_books.pack, quota)
    devices = [any_books.enrol(f"device {number}") for number in range(4)]
    let_in(any_books.centre, CODES, lambda _place: 1)
    # Every code is asked for by five threads at once.
    asked = [
        any_books.asked(
            device := devices[place % 4],
            device.hold_request(any_books.pack.hash, qualification_code=CODES[place // 5]),
        )
        for place in range(THREADS)
    ]
    answers = [said(one) for one in all_at_once(started.submit, asked)]
    granted = [place for place, one in enumerate(answers) if not one]
    assert len(granted) == quota
    used = {place // 5 for place in granted}
    assert len(used) == quota
    for place, answer in enumerate(answers):
        if place not in granted:
            expected = "QUALIFICATION_IN_USE" if place // 5 in used else "PERSON_QUOTA_USED"
            assert answer[0] == expected
    check(any_books.engine, quota, started)


def test_a_serial_number_is_granted_to_one_of_all_who_scan_it(any_books, started):
    devices = [any_books.enrol(f"device {number}") for number in range(4)]
    let_in(any_books.centre, CODES)
    item = devices[0].hold_request(any_books.pack.hash).item
    asked = requests(any_books, devices, item=msgspec.structs.replace(item, serial_no="SN-THE-ONLY-ONE"))
    answers = [said(one) for one in all_at_once(started.submit, asked)]
    assert storm.count(answers) == {(): 1, ("SERIAL_ALREADY_SUBSIDISED",): THREADS - 1}
    check(any_books.engine, 1, started)


def test_one_request_heard_two_hundred_times_is_one_hold_and_one_promise(any_books, started):
    device = any_books.enrol()
    asked = any_books.asked(device, device.hold_request(any_books.pack.hash))
    answers = all_at_once(started.submit, [asked] * THREADS)
    assert len({answer.payload for answer in answers}) == 1
    assert set(map(said, answers)) == {()}
    check(any_books.engine, 1, started)


def test_money_that_comes_back_in_the_storm_is_promised_once_more_and_never_twice(any_books, started):
    fits = 20
    devices = [any_books.enrol(f"device {number}") for number in range(4)]
    let_in(any_books.centre, CODES)
    leave_for(any_books.centre, fits)
    asked = requests(any_books, devices)
    first = [started.submit(one) for one in asked[:fits]]
    assert set(map(said, first)) == {()}
    ends = []
    for place, answer in enumerate(first):
        promise, device = promised(any_books.sealed(answer)), devices[place % 4]
        entry = device.chain(device.closed(promise.record_id, promise.hold_no))
        ends.append(any_books.uploaded(device, device.upload([entry]), stated=False))
    answers = all_at_once(started.submit, [*ends, *asked[fits:]])
    again = [said(one) for one in answers[fits:]]
    assert set(again) <= {(), ("FUND_EXHAUSTED",)}
    granted = again.count(())
    assert granted <= fits
    assert available(any_books.engine) == (fits - granted) * storm.GRANT_FEN
    check(any_books.engine, granted, started)
