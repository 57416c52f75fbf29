"""What becomes of a shop's own record of a sale that was booked from a channel's file already?"""

import pytest
from books import changed_pack
from fake_device import promised

from settlement.claims.pay import PayClaim
from settlement.claims.send_back import SendBack
from settlement.claims.settle_record import AcceptDifference
from settlement.writer.rows import Qualification, Quota, Serial
from subsidy import ids

GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def recover(books, sealed, attempt=1):
    """Book a hold as the night does from a line of a file."""
    promise = promised(sealed)
    books.sql(
        "UPDATE record SET state = 'PAYABLE', money = 'payable', recovered = 1, why = 'in the file', "
        f"paid_fen = to_pay_fen, pay_ref = '{ids.pay_ref(promise.record_id, attempt)}' "
        f"WHERE record_id = '{promise.record_id}'"
    )
    for part in promise.split:
        books.sql(
            f"UPDATE balance SET fen = fen - {part.fen} WHERE funder = '{part.funder}' AND account = 'held'"
        )
        books.sql(f"INSERT INTO balance VALUES ('{part.funder}', 'payable', 2026, '', {part.fen})")
    # Behind the books' back: balances are not the fold of postings in these tests.
    books.check = lambda *_rows: None


@pytest.fixture
def recovered(books, device):
    """Return a sale that was booked from a file."""
    sealed = books.hold(device)
    recover(books, sealed)
    return sealed


def close(books, device, sealed, *attempts):
    """Report a sale as not paid."""
    promise = promised(sealed)
    return books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no, attempts)))


def test_what_fits_is_accepted_and_booked_once(books, device, recovered):
    assert books.take(device, device.chain(device.paid(recovered))) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, record.recovered, record.blocks) == ("PAYABLE", False, ())
    assert books.money() == {"payable": GRANT_FEN}
    assert "record_booked" not in books.happened
    assert books.take(device, device.chain(device.paid(recovered))) == ["quarantined"]


def test_the_second_look_is_taken_all_the_same(books, device, recovered):
    facts = bytes(promised(recovered).facts).replace(b'"energy_level":1', b'"energy_level":3')
    entry = device.paid(recovered, facts=type(promised(recovered).facts)(facts))
    assert books.take(device, device.chain(entry)) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, record.blocks) == ("BLOCKED", ("decision_differs",))


@pytest.mark.parametrize("change", ["amount", "payment", "hold number"])
def test_what_does_not_fit_is_held_back_for_its_owner(books, device, recovered, change):
    promise = promised(recovered)
    second = (device.not_paid(promise, 1), device.attempt(promise, 2))
    changes = {"amount": {"paid_fen": 1}, "payment": {"attempts": second}, "hold number": {"hold_no": 9}}
    assert books.take(device, device.chain(device.paid(recovered, **changes[change]))) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, record.blocks) == ("BLOCKED", ("recovery_differs",))
    assert record.owner
    assert books.differences(record.record_id) == ["recovery_differs"]
    assert books.money() == {"payable": GRANT_FEN}


def test_one_that_is_in_a_claim_by_then_is_withheld_when_it_differs(books, device, recovered):
    claim = books.claim(device).claim
    assert books.record(recovered).state == "IN_CLAIM"
    books.take(device, device.chain(device.paid(recovered, paid_fen=1)))
    assert (books.record(recovered).state, books.record(recovered).blocks) == (
        "IN_CLAIM",
        ("recovery_differs",),
    )
    assert books.denied(PayClaim(claim, "bank 1")) == "NOTHING_TO_PAY"


def test_what_differs_waits_for_nobody_once_the_line_is_rejected(books, device, recovered):
    claim, promise = books.claim(device).claim, promised(recovered)
    books.take(device, device.chain(device.paid(recovered, paid_fen=1)))
    assert books.differences(promise.record_id) == ["recovery_differs"]
    books.done(SendBack(claim, promise.record_id, "not what was paid", to_correct=False))
    assert books.record(recovered).state == "AVAILABLE_AGAIN"
    assert books.differences(promise.record_id) == []


def test_one_that_is_in_a_claim_and_comes_back_waits_for_its_payment_only(books, device, recovered):
    books.claim(device)
    promise = promised(recovered)
    books.take(device, device.chain(device.paid(recovered, paid_fen=1)))
    assert books.differences(promise.record_id) == ["recovery_differs"]
    books.give_back(device, recovered)
    assert (books.record(recovered).state, books.differences(promise.record_id)) == ("IN_CLAIM", [])


