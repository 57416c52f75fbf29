"""What is an amount, and is a share of it rounded as the notice says?"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.money import MOST_FEN, Rounding, fen_from_yuan, share_of, yuan

AMOUNTS = st.integers(0, MOST_FEN)
RATES = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("price", "rate_bp", "half_up", "down"),
    [
        ("3333.33", 1500, "500.00", "499.99"),
        ("3333.34", 1500, "500.00", "500.00"),
        ("1999.90", 1500, "299.99", "299.98"),  # 299.985: floats and half-even say 299.98
        ("2999.50", 1500, "449.93", "449.92"),
        ("5999.99", 1500, "900.00", "899.99"),
        ("9999.99", 1500, "1500.00", "1499.99"),
        ("10000.00", 1500, "1500.00", "1500.00"),
        ("1234.50", 1500, "185.18", "185.17"),
        ("10000.00", 2000, "2000.00", "2000.00"),
        ("13333.33", 1500, "2000.00", "1999.99"),
        ("3999.00", 1500, "599.85", "599.85"),
        ("0.03", 1500, "0.00", "0.00"),
        ("0.04", 1500, "0.01", "0.00"),
        ("0.00", 1500, "0.00", "0.00"),
        ("0.01", 10_000, "0.01", "0.01"),
    ],
)
def test_a_share_is_what_the_notice_comes_to(price, rate_bp, half_up, down):
    assert yuan(share_of(fen_from_yuan(price), rate_bp, Rounding.HALF_UP)) == half_up
    assert yuan(share_of(fen_from_yuan(price), rate_bp, Rounding.DOWN)) == down


@given(AMOUNTS, RATES)
def test_down_is_the_exact_share_without_its_fraction(amount_fen, rate_bp):
    exact = Fraction(amount_fen * rate_bp, 10_000)
    assert share_of(amount_fen, rate_bp, Rounding.DOWN) == exact.numerator // exact.denominator


@given(AMOUNTS, RATES)
def test_half_up_is_the_nearest_fen_and_the_half_goes_up(amount_fen, rate_bp):
    exact = Fraction(amount_fen * rate_bp, 10_000)
    off = share_of(amount_fen, rate_bp, Rounding.HALF_UP) - exact
    assert Fraction(-1, 2) < off <= Fraction(1, 2)


@given(AMOUNTS, AMOUNTS, RATES, st.sampled_from(Rounding))
def test_a_dearer_item_never_gets_a_smaller_share(one_fen, other_fen, rate_bp, rounding):
    low, high = sorted((one_fen, other_fen))
    assert share_of(low, rate_bp, rounding) <= share_of(high, rate_bp, rounding) <= high


@given(AMOUNTS)
def test_yuan_text_reads_back_as_the_same_fen(amount_fen):
    if amount_fen < 10**12:
        assert fen_from_yuan(yuan(amount_fen)) == amount_fen


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (59985, "599.85"), (-1, "-0.01"), (-59985, "-599.85")]
)
def test_yuan_shows_two_decimals_and_the_sign(fen, text):
    assert yuan(fen) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2000",
        "2000.0",
        "2000.000",
        "2,000.00",
        "02000.00",
        "-1.00",
        "+1.00",
        " 1.00",
        "1.00\n",
        "1.00 ",
        "1e3",
        "１.00",
        "1_0.00",
        ".50",
        "NaN",
        "¥1.00",
        "99999999999.00",
    ],
)
def test_yuan_text_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match="is not an amount in yuan"):
        fen_from_yuan(text)


@pytest.mark.parametrize(("amount_fen", "rate_bp"), [(-1, 1500), (100, -1), (100, 10_001)])
def test_a_share_of_nonsense_is_a_bug(amount_fen, rate_bp):
    with pytest.raises(AssertionError):
        share_of(amount_fen, rate_bp, Rounding.HALF_UP)
