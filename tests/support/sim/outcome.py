"""Who buys what in a world, and what came of it?"""

from typing import NamedTuple

import msgspec


class Buyer(NamedTuple):
    """One shopper with an item in mind."""

    person: int
    goods: tuple[str, str, int]
    serial_no: str
    discount_fen: int
    trade_in_fen: int


class Violation(msgspec.Struct, frozen=True):
    """A claim that did not hold."""

    claim: str
    what: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of a seed. `moves` has (whose, from, to) with how often, `ends` what the sales ended as.

    `paid_by` has how many sales were paid by each way, `taken` how many payments each kind of card terminal
    took, whether or not they went back.
    """

    seed: int
    hash: str
    violations: list[Violation]
    moves: dict[str, int]
    ends: dict[str, int]
    sales: int
    points: int
    steps: int
    crashes: int
    paid_by: dict[str, int]
    taken: dict[str, int] = {}
    lines: list[str] | None = None
