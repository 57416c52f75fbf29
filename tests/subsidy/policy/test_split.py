"""Which funder pays which part of a grant?"""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subsidy.policy.split import Part, Share, largest_grant, split

SHIPPED = (Share("central", 8500), Share("province", 500), Share("city", 500), Share("county", 500))
# With these, one fen less to share gives `c` a fen more: 112 is 12, 93, 7 and 111 is 11, 92, 8.
UNEVEN = (Share("a", 1034), Share("b", 8292), Share("c", 674))


@st.composite
def share_lists(draw: st.DrawFn) -> tuple[Share, ...]:
    """Return shares of one to five funders that add up, some of them 0."""
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=4)))
    bounds = [0, *cuts, 10_000]
    return tuple(Share(f"funder {i}", high - low) for i, (low, high) in enumerate(itertools.pairwise(bounds)))


def parts(amount_fen: int, shares: tuple[Share, ...]) -> list[int]:
    return [one.fen for one in split(amount_fen, shares)]


def test_the_example_of_the_docs_is_split_to_the_fen():
    # The exact parts end in .25 and three times .25: the one fen left over goes to the first.
    assert split(59985, SHIPPED) == (
        Part("central", 50988),
        Part("province", 2999),
        Part("city", 2999),
        Part("county", 2999),
    )


@pytest.mark.parametrize(
    ("amount_fen", "expected"),
    [
        (0, [0, 0, 0, 0]),
        (1, [1, 0, 0, 0]),
        (6, [5, 1, 0, 0]),
        (10, [9, 1, 0, 0]),  # 8.5, .5, .5, .5: two fen to give, in the pack's order
        (11, [9, 1, 1, 0]),
        (20, [17, 1, 1, 1]),
    ],
)
def test_ties_go_in_the_order_of_the_pack(amount_fen, expected):
    assert parts(amount_fen, SHIPPED) == expected


@given(st.integers(0, 10**11), share_lists())
def test_the_parts_add_up_and_each_is_within_a_fen_of_its_share(amount_fen, shares):
    found = parts(amount_fen, shares)
    assert sum(found) == amount_fen
    for one, share in zip(found, shares, strict=True):
        assert abs(one - Fraction(amount_fen * share.bp, 10_000)) < 1
        assert one >= 0


@given(st.integers(0, 10**6), share_lists())
def test_a_funder_without_a_share_pays_nothing(amount_fen, shares):
    assert all(
        one.fen == 0 for one, share in zip(split(amount_fen, shares), shares, strict=True) if not share.bp
    )


@pytest.mark.parametrize("amount_fen", range(200))
def test_with_the_shipped_shares_a_larger_grant_lowers_no_funders_part(amount_fen):
    larger = parts(amount_fen + 1, SHIPPED)
    assert all(a <= b for a, b in zip(parts(amount_fen, SHIPPED), larger, strict=True))


def test_with_uneven_shares_a_larger_grant_can_lower_one_funders_part():
    assert (parts(111, UNEVEN), parts(112, UNEVEN)) == ([11, 92, 8], [12, 93, 7])


@given(share_lists(), st.data())
def test_the_largest_grant_and_every_smaller_one_can_be_borne_and_the_next_cannot(shares, data):
    left = {one.funder: data.draw(st.integers(0, 60)) for one in shares}
    most = largest_grant(left, shares)
    assert [grant for grant in range(most + 1) if not can_be_borne(grant, left, shares)] == []
    assert not can_be_borne(most + 1, left, shares)


@given(st.dictionaries(st.sampled_from([one.funder for one in SHIPPED]), st.integers(0, 200)))
def test_with_the_shipped_shares_it_is_the_largest_of_all_that_can_be_borne(left):
    borne = [grant for grant in range(1000) if can_be_borne(grant, left, SHIPPED)]
    assert largest_grant(left, SHIPPED) == max(borne)


def test_a_grant_below_the_largest_is_never_more_than_a_funder_has():
    # 112 would fit these, but 111 takes 8 of `c`, who has 7.
    left = {"a": 12, "b": 93, "c": 7}
    assert can_be_borne(112, left, UNEVEN)
    assert not can_be_borne(111, left, UNEVEN)
    assert largest_grant(left, UNEVEN) < 111


@pytest.mark.parametrize(
    "left", [{}, {"central": 10**9}, {"central": -5, "province": 9, "city": 9, "county": 9}]
)
def test_a_funder_that_is_absent_or_overspent_has_little_left(left):
    assert largest_grant(left, SHIPPED) < 10


def can_be_borne(grant: int, left: dict[str, int], shares: tuple[Share, ...]) -> bool:
    return all(one.fen <= left.get(one.funder, 0) for one in split(grant, shares))
