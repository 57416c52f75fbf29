"""What becomes of a sale that a shop reports as paid?"""

import msgspec
import pytest
from books import changed_pack, changed_rule
from fake_device import promised

from settlement.ledger.accounts import Account
from settlement.writer.rows import EntryRow, Qualification, Quota, Serial
from settlement.writer.step import Signed
from subsidy.policy.facts import Facts
from subsidy.records.payment import Evidence
from subsidy.wire import v1


def close(books, device, sealed, **more):
    """Report a sale as not paid."""
    promise = promised(sealed)
    return books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no, **more)))


# What fits.


def test_a_paid_record_that_fits_is_booked_at_its_promise(books):
    device = books.enrol()
    sealed = books.hold(device)
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.money, record.paid_fen) == ("PAYABLE", "payable", 241_500)
    assert books.money() == {"payable": 43_500}
    assert books.differences(record.record_id) == []


def test_another_card_after_a_refused_one_fits_too(books):
    device = books.enrol()
    sealed = books.hold(device)
    promise = promised(sealed)
    attempts = (device.not_paid(promise, 1), device.attempt(promise, 2))
    books.take(device, device.chain(device.paid(sealed, attempts=attempts)))
    assert books.record(sealed).state == "PAYABLE"


def test_what_was_granted_stays_taken(books):
    device = books.enrol()
    sealed = books.hold(device, person=4)
    books.take(device, device.chain(device.paid(sealed)))
    record = books.record(sealed)
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    assert books.row(Qualification, record.qualification).used_by == record.record_id
    assert books.row(Quota, record.person, "FRIDGE", 2026).used == 1
    assert books.refusals(device, person=4)[0] == "QUALIFICATION_IN_USE"


# What does not fit is kept, and its money stays held.


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("hold number", "hold number"),
        ("item", "item"),
        ("pack", "pack"),
        ("nothing paid", "0 attempts are paid"),
        ("paid twice", "2 attempts are paid"),
        ("paid less", "the amount paid"),
        ("approved less", "the approved amount"),
        ("approved nothing said", "the approved amount"),
        ("asked another amount", "the approved amount"),
    ],
)
def test_a_paid_record_that_does_not_fit_is_kept_with_an_owner(books, what, why):
    device = books.enrol()
    sealed = books.hold(device)
    promise = promised(sealed)
    asked_fen = promise.amounts.to_pay_fen
    changes = {
        "hold number": {"hold_no": 77},
        "item": {"item": v1.Item(gtin=promise.item.gtin, serial_no="ANOTHER-ONE")},
        "pack": {"pack_hash": "0" * 64},
        "nothing paid": {"attempts": (device.not_paid(promise),)},
        "paid twice": {"attempts": (device.attempt(promise, 1), device.attempt(promise, 2))},
        "paid less": {"paid_fen": asked_fen - 1},
        "approved less": {"attempts": (device.attempt(promise, approved_fen=asked_fen - 1),)},
        "approved nothing said": {"attempts": (device.attempt(promise, approved_fen=None),)},
        "asked another amount": {"attempts": (device.attempt(promise, amount_fen=asked_fen + 1),)},
    }[what]
    assert books.take(device, device.chain(device.paid(sealed, **changes))) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.money, record.owner) == ("KEPT", "held", "platform")
    assert why in record.why
    assert books.money() == {"held": 43_500}
    assert books.differences(record.record_id) == ["record_does_not_fit"]


def test_a_promise_of_ours_that_is_not_the_one_given_here_does_not_fit(books):
    device = books.enrol()
    sealed = books.hold(device)
    promise = promised(sealed)
    larger = msgspec.structs.replace(promise, held_for_s=901)
    forged = books.sealed(_signed(books, larger))
    books.take(device, device.chain(device.paid(forged)))
    record = books.record(sealed)
    assert record.state == "KEPT"
    assert "not the one that was given" in record.why


def test_a_kept_record_holds_no_place_among_the_open_ones(books):
    device = books.enrol()
    books.pack = changed_pack(books.pack, open_holds_per_terminal=1)
    sealed = books.hold(device)
    books.take(device, device.chain(device.paid(sealed, paid_fen=1)))
    books.hold(device)


# What the centre would decide otherwise blocks the claim, never the sale.


