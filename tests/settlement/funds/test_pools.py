"""Is a year's money that is divided spent only where it is, and moved only while it is there?"""

import datetime

import msgspec
import pytest

from settlement.funds.close_year import CloseYear
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.pools import is_pool
from settlement.funds.top_up import TopUp
from settlement.ledger.accounts import Account
from settlement.writer.rows import Balance
from subsidy.policy.model import Dated, PoolBy, Row, Source
from subsidy.policy.split import Part

POOL = "group=A/county=321202/channel=offline"
PARTS = (Part("central", 8_500_00), Part("province", 500_00), Part("city", 500_00), Part("county", 500_00))


def divided_by(pack, *by):
    """Return the pack with years divided by `by`, and a group for its rules."""
    rows = Dated("pools_by", (Row(datetime.date(2025, 1, 1), by, Source("notice", "one")),))
    rules = tuple(msgspec.structs.replace(one, group="A") for one in pack.rule_sets)
    return msgspec.structs.replace(pack, hash="d" * 64, rule_sets=rules, pools_by=rows)


@pytest.fixture
def divided(books):
    """Books whose years are divided by everything."""
    books.pack = divided_by(books.pack, *PoolBy)
    return books


def available(books, year, pool=""):
    """Return what all funders have available in a place."""
    slots = [books.row(Balance, part.funder, Account.AVAILABLE.value, year, pool) for part in PARTS]
    return sum(slot.fen for slot in slots if slot is not None)


def test_a_sale_draws_on_its_own_pool_and_not_on_the_undivided_year(divided):
    device = divided.enrol()
    assert divided.refusals(device) == ["FUND_EXHAUSTED"]
    divided.done(TopUp(2026, PARTS, "document 1", POOL))
    sold = divided.sell(device)
    record = divided.record(sold)
    assert record.pool == POOL
    assert available(divided, 2026, POOL) == 10_000_00 - record.subsidy_fen
    assert available(divided, 2026) == 100_000_000


@pytest.mark.parametrize("by", [(PoolBy.GROUP,), (PoolBy.COUNTY,), (PoolBy.CHANNEL,)])
def test_a_pool_is_named_by_what_the_pack_divides_by(books, by):
    books.pack = divided_by(books.pack, *by)
    pool = next(part for part in POOL.split("/") if part.startswith(by[0].value))
    books.done(TopUp(2026, PARTS, "document 1", pool))
    assert books.record(books.hold(books.enrol())).pool == pool


def test_a_return_gives_its_pool_the_money_back(divided):
    device = divided.enrol()
    divided.done(TopUp(2026, PARTS, "document 1", POOL))
    divided.give_back(device, divided.sell(device))
    assert available(divided, 2026, POOL) == 10_000_00


def test_a_hold_that_the_books_have_lost_comes_back_in_its_pool(divided, tmp_path):
    device = divided.enrol()
    divided.done(TopUp(2026, PARTS, "document 1", POOL))
    sealed = divided.hold(device)
    entry = device.chain(device.paid(sealed))
    for table in ("record", "event", "posting"):
        divided.unguard(table)
    for statement in (
        "DELETE FROM record",
        "DELETE FROM hold_number",
        "DELETE FROM open_count",
        "DELETE FROM posting WHERE happening = 'hold_placed'",
        f"UPDATE balance SET fen = 0 WHERE pool = '{POOL}' AND account = 'held'",
        f"UPDATE balance SET fen = -(SELECT fen FROM balance given WHERE given.funder = balance.funder "
        f"AND given.account = 'appropriated' AND given.pool = '{POOL}') "
        f"WHERE pool = '{POOL}' AND account = 'available'",
    ):
        divided.sql(statement)
    assert divided.take(device, entry) == ["accepted"]
    record = divided.record(sealed)
    assert (record.state, record.pool) == ("PAYABLE", POOL)


def test_what_is_left_of_a_year_moves_into_the_next(books):
    books.done(TopUp(2025, PARTS, "document 1"))
    books.done(MoveAuthority(Place(2025), Place(2026), PARTS, "document 2"))
    assert (available(books, 2025), available(books, 2026)) == (0, 100_000_000 + 10_000_00)


def test_money_moves_once_by_a_document_and_only_what_is_there(books):
    books.done(TopUp(2025, PARTS, "document 1"))
    small = (Part("central", 1_00),)
    move = MoveAuthority(Place(2025), Place(2026, POOL), small, "document 2")
    books.done(move)
    assert books.denied(move) == "ALREADY_BOOKED"
    too_much = (Part("central", 8_500_00),)
    assert books.denied(MoveAuthority(Place(2025), Place(2026), too_much, "document 3")) == "NOT_AVAILABLE"
    assert books.denied(MoveAuthority(Place(2025), Place(2025), small, "document 3")) == "SAME_PLACE"
    assert available(books, 2026, POOL) == 1_00


def test_nothing_moves_or_is_given_into_a_year_that_is_closed(books):
    books.done(TopUp(2025, PARTS, "document 1"))
    books.done(CloseYear(2025))
    move = MoveAuthority(Place(2026), Place(2025), (Part("central", 1),), "document 2")
    assert books.denied(move) == "YEAR_CLOSED"
    assert books.denied(TopUp(2025, PARTS, "document 3")) == "YEAR_CLOSED"
    books.done(MoveAuthority(Place(2025), Place(2026), PARTS, "document 3"))


@pytest.mark.parametrize(
    ("name", "well"),
    [
        ("", True),
        ("group=A", True),
        ("county=321202", True),
        (POOL, True),
        ("/county=321202", False),
        ("county=32120", False),
        ("county=321202/group=A", False),
        ("year=2026", False),
        ("group=A/", False),
    ],
)
def test_a_pool_is_written_in_one_way(name, well):
    assert is_pool(name) is well
