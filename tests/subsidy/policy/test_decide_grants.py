"""How much subsidy does a purchase get, and up to which moment, price and fen does it get one?"""

import datetime

import msgspec
import policy_cases
import pytest
import small_pack
from hypothesis import given
from hypothesis import strategies as st

from catalog_sync.packs import read_folder
from subsidy.money import share_of
from subsidy.policy.decide import Because, Granted, decide
from subsidy.policy.facts import Facts
from subsidy.policy.split import Part
from subsidy.strict import json_bytes

PACK = small_pack.pack()
SHIPPED = read_folder(policy_cases.POLICIES)


def test_the_example_of_the_docs_is_granted_and_explained_to_the_fen():
    facts = json_bytes.decode(
        b"""{"sold_at": "2026-03-01T10:00:00+08:00", "programme": "JS-321200", "region": "321202",
        "category": "FRIDGE", "energy_level": 1, "initial_price_fen": 459900,
        "merchant_discount_fen": 60000, "filed_price_fen": 459900, "used_in_category": 0,
        "fund_left_fen": 100000000}""",
        Facts,
    )
    assert decide(SHIPPED["JS-321200"], facts) == Granted(
        final_price_fen=399900,
        subsidy_fen=59985,
        category="FRIDGE",
        programme_year=2026,
        funders=(Part("central", 50988), Part("province", 2999), Part("city", 2999), Part("county", 2999)),
        because=(
            Because(
                "FRIDGE.rate_bp", "1500", "2026-01-01", "商办流通函〔2025〕469号 一，一级能效或水效，15%"
            ),
            Because(
                "FRIDGE.cap_yuan", "1500.00", "2026-01-01", "商办流通函〔2025〕469号 一，家电每件不超过1500元"
            ),
            Because(
                "rounding",
                "half_up",
                "2025-01-01",
                "to be set by the bureau 暂定四舍五入到分，为通行做法；全国没有统一规定",
            ),
            Because(
                "shares_bp",
                "central 8500 province 500 city 500 county 500",
                "2025-01-01",
                "to be set by the bureau 中央85%依据发改环资〔2024〕1104号（东部地区）；"
                "省、市、县各5%为暂定，江苏的分担比例未查到",
            ),
        ),
    )


def test_the_ordinary_purchase_of_these_tests_is_granted():
    assert decide(PACK, small_pack.facts()).subsidy_fen == 59985


@pytest.mark.parametrize(
    "sold_at", ["0001-01-01T00:00:00+08:01", "9999-12-31T23:59:59-12:00", "1999-12-31T12:00:00Z"]
)
def test_an_instant_that_has_no_day_in_shanghai_is_refused_with_the_facts(sold_at):
    with pytest.raises(msgspec.ValidationError, match="between the years 2000 and 2999"):
        small_pack.facts(sold_at=sold_at)


ROUND_THE_CLOCK = small_pack.pack(small_pack.NO_HOURS)


@pytest.mark.parametrize(
    ("sold_at", "granted"),
    [
        ("2025-12-31T15:59:59.999999Z", False),
        ("2025-12-31T16:00:00Z", True),  # midnight in Shanghai
        ("2025-12-31T11:00:00-05:00", True),
        ("2026-12-31T15:59:59.999999Z", True),
        ("2026-12-31T16:00:00Z", False),
    ],
)
def test_a_day_begins_at_midnight_in_shanghai(sold_at, granted):
    assert isinstance(decide(ROUND_THE_CLOCK, small_pack.facts(sold_at=sold_at)), Granted) is granted


@pytest.mark.parametrize(
    ("sold_at", "granted"),
    [
        ("2026-02-28T22:59:59.999999Z", False),
        ("2026-02-28T23:00:00Z", True),  # 07:00 in Shanghai
        ("2026-03-01T14:59:59.999999Z", True),
        ("2026-03-01T15:00:00Z", False),
    ],
)
def test_hours_are_those_of_shanghai_and_end_before_the_closing_moment(sold_at, granted):
    assert isinstance(decide(PACK, small_pack.facts(sold_at=sold_at)), Granted) is granted


