"""Do two people end a record that is blocked or kept, so that its money and its goods are counted once?"""

import msgspec
import pytest
import reference_data as reference
from books import changed_rule
from fake_device import promised

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.claims.settle_record import AcceptDifference, RejectRecord
from settlement.devices.by_people import ReplaceDevice
from settlement.funds.close_year import CloseYear
from settlement.funds.release_hold import FreeGoods
from settlement.reconcile.apply_night import ApplyNight, Find, Recover
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.writer.rows import Difference, GoodsReturn, Qualification, Quota, Serial
from subsidy import ids
from subsidy.wire import v1

GRANT_FEN = 43_500
ITEM = v1.Item(gtin=reference.FRIDGE, serial_no="SN-SAME-1")
PEOPLE = "wang, li"
NOBODYS = "0192f4a0-0000-7000-8000-000000000000"


def reject(sealed, frees_goods=False):
    """Return the decision to reject a record."""
    return RejectRecord(promised(sealed).record_id, frees_goods, "no such sale", by=PEOPLE)


def accept(sealed, difference):
    """Return the decision to lift a difference."""
    return AcceptDifference(promised(sealed).record_id, difference, "the price was right", by=PEOPLE)


def goods(books, sealed):
    """Return whether the record has the serial number and the code, and how much of the quota is used."""
    record = books.record(sealed)
    serial = books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    code = books.row(Qualification, record.qualification).used_by == record.record_id
    return serial, code, books.row(Quota, record.person, record.category, record.year).used


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


@pytest.fixture
def held(books, device):
    """A hold of person 0 on a serial number."""
    return books.hold(device, person=0, item=ITEM)


def poison(books, device, held):
    """Let the device send a paid entry of a version that is not known: its money is in suspense."""
    body = msgspec.json.encode(device.paid(held)).replace(b'"v":1', b'"v":2', 1)
    assert books.take(device, device.chain(body)) == ["quarantined"]
    assert books.money() == {"suspense": GRANT_FEN}


def misfit(books, device, held):
    """Let the device report another amount than was promised: the record is kept."""
    books.take(device, device.chain(device.paid(held, paid_fen=1)))
    assert (books.record(held).state, books.money()) == ("KEPT", {"held": GRANT_FEN})


def low_cap(rule):
    """Return the rule with a cap that the grant is above."""
    (row,) = rule.cap.rows
    lower = msgspec.structs.replace(row, value=10_000)
    return msgspec.structs.replace(rule, cap=msgspec.structs.replace(rule.cap, rows=(lower,)))


def differ(books, device, held):
    """Let the centre decide otherwise when the sale's record comes: its line is blocked."""
    pack, books.pack = books.pack, changed_rule(books.pack, "FRIDGE", low_cap)
    books.take(device, device.chain(device.paid(held)))
    books.pack = pack
    assert books.record(held).blocks == ("decision_differs",)


def find(books, device, held, kind="channel_discount"):
    """Let the night find that a paid sale differs from its file."""
    books.take(device, device.chain(device.paid(held)))
    record_id = promised(held).record_id
    pay_ref = books.record(held).pay_ref
    found = Find(pay_ref, kind, "2026-03-01", 500, pay_ref, record_id, "BOOKED", "platform", "row 1", "ask")
    books.done(ApplyNight((found,)))
    assert books.record(held).state == "BLOCKED"


EVERY_WAY = pytest.mark.parametrize("stop", [poison, misfit, differ, find])


@EVERY_WAY
@pytest.mark.parametrize("frees_goods", [False, True])
def test_a_rejected_record_gives_its_money_back_and_its_goods_when_people_say_so(
    books, device, held, stop, frees_goods
):
    stop(books, device, held)
    books.done(reject(held, frees_goods))
    record = books.record(held)
    assert (record.state, record.money, record.blocks) == ("AVAILABLE_AGAIN", None, ())
    assert record.why == "rejected: no such sale"
    assert books.money() == {}
    assert goods(books, held) == ((False, False, 0) if frees_goods else (True, True, 1))
    for kind in ("decision_differs", "record_unreadable", "record_does_not_fit"):
        item = books.row(Difference, record.record_id, kind)
        assert item is None or item.closed_ms is not None
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    ((body,),) = books.sql_rows("SELECT body FROM event WHERE kind = 'record_rejected'")
    assert '"by":"wang, li"' in body


