"""What does the meter say is left, in every state the programme can be in?"""

import datetime

import msgspec
import pytest
from books import changed_pack

from settlement.funds.meter import read_meter
from settlement.ledger.accounts import Account
from subsidy import calendar
from subsidy.policy.model import Dated, Hours, PoolBy, Row, Source

NOON_MS = calendar.end_ms(datetime.date(2026, 2, 28)) + 12 * 3_600_000
FUNDERS = {"central": 85, "province": 5, "city": 5, "county": 5}


def books_of(given_fen=100_000_000, left_fen=None, pool=""):
    """Return balances of a fund whose funders bear their shares of what is left."""
    left_fen = given_fen if left_fen is None else left_fen
    found = {}
    for funder, percent in FUNDERS.items():
        found[funder, Account.APPROPRIATED, 2026, pool] = -given_fen * percent // 100
        found[funder, Account.AVAILABLE, 2026, pool] = left_fen * percent // 100
        found[funder, Account.HELD, 2026, pool] = (given_fen - left_fen) * percent // 100
    return found


def fridge(meter):
    """Return what the meter says of fridges."""
    return next(one for one in meter.categories if one.category == "FRIDGE")


def test_what_is_left_is_said_by_category_and_year(books):
    meter = read_meter(books_of(), books.pack, (), False, NOON_MS)
    assert (meter.programme, meter.as_of, meter.open) == ("TRAINING", "2026-03-01T12:00:00+08:00", True)
    assert {one.category for one in meter.categories} == {
        name for rules in books.pack.rule_sets for name in rules.categories
    }
    assert (fridge(meter).open, fridge(meter).largest_grant_fen, fridge(meter).why) == (True, 150_000, None)
    (year,) = meter.years
    assert (year.year, year.open, year.left_fen, year.used_percent) == (2026, True, 100_000_000, 0)


def test_the_largest_grant_is_what_is_left_when_that_is_less_than_the_cap(books):
    meter = read_meter(books_of(left_fen=20_000), books.pack, (), False, NOON_MS)
    assert fridge(meter).largest_grant_fen == 20_000
    assert meter.years[0].used_percent == 99


def test_one_funder_that_has_nothing_left_ends_it_for_all(books):
    balances = books_of() | {("county", Account.AVAILABLE, 2026, ""): 0}
    meter = read_meter(balances, books.pack, (), False, NOON_MS)
    assert fridge(meter).largest_grant_fen < 20  # fen of which the county bears none
    assert (meter.years[0].left_fen < 20, meter.years[0].used_percent) == (True, 100)


def test_nothing_is_ever_negative(books):
    balances = {slot: -5 if slot[1] is Account.AVAILABLE else fen for slot, fen in books_of().items()}
    meter = read_meter(balances, books.pack, (), False, NOON_MS)
    assert (fridge(meter).largest_grant_fen, meter.years[0].left_fen, meter.open) == (0, 0, False)
    assert meter.years[0].used_percent == 100


def hours(opens, closes):
    """Return the hours of a programme, from the beginning on."""
    value = Hours(datetime.time.fromisoformat(opens), datetime.time.fromisoformat(closes))
    return Dated("hours", (Row(datetime.date(2025, 1, 1), value, Source("t", "c")),))


@pytest.mark.parametrize(
    ("why", "change", "closed", "is_stopped", "left_fen"),
    [
        ("PROGRAMME_CLOSED", lambda pack: changed_pack(pack, open=False), (), False, 0),
        ("PROGRAMME_CLOSED", lambda pack: pack, (2026,), False, 0),
        ("PROGRAMME_CLOSED", lambda pack: pack, (), True, 0),
        (
            "OUTSIDE_HOURS",
            lambda pack: msgspec.structs.replace(pack, hours=hours("08:00", "12:00")),
            (),
            False,
            100_000_000,
        ),
    ],
)
def test_closed_is_said_to_be_closed(books, why, change, closed, is_stopped, left_fen):
    meter = read_meter(books_of(), change(books.pack), closed, is_stopped, NOON_MS)
    assert not meter.open
    assert {one.why for one in meter.categories} == {why}
    assert {(one.open, one.largest_grant_fen) for one in meter.categories} == {(False, 0)}
    assert meter.years[0].left_fen == left_fen


def test_an_empty_fund_is_exhausted(books):
    meter = read_meter({}, books.pack, (), False, NOON_MS)
    assert {one.why for one in meter.categories} == {"FUND_EXHAUSTED"}
    assert meter.years[0].left_fen == 0


def divided_by(pack, *by):
    """Return the pack with years divided by something, and a group for its rules."""
    rows = Dated("pools_by", (Row(datetime.date(2025, 1, 1), by, Source("t", "c")),))
    rules = tuple(msgspec.structs.replace(one, group="A") for one in pack.rule_sets)
    return msgspec.structs.replace(pack, rule_sets=rules, pools_by=rows)


def test_of_a_divided_year_only_that_counts_on_which_sales_draw(books):
    pack = divided_by(books.pack, PoolBy.GROUP, PoolBy.COUNTY)
    balances = (
        books_of()
        | books_of(left_fen=20_000, pool="group=A/county=321202")
        | books_of(left_fen=50_000, pool="group=A/county=321203")
        | books_of(left_fen=900_000, pool="group=B/county=321202")
        | books_of(left_fen=900_000, pool="group=A")
    )
    meter = read_meter(balances, pack, (), False, NOON_MS)
    assert (fridge(meter).largest_grant_fen, meter.years[0].left_fen) == (50_000, 70_000)
    meter = read_meter(books_of(), pack, (), False, NOON_MS)
    assert (fridge(meter).why, meter.years[0].left_fen) == ("FUND_EXHAUSTED", 0)
