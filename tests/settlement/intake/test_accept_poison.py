"""What becomes of an entry that cannot be taken?"""

import msgspec
import pytest
from fake_device import promised

from settlement.writer.rows import EntryRow
from subsidy.wire import v1


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"not json",
        b"[]",
        b"\xff\xfe",
        b'{"kind": "paid", "v": 2}',
        b'{"kind": "nobody knows", "v": 1}',
        b"[" * 100_000,
        b'{"kind": 7}',
        b'{"kind": "paid", "record_id": "\\ud800"}',
    ],
)
def test_a_poison_entry_goes_to_quarantine_and_the_next_one_goes_on(books, poison):
    device = books.enrol()
    sealed = books.hold(device)
    bad, good = device.chain(poison), device.chain(device.paid(sealed))
    assert books.take(device, bad, good) == ["quarantined", "accepted"]
    assert books.record(sealed).state == "PAYABLE"
    assert books.differences(f"{device.name}/1/1") == ["entry_quarantined"]
    row = books.row(EntryRow, device.name, 1, 1, bad.hash)
    assert (row.answer, bytes(row.body)) == ("quarantined", poison)
    assert row.problem


@pytest.mark.parametrize("kind", ["\\u0000", "pa\\u0000id", "\\u202epaid", "PAID", "x" * 21])
def test_a_kind_that_a_database_may_not_keep_does_not_hold_up_the_shops_other_entries(any_books, kind):
    device = any_books.enrol()
    poison = f'{{"kind": "{kind}", "v": 1}}'.encode()
    bad, good = device.chain(poison), device.chain(device.paid(any_books.hold(device)))
    assert any_books.take(device, bad, good) == ["quarantined", "accepted"]
    row = any_books.row(EntryRow, device.name, 1, 1, bad.hash)
    assert (row.kind, bytes(row.body)) == ("unreadable", poison)


def test_a_body_that_is_no_base64_is_chained_over_what_stands_there(books):
    device = books.enrol()
    entry = device.chain(b"x")
    wire = msgspec.structs.replace(entry.wire, body="AAA")
    upload = msgspec.structs.replace(device.upload([entry]), entries=(wire,))
    command = books.uploaded(device, upload)
    (answer,) = books.write(command)
    (ack,) = answer.acks
    assert msgspec.json.decode(ack.payload, type=v1.Ack).answer == "quarantined"


def test_poison_about_a_known_hold_puts_its_money_in_suspense(books):
    device = books.enrol()
    sealed = books.hold(device)
    body = msgspec.json.encode(device.paid(sealed)).replace(b'"v":1', b'"v":2', 1)
    assert books.take(device, device.chain(body)) == ["quarantined"]
    record = books.record(sealed)
    assert (record.state, record.money, record.owner) == ("KEPT", "suspense", "platform")
    assert books.money() == {"suspense": 43_500}
    assert books.differences(record.record_id) == ["record_unreadable"]


@pytest.mark.parametrize("kind", ["supplement", "returning", "returned"])
def test_poison_beside_a_sale_leaves_the_sale_to_its_own_entry(books, kind):
    device = books.enrol()
    sealed = books.hold(device)
    beside = f'{{"kind":"{kind}","v":2,"record_id":"{promised(sealed).record_id}"}}'.encode()
    entries = device.chain(beside), device.chain(device.paid(sealed))
    assert books.take(device, *entries) == ["quarantined", "accepted"]
    assert books.record(sealed).state == "PAYABLE"
    assert books.money() == {"payable": 43_500}


def test_a_promise_that_we_never_signed_is_poison(books):
    device, other = books.enrol(), books.enrol("other")
    sealed = books.hold(device)
    forged = msgspec.structs.replace(sealed, sig=device.sealed(device.upload()).sig)
    assert books.take(device, device.chain(device.paid(forged))) == ["quarantined"]
    assert books.record(sealed).money == "suspense"
    assert books.device(other).frozen is None