@EVERY_WAY
def test_what_was_freed_is_used_by_one_other_sale_whatever_the_shop_says_later(books, device, held, stop):
    stop(books, device, held)
    books.done(reject(held, frees_goods=True))
    again = books.sell(device, person=0, item=ITEM)
    promise = promised(held)
    for entry in (
        device.paid(held),
        device.closed(promise.record_id, promise.hold_no),
        device.returning(promise),
        device.returned(promise),
    ):
        books.take(device, device.chain(entry))
    assert books.record(held).state == "AVAILABLE_AGAIN"
    assert books.money() == {"payable": GRANT_FEN}
    assert goods(books, again) == (True, True, 1)


def test_goods_that_were_freed_before_are_not_given_back_again(books, device, held):
    books.done(FreeGoods(promised(held).record_id, "the shopper waits", by=PEOPLE))
    again = books.sell(device, person=0, item=ITEM)
    poison_beside(books, device, held)
    books.done(reject(held, frees_goods=True))
    assert goods(books, again) == (True, True, 1)
    assert books.money() == {"payable": GRANT_FEN}


def poison_beside(books, device, held):
    """Let an entry that cannot be read come for a hold beside another sale."""
    body = msgspec.json.encode(device.paid(held)).replace(b'"v":1', b'"v":2', 1)
    assert books.take(device, device.chain(body)) == ["quarantined"]


def test_a_return_after_a_rejection_that_freed_nothing_frees_the_goods_once(books, device, held):
    find(books, device, held)
    books.done(reject(held))
    books.give_back(device, held)
    assert goods(books, held) == (False, False, 0)
    assert (books.record(held).state, books.money()) == ("AVAILABLE_AGAIN", {})


@pytest.mark.parametrize("later", ["paid", "closed"])
def test_a_sale_from_the_files_that_was_rejected_stays_so_when_its_shop_speaks(books, device, held, later):
    promise, pay_ref = promised(held), ids.pay_ref(promised(held).record_id, 1)
    books.clock.ahead_ms += 2
    over_ms, fen = books.clock.now_ms() - 1, promise.amounts.to_pay_fen
    books.done(ApplyNight((Recover(promise.record_id, over_ms, pay_ref, fen, "files"),)))
    kind = "channel_discount"
    found = Find(
        pay_ref, kind, "2026-03-01", 500, pay_ref, promise.record_id, "BOOKED", "platform", "row 1", "ask"
    )
    books.done(ApplyNight((found,)))
    books.done(reject(held, frees_goods=True))
    again = books.sell(device, person=0, item=ITEM)
    said = device.paid(held)
    if later == "closed":
        said = device.closed(promise.record_id, promise.hold_no, (device.not_paid(promise),))
    books.take(device, device.chain(said))
    assert books.record(held).state == "AVAILABLE_AGAIN"
    assert goods(books, again) == (True, True, 1)
    assert books.money() == {"payable": GRANT_FEN}


def test_an_accepted_difference_leaves_a_line_that_is_claimed_and_paid(books, device, held):
    differ(books, device, held)
    books.done(accept(held, "decision_differs"))
    record = books.record(held)
    assert (record.state, record.blocks, books.money()) == ("PAYABLE", (), {"payable": GRANT_FEN})
    assert books.row(Difference, record.record_id, "decision_differs").closed_ms is not None
    assert books.denied(accept(held, "decision_differs")) == "NOT_BLOCKED_BY_IT"
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    assert books.record(held).state == "PAID_OUT"


def test_an_item_about_a_record_that_is_paid_out_is_closed_by_people_too(books, device, held):
    promise = promised(held)
    pay_ref = ids.pay_ref(promise.record_id, 1)
    books.done(ApplyNight((Recover(promise.record_id, 0, pay_ref, promise.amounts.to_pay_fen, "files"),)))
    books.done(PayClaim(books.claim(device).claim, "bank 1"))
    books.take(device, device.chain(device.paid(held, paid_fen=1)))
    assert books.differences(promise.record_id) == ["recovery_differs"]
    books.done(accept(held, "recovery_differs"))
    assert books.differences(promise.record_id) == []
    assert (books.record(held).state, books.money()["paid"]) == ("PAID_OUT", GRANT_FEN)
    assert books.denied(accept(held, "recovery_differs")) == "NOT_BLOCKED_BY_IT"