def test_one_that_is_paid_out_by_then_has_an_item_when_it_differs(books, device, recovered):
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    books.take(device, device.chain(device.paid(recovered, paid_fen=1)))
    record = books.record(recovered)
    assert (record.state, record.blocks, record.recovered) == ("PAID_OUT", (), False)
    assert books.differences(record.record_id) == ["recovery_differs"]
    assert books.denied(AcceptDifference(record.record_id, "decision_differs", "x")) == "NOT_BLOCKED_BY_IT"
    books.done(AcceptDifference(record.record_id, "recovery_differs", "the channel was asked", by="wang, li"))
    assert (books.record(recovered), books.differences(record.record_id)) == (record, [])


def test_its_goods_may_come_back_before_the_shop_has_reported_the_sale(books, device, recovered):
    paid = device.chain(device.paid(recovered))
    books.give_back(device, recovered)
    assert books.record(recovered).state == "RETURNED"
    assert books.take(device, paid) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, books.money()) == ("RETURNED", {})
    # What it had taken is free since: that it is not its own any more is no difference.
    assert books.differences(record.record_id) == []


@pytest.mark.parametrize("state", ["GIVEN_BACK", "NOT_PAID"])
def test_what_its_silent_shop_gave_back_afterwards_is_granted_no_more(books, device, recovered, state):
    taken = books.record(recovered)
    assert close(books, device, recovered, device.not_paid(promised(recovered), state=state)) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, record.recovered, books.money()) == ("RETURNED", False, {})
    assert books.row(Serial, taken.brand, taken.serial_no).taken_by is None
    assert books.row(Qualification, taken.qualification).used_by is None
    books.hold(device, item=promised(recovered).item)


def test_the_person_of_a_sale_that_never_came_to_be_has_the_quota_again(books, device, recovered):
    taken = books.record(recovered)
    books.pack = changed_pack(books.pack, return_restores_quota=False)
    close(books, device, recovered, device.not_paid(promised(recovered), state="GIVEN_BACK"))
    assert books.row(Quota, taken.person, taken.category, taken.year).used == 0


def test_what_was_given_back_is_withheld_from_a_claim_that_has_it(books, device, recovered):
    claim = books.claim(device).claim
    close(books, device, recovered, device.not_paid(promised(recovered), state="GIVEN_BACK"))
    record = books.record(recovered)
    assert (record.state, record.blocks) == ("IN_CLAIM", ("returned",))
    assert books.done(PayClaim(claim, "bank 1")).fen == 0
    assert books.record(recovered).state == "RETURNED"


def test_what_was_given_back_and_is_paid_out_is_owed_by_the_merchant(books, device, recovered):
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    close(books, device, recovered, device.not_paid(promised(recovered), state="GIVEN_BACK"))
    record = books.record(recovered)
    assert (record.state, record.money) == ("RETURNED", "merchant_receivable")


def test_a_shop_that_knows_nothing_of_the_payment_in_the_file_frees_nothing(books, device, recovered):
    promise = promised(recovered)
    assert close(books, device, recovered, device.not_paid(promise, 2)) == ["accepted"]
    record = books.record(recovered)
    assert (record.state, record.blocks) == ("BLOCKED", ("recovery_differs",))
    assert books.differences(record.record_id) == ["recovery_differs"]
    assert books.money() == {"payable": GRANT_FEN}
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id


def test_a_recovered_sale_is_not_closed_while_it_may_be_paid_or_its_goods_come_back(books, device, recovered):
    unknown = device.not_paid(promised(recovered), state="UNKNOWN")
    assert close(books, device, recovered, unknown) == ["quarantined"]
    books.give_back(device, recovered)
    given_back = device.not_paid(promised(recovered), state="GIVEN_BACK")
    assert close(books, device, recovered, given_back) == ["quarantined"]
    assert books.record(recovered).state == "RETURNED"


def test_another_devices_word_is_not_the_shops_own(books, device, recovered):
    thief = books.enrol("thief")
    before = books.record(recovered)
    assert books.take(thief, thief.chain(thief.paid(recovered))) == ["quarantined"]
    assert books.record(recovered) == before


def test_goods_that_came_back_while_their_line_is_in_a_claim_leave_nobody_an_item(books, device, recovered):
    paid = device.chain(device.paid(recovered))
    claim = books.claim(device).claim
    books.give_back(device, recovered)
    assert books.take(device, paid) == ["accepted"]
    assert books.record(recovered).blocks == ("returned",)
    assert books.done(PayClaim(claim, "bank 1")).fen == 0
    assert books.differences(books.record(recovered).record_id) == []