@given(
    st.datetimes(datetime.datetime(2025, 12, 30), datetime.datetime(2027, 1, 2)),
    st.integers(-14 * 60, 14 * 60),
)
def test_the_time_zone_of_sold_at_does_not_matter(at, offset_min):
    utc = at.replace(tzinfo=datetime.UTC)
    elsewhere = utc.astimezone(datetime.timezone(datetime.timedelta(minutes=offset_min)))
    assert decide(PACK, small_pack.facts(sold_at=utc)) == decide(PACK, small_pack.facts(sold_at=elsewhere))


INITIAL = small_pack.pack(("value: final_price", "value: initial_price"))


@pytest.mark.parametrize(
    ("pack", "initial_fen", "discount_fen", "granted"),
    [
        (PACK, 600000, 0, True),
        (PACK, 600001, 0, False),
        (PACK, 600001, 1, True),
        (INITIAL, 600000, 1, True),
        (INITIAL, 600001, 1, False),
    ],
)
def test_the_price_limit_is_held_against_the_price_that_the_pack_says(
    pack, initial_fen, discount_fen, granted
):
    facts = small_pack.facts(
        category="PHONE",
        qualification_category="PHONE",
        initial_price_fen=initial_fen,
        merchant_discount_fen=discount_fen,
        filed_price_fen=700000,
    )
    assert isinstance(decide(pack, facts), Granted) is granted


def test_a_grant_may_leave_one_fen_to_pay():
    assert decide(PACK, small_pack.facts(trade_in_fen=339914)).subsidy_fen == 59985


def test_the_whole_fund_may_be_granted():
    assert decide(PACK, small_pack.facts(fund_left_fen=59985)).subsidy_fen == 59985


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_a_dearer_item_never_gets_less(one_fen, other_fen):
    low, high = (
        decide(PACK, small_pack.facts(initial_price_fen=fen, filed_price_fen=fen))
        for fen in sorted((one_fen, other_fen))
    )
    if isinstance(low, Granted):
        assert low.subsidy_fen <= high.subsidy_fen


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_a_discount_counts_as_a_lower_price(price_fen, discount_fen):
    initial_fen = price_fen + discount_fen
    discounted = decide(
        PACK,
        small_pack.facts(
            initial_price_fen=initial_fen, filed_price_fen=initial_fen, merchant_discount_fen=discount_fen
        ),
    )
    assert discounted == decide(
        PACK, small_pack.facts(initial_price_fen=price_fen, filed_price_fen=price_fen)
    )


@given(st.integers(4, 3_000_000), st.integers(1, 2))
def test_the_subsidy_is_the_share_of_the_final_price_up_to_the_cap(price_fen, level):
    facts = small_pack.facts(initial_price_fen=price_fen, filed_price_fen=price_fen, energy_level=level)
    rounding = PACK.rounding.rows[0].value
    expected = min(share_of(price_fen, {1: 2000, 2: 1500}[level], rounding), 200000)
    assert decide(PACK, facts).subsidy_fen == expected


def test_a_later_row_counts_from_its_first_day_and_is_named():
    later = small_pack.pack(
        (
            'value: "2000.00", source: {title: notice, clause: three}}\n',
            'value: "2000.00", source: {title: notice, clause: three}}\n'
            '      - {from: 2026-07-01, value: "300.00", source: {title: later, clause: six}}\n',
        )
    )
    before = decide(later, small_pack.facts(sold_at="2026-06-30T22:00:00+08:00"))
    after = decide(later, small_pack.facts(sold_at="2026-07-01T07:00:00+08:00"))
    assert (before.subsidy_fen, after.subsidy_fen) == (59985, 30000)
    assert after.because[1] == Because("FRIDGE.cap_yuan", "300.00", "2026-07-01", "later six")