def test_a_late_grant_whose_difference_is_accepted_may_enter(books, device, held):
    books.take(device, still_open=())
    pack, books.pack = books.pack, changed_rule(books.pack, "FRIDGE", low_cap)
    books.take(device, device.chain(device.paid(held)))
    books.pack = pack
    enter = EnterLate(promised(held).record_id, "decision 1")
    assert books.denied(enter) == "LINE_BLOCKED"
    books.done(accept(held, "late_differs"))
    books.done(enter)
    assert books.money() == {"payable": GRANT_FEN}


def test_a_reason_with_a_way_out_of_its_own_is_not_accepted(books, device, held):
    find(books, device, held)
    (reason,) = books.record(held).blocks
    assert books.denied(accept(held, reason)) == "NOT_TO_BE_ACCEPTED"
    assert books.denied(accept(held, "decision_differs")) == "NOT_BLOCKED_BY_IT"


def test_a_line_whose_goods_are_coming_back_is_ended_by_that(books, device, held):
    books.take(device, device.chain(device.paid(held)))
    books.take(device, device.chain(device.returning(promised(held))))
    assert books.denied(reject(held)) == "RETURN_UNDER_WAY"


def test_a_record_that_is_neither_blocked_nor_kept_is_left_alone(books, device, held):
    assert books.denied(RejectRecord(NOBODYS, False, "no such sale", by=PEOPLE)) == "RECORD_UNKNOWN"
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    books.take(device, device.chain(device.paid(held)))
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    claim = books.claim(device).claim
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    books.done(PayClaim(claim, "bank 1"))
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"


# Late grants.

BESIDE = {"late_grants_claimed": GRANT_FEN, "late_grants_contra": -GRANT_FEN}


def come_late(books, device, held, **changes):
    """Let a statement end the hold, and its paid record come after that."""
    books.take(device, still_open=())
    books.take(device, device.chain(device.paid(held, **changes)))
    assert (books.record(held).state, books.money()) == ("RELEASED", BESIDE)


def year_is_closed(books, device, _held):
    """Close the year: the late grant never enters."""
    books.done(CloseYear(2026))
    return "YEAR_CLOSED"


def serial_is_sold_again(books, device, _held):
    """Let another shopper have the serial number."""
    books.sell(device, person=5, item=ITEM)
    return "SERIAL_TAKEN"


def code_is_used_again(books, device, _held):
    """Let the shopper buy another with the same code."""
    books.sell(device, person=0)
    return "QUALIFICATION_USED"


def payee_is_unknown(books, _device, _held):
    """Let the record know as little as one whose promise was not kept."""
    books.sql("UPDATE record SET merchant = '', placed_at_ms = 0")
    return "PAYEE_UNKNOWN"


@pytest.mark.parametrize(
    "meanwhile", [year_is_closed, serial_is_sold_again, code_is_used_again, payee_is_unknown]
)
def test_a_late_grant_that_cannot_enter_is_rejected_and_waits_for_nobody(books, device, held, meanwhile):
    come_late(books, device, held)
    why = meanwhile(books, device, held)
    others = {account: fen for account, fen in books.money().items() if account not in BESIDE}
    (answer,) = books.write(EnterLate(promised(held).record_id, "decision 1"))
    assert (answer.code, "settlement records settle" in answer.detail) == (why, True)
    before = goods(books, held)
    books.done(reject(held))
    record = books.record(held)
    assert (record.state, record.money, record.owner) == ("AVAILABLE_AGAIN", None, "")
    assert (record.why, record.blocks) == ("rejected: no such sale", ())
    assert (books.money(), books.differences(record.record_id)) == (others, [])
    assert goods(books, held) == before
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    assert books.denied(EnterLate(record.record_id, "decision 2")) == "NOT_A_LATE_GRANT"
    assert books.take(device, device.chain(device.returned(promised(held)))) == ["accepted"]
    assert (books.money(), goods(books, held)) == (others, before)


