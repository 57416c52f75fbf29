"""Do two people end the waiting of an entry that could not be taken, and change nothing else by it?"""

import pytest
from fake_device import promised

from settlement.alarms.kinds import AlarmCode
from settlement.alarms.look import WAITS_DAYS, alarms
from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import reading
from settlement.intake.settle_entry import SettleEntry
from settlement.writer.rows import Difference, EntryRow

PEOPLE = "wang, li"
DAY_MS = 86_400_000


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def twice(books, device):
    """A second `paid` entry of a sale that is taken in: it can never be taken."""
    sealed = books.sell(device)
    entry = device.chain(device.paid(sealed))
    assert books.take(device, entry) == ["quarantined"]
    return entry


def settle(device, entry):
    """Return the decision that nothing waits about an entry any more."""
    return SettleEntry(f"{device.name}/1/{entry.seq}", "the shop sent it twice", by=PEOPLE)


def rings(books):
    """Return what the alarm of entries that wait is about, days later."""
    with reading(books.engine) as connection:
        later = books.clock.now_ms() + (WAITS_DAYS + 1) * DAY_MS
        found = alarms(connection, books.pack, None, 14_400, later, None)
    return [name for one in found if one.code is AlarmCode.QUARANTINE_WAITS for name in one.about]


def test_one_that_can_never_be_taken_waits_until_two_people_settle_it(books, device, twice, tmp_path):
    subject = f"{device.name}/1/{twice.seq}"
    assert (books.differences(subject), rings(books)) == (["entry_quarantined"], [subject])
    row, money = books.row(EntryRow, device.name, 1, twice.seq, twice.hash), books.money()
    books.done(settle(device, twice))
    assert (books.differences(subject), rings(books)) == ([], [])
    assert (books.row(EntryRow, device.name, 1, twice.seq, twice.hash), books.money()) == (row, money)
    with reading(books.engine) as connection:
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()


def test_the_log_says_who_has_settled_it_and_why(books, device, twice):
    books.done(settle(device, twice))
    ((body,),) = books.sql_rows("SELECT body FROM event WHERE kind = 'entry_settled'")
    assert '"by":"wang, li"' in body
    assert '"why":"the shop sent it twice"' in body


def test_its_shop_hears_the_same_of_it_as_before_and_nothing_waits_again(books, device, twice):
    books.done(settle(device, twice))
    assert books.take(device, twice) == ["quarantined"]
    assert books.differences(f"{device.name}/1/{twice.seq}") == []


def test_one_that_can_be_taken_when_it_comes_again_is_taken_though_it_was_settled(books, device, tmp_path):
    """A restored centre may hear of a sale only after what comes beside it."""
    record_id, promise = device.record_id(), promised(books.hold(device))
    beside = device.chain(device.supplement(record_id, device.attempt(promise)))
    assert books.take(device, beside) == ["quarantined"]
    books.done(settle(device, beside))
    sold = books.sell(device, record_id=record_id)
    assert books.take(device, beside) == ["accepted"]
    assert "told of it anew" in books.record(sold).night
    assert books.differences(f"{device.name}/1/{beside.seq}") == []
    assert books.denied(settle(device, beside)) == "ENTRY_SETTLED"
    with reading(books.engine) as connection:
        assert rebuild(connection, open_scratch(tmp_path / "scratch")).faults == ()


def test_it_is_settled_once(books, device, twice):
    books.done(settle(device, twice))
    settled = books.row(Difference, f"{device.name}/1/{twice.seq}", "entry_quarantined")
    books.clock.ahead_ms += 1
    assert books.denied(settle(device, twice)) == "ENTRY_SETTLED"
    assert books.row(Difference, f"{device.name}/1/{twice.seq}", "entry_quarantined") == settled


@pytest.mark.parametrize("name", ["", "/2/2", "/1/1", "/1/02", "/1/2/entry_quarantined"])
def test_what_is_no_entry_that_waits_is_not_settled(books, device, twice, name):
    """An entry that was taken, another epoch, a name that is none."""
    assert twice.seq == 2
    before = books.state_hash()
    assert books.denied(SettleEntry(f"{device.name}{name}", "why", by=PEOPLE)) == "ENTRY_UNKNOWN"
    assert books.state_hash() == before


def test_it_is_settled_over_http_under_the_subject_that_is_listed(centre):
    device = centre.enrol()
    sealed = device.hold(person=5).sealed
    for _ in range(2):
        device.send_upload(device.chain(device.paid(sealed)))
    (item,) = (
        one for one in centre.get("/v1/differences").json()["differences"] if device.name in one["subject"]
    )
    assert (item["subject"], item["kind"]) == (f"{device.name}/1/2", "entry_quarantined")
    command = {"type": "settle_entry", "entry": item["subject"], "reason": "the shop sent it twice"}
    proposed = centre.post("/v1/proposals", command)
    assert proposed.status_code == 202, proposed.text
    assert proposed.json()["shown"]["events"] == {"entry_settled": 1}
    assert proposed.json()["shown"]["moves"] == []
    assert centre.approve(proposed.json()).status_code == 200
    assert item not in centre.get("/v1/differences").json()["differences"]
    again, unknown = (
        centre.post("/v1/proposals", command | {"entry": name}) for name in (item["subject"], "nobody/1/1")
    )
    assert (again.status_code, again.json()["code"]) == (409, "ENTRY_SETTLED")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "ENTRY_UNKNOWN")