def test_a_pack_that_was_changed_since_blocks_the_line_and_books_the_promise(books):
    device = books.enrol()
    sealed = books.hold(device)

    def cap_at_100_yuan(rule):
        (row,) = rule.cap.rows
        lower = msgspec.structs.replace(row, value=10_000)
        return msgspec.structs.replace(rule, cap=msgspec.structs.replace(rule.cap, rows=(lower,)))

    books.pack = changed_rule(books.pack, "FRIDGE", cap_at_100_yuan)
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.owner, record.subsidy_fen) == ("BLOCKED", "platform", 43_500)
    assert "10000 fen, not 43500" in record.why
    assert books.money() == {"payable": 43_500}
    assert books.differences(record.record_id) == ["decision_differs"]


def test_other_shares_block_the_line_too(books):
    device = books.enrol()
    sealed = books.hold(device)
    turned = tuple(reversed(books.pack.shares.rows[0].value))
    books.pack = changed_pack(books.pack, shares=turned)
    books.take(device, device.chain(device.paid(sealed)))
    assert "split otherwise" in books.record(sealed).why


def test_a_programme_that_was_closed_since_blocks_the_line(books):
    device = books.enrol()
    sealed = books.hold(device)
    books.pack = changed_pack(books.pack, open=False)
    books.take(device, device.chain(device.paid(sealed)))
    record = books.record(sealed)
    assert record.state == "BLOCKED"
    assert "PROGRAMME_CLOSED" in record.why


def test_facts_edited_at_the_shop_block_the_line(books):
    device = books.enrol()
    sealed = books.hold(device)
    facts = msgspec.json.decode(promised(sealed).facts, type=Facts)
    edited = msgspec.structs.replace(facts, initial_price_fen=facts.initial_price_fen + 1)
    entry = device.paid(sealed, facts=msgspec.Raw(msgspec.json.encode(edited)))
    books.take(device, device.chain(entry))
    record = books.record(sealed)
    assert record.state == "BLOCKED"
    assert "the facts are not the promise's" in record.why
    assert books.money() == {"payable": 43_500}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"programme": "ANOTHER"}, "no decision can be made"),
        ({"merchant_discount_fen": 300_001}, "no decision can be made"),
        ({"filed_price_fen": None}, "PRICE_NOT_FILED"),
        ({"fund_left_fen": 0}, "FUND_EXHAUSTED"),
    ],
)
def test_facts_on_which_nothing_would_be_granted_block_the_line(books, change, why):
    device = books.enrol()
    sealed = books.hold(device)
    facts = msgspec.json.decode(promised(sealed).facts, type=Facts)
    edited = msgspec.json.encode(msgspec.structs.replace(facts, **change))
    books.take(device, device.chain(device.paid(sealed, facts=msgspec.Raw(edited))))
    assert books.record(sealed).state == "BLOCKED"
    assert why in books.record(sealed).why


def test_amounts_that_differ_from_the_promise_block_the_line(books):
    device = books.enrol()
    sealed = books.hold(device)
    amounts = msgspec.structs.replace(promised(sealed).amounts, trade_in_fen=4_999)
    books.take(device, device.chain(device.paid(sealed, amounts=amounts)))
    assert "the amounts are not the promise's" in books.record(sealed).why


# Late.


def test_a_paid_record_after_its_tombstone_is_a_late_grant_beside_the_pool(books):
    device = books.enrol()
    sealed = books.hold(device)
    close(books, device, sealed)
    left = books.total(Account.AVAILABLE)
    assert books.take(device, device.chain(device.paid(sealed))) == ["accepted"]
    record = books.record(sealed)
    assert (record.state, record.money, record.owner) == ("RELEASED", "late_grants_claimed", "platform")
    assert books.money() == {"late_grants_claimed": 43_500, "late_grants_contra": -43_500}
    assert books.total(Account.AVAILABLE) == left
    assert books.differences(record.record_id) == ["late_grant"]


def test_a_late_grant_is_noted_once(books):
    device = books.enrol()
    sealed = books.hold(device)
    close(books, device, sealed)
    entries = device.chain(device.paid(sealed)), device.chain(device.paid(sealed))
    assert books.take(device, *entries) == ["accepted", "quarantined"]
    assert books.money()["late_grants_claimed"] == 43_500


# Nothing personal reaches the centre's rows from an entry's evidence.


def test_the_evidence_is_kept_masked_as_it_came(books):
    device = books.enrol()
    sealed = books.hold(device)
    evidence = Evidence(code="00", masked_pan="622202*********0123")
    attempt = device.attempt(promised(sealed), evidence=evidence)
    entry = device.chain(device.paid(sealed, attempts=(attempt,)))
    books.take(device, entry)
    assert b"622202*********0123" in bytes(books.row(EntryRow, device.name, 1, 1, entry.hash).body)


def _signed(books, promise):
    return Signed(v1.PROMISE, msgspec.json.encode(promise), books.centre.keys.kid)