def test_a_late_grant_that_does_not_fit_is_rejected_with_its_reason(books, device, held):
    come_late(books, device, held, paid_fen=1)
    assert books.record(held).blocks == ("late_differs",)
    books.done(reject(held))
    assert (books.record(held).blocks, books.money()) == ((), {})
    assert books.differences(promised(held).record_id) == []


def test_a_late_grant_has_no_person_and_no_serial_number_that_could_be_freed(books, device, held):
    come_late(books, device, held)
    again = books.sell(device, person=0, item=ITEM)
    (answer,) = books.write(reject(held, frees_goods=True))
    assert (answer.code, "others may have them" in answer.detail) == ("GOODS_FREED", True)
    assert books.record(held).money == "late_grants_claimed"
    assert goods(books, again) == (True, True, 1)


def test_a_late_grant_whose_goods_are_coming_back_is_ended_by_that(books, device, held):
    come_late(books, device, held)
    books.take(device, device.chain(device.returning(promised(held))))
    assert books.denied(reject(held)) == "RETURN_UNDER_WAY"
    books.take(device, device.chain(device.returned(promised(held))))
    assert (books.record(held).state, books.money()) == ("RELEASED", {})


def test_a_late_grant_whose_return_nobody_can_end_is_rejected(books, device, held):
    come_late(books, device, held, attempts=())
    books.take(device, device.chain(device.returning(promised(held))))
    assert books.record(held).blocks == ("late_differs", "returning")
    books.done(ReplaceDevice(device.name, "its disk is dead", by=PEOPLE))
    end = EndReturn(promised(held).record_id, True, "void slip 17", by=PEOPLE)
    assert books.denied(end) == "NOT_PAID"
    books.done(reject(held))
    assert (books.money(), books.differences(promised(held).record_id)) == ({}, [])


def test_a_tombstone_without_a_late_grant_is_not_rejected(books, device, held):
    books.take(device, still_open=())
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"
    books.take(device, device.chain(device.paid(held)))
    books.give_back(device, held)
    assert books.denied(reject(held)) == "NOT_TO_BE_REJECTED"


@pytest.mark.parametrize("is_sold_again", [False, True])
def test_what_the_shop_says_after_a_late_grant_was_rejected_frees_and_books_nothing(
    books, device, held, is_sold_again
):
    come_late(books, device, held)
    again = books.sell(device, person=0, item=ITEM) if is_sold_again else None
    books.done(reject(held))
    there = {"payable": GRANT_FEN} if is_sold_again else {}
    promise = promised(held)
    for entry, answer in (
        (device.closed(promise.record_id, promise.hold_no), "quarantined"),
        (device.returning(promise), "accepted"),
        (device.returned(promise), "accepted"),
    ):
        assert books.take(device, device.chain(entry)) == [answer]
        assert (books.record(held).state, books.money()) == ("AVAILABLE_AGAIN", there)
        assert books.differences(promise.record_id) == []
    assert books.take(device, device.chain(device.paid(held))) == ["quarantined"]
    assert (books.record(held).state, books.money()) == ("AVAILABLE_AGAIN", there)
    if again is not None:
        assert goods(books, again) == (True, True, 1)
    assert books.row(GoodsReturn, promise.record_id).state == "REFUNDED"


def test_goods_of_a_rejected_late_grant_are_returned_at_the_centre_for_nothing(books, device, held):
    come_late(books, device, held)
    other = books.enrol("other")
    again = books.sell(other, person=0, item=ITEM)
    books.done(reject(held))
    books.done(ReplaceDevice(device.name, "its disk is dead", by=PEOPLE))
    books.done(BeginReturn(promised(held).record_id, "does not cool", by="li"))
    books.done(EndReturn(promised(held).record_id, True, "void slip 17", by=PEOPLE))
    assert (books.record(held).state, books.money()) == ("AVAILABLE_AGAIN", {"payable": GRANT_FEN})
    assert goods(books, again) == (True, True, 1)
