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
    """Return the largest grant of which every funder can bear its own part, 0 when none can.

    Args:
        left_fen: what each funder has available; a funder that is not there has nothing.
        shares: the shares of the day.
    """
    bearing = [one for one in shares if one.bp > 0]
    left = {one.funder: max(left_fen.get(one.funder, 0), 0) for one in bearing}
    # A part is less than one fen away from its exact share, so nothing above `grant` can be borne;
    # what can is at most 10 000 / bp below, since by then every exact share is covered whole.
    grant = min(((left[one.funder] + 1) * WHOLE_BP - 1) // one.bp for one in bearing)
    while grant > 0 and any(part.fen > left.get(part.funder, 0) for part in split(grant, shares)):
        grant -= 1
    return grant
