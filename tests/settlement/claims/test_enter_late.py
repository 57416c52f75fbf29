"""When may a late grant enter the pool?"""

import pytest
from books import SQLITE, Books
from fake_device import promised

from settlement.claims.enter_late import EnterLate
from settlement.claims.pay import PayClaim
from settlement.funds.close_year import CloseYear
from settlement.writer.rows import Qualification, Quota, Serial
from subsidy.wire import v1

GRANT_FEN = 43_500


@pytest.fixture
def device(books):
    """A shop's device."""
    return books.enrol()


def made_late(books, device, **changes):
    """Return a sale whose paid record came after its hold had ended."""
    sealed = books.hold(device, person=3)
    books.take(device, still_open=())
    assert books.take(device, device.chain(device.paid(sealed, **changes))) == ["accepted"]
    return sealed


def enter(sealed, reference="decision 1"):
    """Return the command that lets it enter."""
    return EnterLate(promised(sealed).record_id, reference)


def test_a_late_grant_that_enters_is_payable_like_any_other(books, device):
    sealed = made_late(books, device)
    assert books.differences(promised(sealed).record_id) == ["late_grant"]
    books.done(enter(sealed))
    record = books.record(sealed)
    assert (record.state, record.money, record.why) == ("PAYABLE", "payable", "entered late: decision 1")
    assert books.money() == {"payable": GRANT_FEN}
    assert books.differences(record.record_id) == []
    claim = books.claim(device)
    assert claim.lines == 1
    assert books.done(PayClaim(claim.claim, "bank 1")).lines == 1


def test_it_takes_what_a_hold_takes(books, device):
    record = books.record(made_late(books, device))
    assert books.row(Quota, record.person, record.category, record.year).used == 0
    books.done(EnterLate(record.record_id, "decision 1"))
    assert books.row(Serial, record.brand, record.serial_no).taken_by == record.record_id
    assert books.row(Qualification, record.qualification).used_by == record.record_id
    assert books.row(Quota, record.person, record.category, record.year).used == 1
    assert books.refusals(device, person=3)[0] == "QUALIFICATION_IN_USE"


def test_it_gives_that_back_when_its_goods_come_back(books, device):
    sealed = made_late(books, device)
    books.done(enter(sealed))
    books.give_back(device, sealed)
    record = books.record(sealed)
    assert (record.state, books.money()) == ("RETURNED", {})
    assert books.row(Quota, record.person, record.category, record.year).used == 0


@pytest.mark.parametrize("reference", ["decision 1", "decision 2"])
def test_it_enters_once(books, device, reference):
    sealed = made_late(books, device)
    books.done(enter(sealed))
    assert books.denied(enter(sealed, reference)) == "NOT_A_LATE_GRANT"


def test_nothing_else_enters_late(books, device):
    held = books.hold(device)
    sold = books.sell(device)
    closed = promised(books.hold(device))
    books.take(device, device.chain(device.closed(closed.record_id, closed.hold_no)))
    for one in (promised(held), promised(sold), closed):
        assert books.denied(EnterLate(one.record_id, "decision 1")) == "NOT_A_LATE_GRANT"
    assert books.denied(EnterLate("nothing", "decision 1")) == "RECORD_UNKNOWN"


def test_nobody_elses_sale_is_undone_for_it(books, device):
    sealed = made_late(books, device)
    again = books.sell(device, person=5, item=promised(sealed).item)
    assert books.denied(enter(sealed)) == "SERIAL_TAKEN"
    books.give_back(device, again)
    books.sell(device, person=3)
    assert books.denied(enter(sealed)) == "QUALIFICATION_USED"


def test_a_quota_that_is_used_by_now_stays_used_once(books, device):
    sealed = made_late(books, device)
    record = books.record(sealed)
    books.sql(f"UPDATE quota SET used = 1 WHERE person = '{record.person}'")
    assert books.denied(enter(sealed)) == "QUOTA_USED"


def test_it_waits_while_a_funder_lacks_its_part(books, device):
    sealed = made_late(books, device)
    books.sql("UPDATE balance SET fen = 2174 WHERE funder = 'county' AND account = 'available'")
    books.sql("UPDATE balance SET fen = -2174 WHERE funder = 'county' AND account = 'appropriated'")
    books.check = lambda *_rows: None  # the balances were changed behind the books' back
    assert books.denied(enter(sealed)) == "FUND_EXHAUSTED"


def test_it_waits_while_its_goods_are_being_returned(books, device):
    sealed = made_late(books, device)
    books.take(device, device.chain(device.returning(promised(sealed))))
    assert books.denied(enter(sealed)) == "LINE_BLOCKED"
    books.take(device, device.chain(device.returned(promised(sealed), refunded=False)))
    books.done(enter(sealed))


@pytest.mark.parametrize(
    "change", [{"paid_fen": 1}, {"item": v1.Item(gtin="69012345", serial_no="ANOTHER")}, {"attempts": ()}]
)
def test_one_that_does_not_fit_its_promise_does_not_enter(books, device, change):
    sealed = made_late(books, device, **change)
    assert books.record(sealed).blocks == ("late_differs",)
    assert books.denied(enter(sealed)) == "LINE_BLOCKED"


def test_a_closed_year_takes_none(books, device):
    sealed = made_late(books, device)
    books.done(CloseYear(2026))
    assert books.denied(enter(sealed)) == "YEAR_CLOSED"


def test_one_whose_hold_the_books_had_lost_knows_its_merchant_from_its_promise(tmp_path):
    before = Books(tmp_path / "before", on=SQLITE)
    device = before.enrol()
    before.copy(tmp_path / "after")
    sealed = before.hold(device)
    books = Books.reopen(tmp_path / "after", before)
    promise = promised(sealed)
    books.take(device, device.chain(device.closed(promise.record_id, promise.hold_no)))
    books.take(device, device.chain(device.paid(sealed)))
    record = books.record(sealed)
    assert (record.state, record.merchant, record.money) == ("RELEASED", "M001", "late_grants_claimed")
    books.done(enter(sealed))
    assert books.claim(device).lines == 1
