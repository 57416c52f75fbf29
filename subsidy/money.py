"""What is an amount of money, and how is a share of it rounded?

Every amount is a whole number of fen. Yuan exist only as quoted text in files that people read.
"""

import re
from enum import StrEnum
from typing import NewType

Fen = NewType("Fen", int)

MOST_FEN = 10**12  # ten thousand million yuan: above any pool, far below what JSON readers lose

_YUAN = re.compile(r"(0|[1-9][0-9]{0,9})\.([0-9]{2})", re.ASCII)


class Rounding(StrEnum):
    """What happens to a part of a fen. The pack says which; no national rule exists."""

    HALF_UP = "half_up"
    DOWN = "down"


def share_of(amount_fen: int, rate_bp: int, rounding: Rounding) -> Fen:
    """Return `rate_bp` basis points of `amount_fen`, as a whole number of fen.

    Args:
        amount_fen: the amount, 0 or more.
        rate_bp: the rate in basis points; 10 000 is the whole amount.
        rounding: what the policy pack says.
    """
    assert amount_fen >= 0
    assert 0 <= rate_bp <= 10_000
    # Integers only: a float, or decimal's default half-even, differs from the notice by a fen on
    # prices such as 1999.90, and a fen is enough to fail an audit.
    whole, rest = divmod(amount_fen * rate_bp, 10_000)
    return Fen(whole + (rounding is Rounding.HALF_UP and rest >= 5_000))


def fen_from_yuan(text: str) -> Fen:
    """Read yuan text with exactly two decimals, such as "2000.00". Raises ValueError otherwise."""
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an amount in yuan")
    return Fen(int(found[1]) * 100 + int(found[2]))


def yuan(amount_fen: int) -> str:
    """Return `amount_fen` as people read it: 59985 is "599.85"."""
    sign = "-" if amount_fen < 0 else ""
    whole, rest = divmod(abs(amount_fen), 100)
    return f"{sign}{whole}.{rest:02d}"
