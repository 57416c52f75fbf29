"""What does a shop's word on a return do to the record, its money and what the sale took?"""

import datetime

import pytest
from books import changed_pack
from fake_device import promised
from msgspec.structs import replace

from settlement.claims.pay import PayClaim
from settlement.claims.send_back import SendBack
from settlement.writer.rows import GoodsReturn, Qualification, Quota, Serial
from subsidy import ids

GRANT_FEN = 43_500


def taken(books, record):
    """Return what the sale still has: serial number, qualification, quota."""
    serial = books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    qualification = books.row(Qualification, record.qualification).used_by == record.record_id
    return serial, qualification, books.row(Quota, record.person, record.category, record.year).used


def word(books, device, entry):
    """Report one entry and return its ack."""
    (answer,) = books.take(device, device.chain(entry))
    return answer


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def sold(books, device):
    """Return a sale that is payable."""
    return books.sell(device, person=3)


@pytest.fixture
def claimed(books, device, sold):
    """Return a sale that is in a submitted claim, and the claim."""
    return sold, books.claim(device).claim


@pytest.fixture
def paid_out(books, claimed):
    """Return a sale whose merchant has the money."""
    sold, claim = claimed
    books.done(PayClaim(claim, "bank 1"))
    return sold


# While the refund is under way.


def test_a_return_that_begins_blocks_the_line_and_frees_nothing(books, device, sold):
    assert word(books, device, device.returning(promised(sold))) == "accepted"
    record = books.record(sold)
    assert (record.state, record.blocks) == ("BLOCKED", ("returning",))
    assert record.owner
    assert books.money() == {"payable": GRANT_FEN}
    assert taken(books, record) == (True, True, 1)
    assert books.refusals(device, person=3)[0] == "QUALIFICATION_IN_USE"


def test_a_line_whose_goods_are_being_returned_is_not_claimed(books, device, sold):
    word(books, device, device.returning(promised(sold)))
    built = books.claim(device)
    assert (built.claim, built.lines) == (None, 0)
    assert [(one.record_id, one.why) for one in built.left_out] == [
        (promised(sold).record_id, "blocked: returning")
    ]


def test_a_line_in_a_claim_stays_in_it_while_its_goods_are_being_returned(books, device, claimed):
    sold, _ = claimed
    assert word(books, device, device.returning(promised(sold))) == "accepted"
    record = books.record(sold)
    assert (record.state, record.blocks) == ("IN_CLAIM", ("returning",))
    assert books.money() == {"in_claim": GRANT_FEN}


def test_of_one_that_is_paid_out_a_return_that_begins_is_only_noted(books, device, paid_out):
    before = books.record(paid_out)
    assert word(books, device, device.returning(promised(paid_out))) == "accepted"
    assert books.record(paid_out) == before
    assert books.row(GoodsReturn, before.record_id).state == "RETURNING"


def test_a_return_sent_early_is_a_repeat_when_it_comes_with_the_upload(books, device, sold):
    entry = device.chain(device.returning(promised(sold)))
    assert books.take_early(device, entry) == ["accepted"]
    assert books.take(device, entry) == ["repeat"]
    assert books.happened.count("return_heard") == 1


# The money went back.


def test_before_a_claim_the_grant_is_available_again(books, device, sold):
    books.give_back(device, sold)
    record = books.record(sold)
    assert (record.state, record.money, record.blocks) == ("RETURNED", None, ())
    assert books.money() == {}
    known = books.row(GoodsReturn, record.record_id)
    assert (known.state, known.money, known.freed) == ("REFUNDED", "payable", True)


def test_in_a_claim_the_line_is_withheld_when_the_claim_is_paid(books, device, claimed):
    sold, claim = claimed
    books.give_back(device, sold)
    record = books.record(sold)
    assert (record.state, record.blocks) == ("IN_CLAIM", ("returned",))
    assert books.money() == {"in_claim": GRANT_FEN}
    assert taken(books, record) == (False, False, 0)
    paid = books.done(PayClaim(claim, "bank 1"))
    assert (paid.lines, paid.fen, len(paid.left_out)) == (0, 0, 1)
    record = books.record(sold)
    assert (record.state, record.money) == ("RETURNED", None)
    assert books.money() == {}
    assert taken(books, record) == (False, False, 0)


