"""Which funder pays which part of a grant?"""

from collections.abc import Mapping, Sequence
from operator import le

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
    fens = _split(amount_fen, [one.bp for one in shares])
    return tuple([Part(one.funder, fen) for one, fen in zip(shares, fens, strict=True)])


def _split(amount_fen: int, bps: Sequence[int]) -> list[int]:
    assert amount_fen >= 0
    assert sum(bps) == WHOLE_BP
    fens, rests, missing = [], [], amount_fen
    for place, bp in enumerate(bps):
        whole, rest = divmod(amount_fen * bp, WHOLE_BP)
        fens.append(whole)
        rests.append((-rest, place))
        missing -= whole
    rests.sort()
    for _, place in rests[:missing]:
        fens[place] += 1
    assert sum(fens) == amount_fen
    return fens


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
    bps = [one.bp for one in shares]
    borne = [left.get(one.funder, 0) for one in shares]
    while all(map(le, _split(grant + 1, bps), borne)):
        grant += 1
    return grant
