"""Which funder pays which part of a grant?"""

from collections.abc import Mapping, Sequence

import msgspec

WHOLE_BP = 10_000


class Share(msgspec.Struct, frozen=True):
    """A funder's share in basis points. The order of shares is the pack's order."""

    funder: str
    bp: int


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one funder bears of a grant."""

    funder: str
    fen: int


def split(amount_fen: int, shares: Sequence[Share]) -> tuple[Part, ...]:
    """Split `amount_fen` over `shares` by largest remainder, ties in the pack's order.

    The parts add up to the fen, and no part is a fen or more away from its exact share.
    """
    assert amount_fen >= 0
    assert sum(one.bp for one in shares) == WHOLE_BP
    exact = [divmod(amount_fen * one.bp, WHOLE_BP) for one in shares]
    missing = amount_fen - sum(whole for whole, _ in exact)
    by_remainder = sorted(range(len(shares)), key=lambda i: (-exact[i][1], i))
    gets_one_more = set(by_remainder[:missing])
    parts = tuple(Part(one.funder, exact[i][0] + (i in gets_one_more)) for i, one in enumerate(shares))
    assert sum(part.fen for part in parts) == amount_fen
    return parts


def largest_grant(left_fen: Mapping[str, int], shares: Sequence[Share]) -> int:
    """Return the largest grant that every funder can bear its part of, and of every smaller one too.

    The second half is needed: with three funders or more, one fen less to share can give one funder a
    fen more (the Alabama paradox), so that a grant below one that can be borne may not be.

    Args:
        left_fen: what each funder has available; a funder that is not there has nothing.
        shares: the shares of the day.
    """
    bearing = [one for one in shares if one.bp > 0]
    left = {one.funder: max(left_fen.get(one.funder, 0), 0) for one in bearing}
    # A part is its exact share rounded up or down. So up to here every grant can be borne, and at most
    # 10 000 / bp fen further on one cannot.
    grant = min(left[one.funder] * WHOLE_BP // one.bp for one in bearing)
    while all(part.fen <= left.get(part.funder, 0) for part in split(grant + 1, shares)):
        grant += 1
    return grant