def test_after_payout_the_merchant_owes_it_and_the_pool_is_unchanged(books, device, paid_out):
    before = books.money()
    books.give_back(device, paid_out)
    record = books.record(paid_out)
    assert (record.state, record.money) == ("RETURNED", "merchant_receivable")
    assert books.money() == before | {"merchant_receivable": GRANT_FEN, "recovery_due": -GRANT_FEN}


def test_after_a_rejection_there_is_no_money_but_the_goods_are_free(books, device, claimed):
    sold, claim = claimed
    books.done(SendBack(claim, promised(sold).record_id, "no invoice", to_correct=False))
    assert taken(books, books.record(sold)) == (True, True, 1)
    books.give_back(device, sold)
    record = books.record(sold)
    assert (record.state, books.money()) == ("AVAILABLE_AGAIN", {})
    assert taken(books, record) == (False, False, 0)


@pytest.mark.parametrize("when", ["payable", "in a claim", "paid out"])
def test_what_the_sale_took_is_free_once_the_money_is_back_and_only_then(books, device, sold, when):
    claim = books.claim(device).claim if when != "payable" else None
    if when == "paid out":
        books.done(PayClaim(claim, "bank 1"))
    record, promise = books.record(sold), promised(sold)
    word(books, device, device.returning(promise))
    assert taken(books, record) == (True, True, 1)
    word(books, device, device.returned(promise))
    assert taken(books, record) == (False, False, 0)
    again = books.sell(device, person=3, item=promise.item)
    assert taken(books, books.record(again)) == (True, True, 1)


def test_a_programme_that_does_not_restore_the_quota_keeps_it_used(books, device, sold):
    books.pack = changed_pack(books.pack, return_restores_quota=False)
    books.give_back(device, sold)
    assert taken(books, books.record(sold)) == (False, False, 1)
    assert books.refusals(device, person=3) == ["PERSON_QUOTA_USED"]


def test_the_rule_of_the_day_of_the_sale_counts_for_the_quota(books, device, sold):
    rows = books.pack.return_restores_quota
    (first,) = rows.rows
    from_the_2nd = replace(first, since=datetime.date(2026, 3, 2), value=False)
    books.pack = replace(books.pack, return_restores_quota=replace(rows, rows=(first, from_the_2nd)))
    books.next_day(device)
    books.give_back(device, sold)
    assert taken(books, books.record(sold)) == (False, False, 0)


def test_a_serial_number_that_another_sale_has_by_now_stays_the_others(books, device, sold):
    record = books.record(sold)
    books.sql(f"UPDATE serial SET taken_by = 'another' WHERE taken_by = '{record.record_id}'")
    books.give_back(device, sold)
    assert books.row(Serial, record.brand, record.serial_no).taken_by == "another"


# The refund was refused.


def test_a_refused_refund_frees_the_line_and_nothing_else(books, device, sold):
    before = books.record(sold)
    books.give_back(device, sold, refunded=False)
    assert books.record(sold) == before
    assert taken(books, before) == (True, True, 1)
    assert books.claim(device).lines == 1


def test_a_refused_refund_leaves_a_line_blocked_that_has_another_reason(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    facts = bytes(promise.facts).replace(b'"energy_level":1', b'"energy_level":3')
    assert facts != bytes(promise.facts)
    entry = device.paid(sealed, facts=type(promise.facts)(facts))
    books.take(device, device.chain(entry))
    before = books.record(sealed)
    assert before.blocks == ("decision_differs",)
    books.give_back(device, sealed, refunded=False)
    assert books.record(sealed) == before


def test_what_waited_for_people_about_a_sale_waits_no_more_once_its_goods_are_back(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    facts = bytes(promise.facts).replace(b'"energy_level":1', b'"energy_level":3')
    books.take(device, device.chain(device.paid(sealed, facts=type(promise.facts)(facts))))
    assert books.differences(promise.record_id) == ["decision_differs"]
    word(books, device, device.returning(promise))
    assert books.differences(promise.record_id) == ["decision_differs"]
    word(books, device, device.returned(promise))
    assert (books.record(sealed).state, books.differences(promise.record_id)) == ("RETURNED", [])


def test_a_line_in_a_claim_is_paid_after_its_refund_was_refused(books, device, claimed):
    sold, claim = claimed
    books.give_back(device, sold, refunded=False)
    assert books.record(sold).blocks == ()
    assert books.done(PayClaim(claim, "bank 1")).lines == 1


def test_after_a_refused_refund_the_goods_may_be_returned_after_all(books, device, sold):
    books.give_back(device, sold, refunded=False)
    assert word(books, device, device.returning(promised(sold), reason="again")) == "accepted"
    assert books.record(sold).blocks == ("returning",)
    assert word(books, device, device.returned(promised(sold))) == "accepted"
    assert books.record(sold).state == "RETURNED"
    assert books.row(GoodsReturn, promised(sold).record_id).reason == "again"


# Words out of order.


def both_ways(books, device, sold, *numbered):
    """Report entries chained in the given order, but sent in the order of their numbers."""
    chained = [device.chain(entry) for _, entry in numbered]
    order = sorted(range(len(numbered)), key=lambda one: numbered[one][0])
    return [books.take(device, chained[one])[0] for one in order]


@pytest.mark.parametrize("refunded", [True, False])
@pytest.mark.parametrize("first", ["returning", "returned"])
def test_the_end_may_come_before_the_beginning(books, device, sold, refunded, first):
    promise = promised(sold)
    begun, ended = device.returning(promise), device.returned(promise, refunded)
    numbers = (1, 2) if first == "returning" else (2, 1)
    answers = both_ways(books, device, sold, (numbers[0], begun), (numbers[1], ended))
    assert answers == ["accepted"] * 2
    record = books.record(sold)
    assert (record.state, record.blocks) == ("RETURNED" if refunded else "PAYABLE", ())
    known = books.row(GoodsReturn, record.record_id)
    assert (known.state, known.reason) == ("REFUNDED" if refunded else "REFUSED", "changed their mind")


def test_a_late_refusal_of_an_earlier_try_does_not_end_the_present_one(books, device, sold):
    promise = promised(sold)
    entries = (
        (1, device.returning(promise)),
        (3, device.returned(promise, refunded=False)),
        (2, device.returning(promise, reason="again")),
    )
    assert both_ways(books, device, sold, *entries) == ["accepted"] * 3
    assert books.record(sold).blocks == ("returning",)
    assert books.row(GoodsReturn, promise.record_id).state == "RETURNING"


@pytest.mark.parametrize("refunded", [None, True, False])
def test_a_return_that_overtakes_its_sale_waits_for_it(books, device, refunded):
    sealed = books.hold(device, person=3)
    promise = promised(sealed)
    paid, begun = device.chain(device.paid(sealed)), device.chain(device.returning(promise))
    entries = [begun] if refunded is None else [begun, device.chain(device.returned(promise, refunded))]
    for entry in entries:
        assert books.take_early(device, entry) == ["accepted"]
        record = books.record(sealed)
        assert (record.state, books.money()) == ("HELD", {"held": GRANT_FEN})
        assert taken(books, record) == (True, True, 1)
    assert books.take(device, paid) == ["accepted"]
    record = books.record(sealed)
    expected = {None: ("BLOCKED", ("returning",)), True: ("RETURNED", ()), False: ("PAYABLE", ())}
    assert (record.state, record.blocks) == expected[refunded]
    assert taken(books, record) == ((False, False, 0) if refunded else (True, True, 1))


def test_a_return_that_came_ahead_of_another_payment_holds_the_line_back(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    attempts = (device.not_paid(promise, 1), device.attempt(promise, 2))
    paid = device.chain(device.paid(sealed, attempts=attempts))
    books.take_early(device, device.chain(device.returned(promise)))
    books.take(device, paid)
    record = books.record(sealed)
    assert (record.state, record.blocks) == ("BLOCKED", ("return_differs",))
    assert books.differences(record.record_id) == ["return_differs"]
    assert taken(books, record) == (True, True, 1)


def test_a_hold_whose_goods_are_being_returned_is_not_closed(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    books.take_early(device, device.chain(device.returning(promise)))
    assert word(books, device, device.closed(promise.record_id, promise.hold_no)) == "quarantined"
    assert (books.record(sealed).state, books.money()) == ("KEPT", {"suspense": GRANT_FEN})


# What is not taken.


def quarantined(books, device, sealed, entry):
    """Report an entry that is quarantined: it waits for people and has changed nothing else."""
    before, money = books.record(sealed), books.money()
    at = before.record_id
    known = books.row(GoodsReturn, at)
    assert word(books, device, entry) == "quarantined"
    assert (books.record(sealed), books.money(), books.row(GoodsReturn, at)) == (before, money, known)
    assert books.differences(f"{device.name}/1/{device.seq}") == ["entry_quarantined"]


@pytest.mark.parametrize("kind", ["returning", "returned", "refused"])
@pytest.mark.parametrize("state", ["released", "kept"])
def test_nothing_comes_back_of_a_sale_that_was_not_paid(books, device, kind, state):
    sealed = books.hold(device)
    promise = promised(sealed)
    if state == "released":
        word(books, device, device.closed(promise.record_id, promise.hold_no))
    else:
        word(books, device, device.paid(sealed, paid_fen=1))
    entry = device.returning(promise) if kind == "returning" else device.returned(promise, kind == "returned")
    quarantined(books, device, sealed, entry)
    assert books.record(sealed).state == state.upper()


@pytest.mark.parametrize("kind", ["returning", "returned"])
def test_a_return_of_no_known_record_waits_for_people(books, device, sold, kind):
    promise = promised(sold)
    entry = device.returning(promise) if kind == "returning" else device.returned(promise)
    quarantined(books, device, sold, replace(entry, record_id=device.record_id()))


@pytest.mark.parametrize("kind", ["returning", "returned"])
def test_another_devices_sale_is_not_returned(books, device, sold, kind):
    thief = books.enrol("thief")
    promise = promised(sold)
    quarantined(
        books, thief, sold, thief.returning(promise) if kind == "returning" else thief.returned(promise)
    )


@pytest.mark.parametrize("kind", ["returning", "returned", "refused"])
@pytest.mark.parametrize("fen", [0, 241_499, 241_501])
def test_another_amount_than_was_paid_is_not_returned(books, device, sold, kind, fen):
    promise = promised(sold)
    entry = (
        device.returning(promise, refund_fen=fen)
        if kind == "returning"
        else device.returned(promise, kind == "returned", refund_fen=fen)
    )
    quarantined(books, device, sold, entry)


@pytest.mark.parametrize("kind", ["returning", "returned"])
@pytest.mark.parametrize("whose", ["another attempt", "another sale"])
def test_a_refund_of_another_payment_is_not_this_sales_return(books, device, sold, kind, whose):
    promise = promised(sold)
    other = promised(books.sell(device)).record_id
    of = ids.pay_ref(promise.record_id, 2) if whose == "another attempt" else ids.pay_ref(other, 1)
    change = {"refund_no": ids.refund_no(of)}
    entry = device.returning(promise, **change) if kind == "returning" else device.returned(promise, **change)
    quarantined(books, device, sold, entry)


@pytest.mark.parametrize("kind", ["returning", "returned", "refused"])
def test_what_went_back_does_not_go_back_twice(books, device, sold, kind):
    books.give_back(device, sold)
    promise = promised(sold)
    entry = device.returning(promise) if kind == "returning" else device.returned(promise, kind == "returned")
    quarantined(books, device, sold, entry)


def test_a_refund_of_the_second_attempt_is_that_payments(books, device):
    sealed = books.hold(device)
    promise = promised(sealed)
    attempts = (device.not_paid(promise, 1), device.attempt(promise, 2))
    books.take(device, device.chain(device.paid(sealed, attempts=attempts)))
    second = ids.refund_no(ids.pay_ref(promise.record_id, 2))
    quarantined(books, device, sealed, device.returned(promise))
    assert word(books, device, device.returned(promise, refund_no=second)) == "accepted"
    assert books.record(sealed).state == "RETURNED"


# Late grants.


@pytest.fixture
def late(books, device):
    """Return a sale whose paid record came after its hold had ended."""
    sealed = books.hold(device, person=3)
    books.take(device, still_open=())
    word(books, device, device.paid(sealed))
    assert books.money() == {"late_grants_claimed": GRANT_FEN, "late_grants_contra": -GRANT_FEN}
    return sealed


def test_the_return_of_a_late_grant_ends_what_was_claimed_beside_the_pool(books, device, late):
    books.give_back(device, late)
    record = books.record(late)
    assert (record.state, record.money, books.money()) == ("RELEASED", None, {})
    assert books.differences(record.record_id) == []
    quarantined(books, device, late, device.paid(late))


def test_a_late_grants_return_under_way_is_noted_and_frees_what_others_have_not(books, device, late):
    word(books, device, device.returning(promised(late)))
    record = books.record(late)
    assert (record.state, record.blocks) == ("RELEASED", ("returning",))
    assert taken(books, record) == (False, False, 0)
