"""What has really happened to the money? Only books say: the acquirers', the wallets', the drawers'."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sim.world import World


class Charge(NamedTuple):
    """One time that a shopper was charged: under which order number, how much, what went back of it, when."""

    pay_ref: str
    fen: int
    back_fen: int
    at_ms: int


def charges(world: "World") -> Iterator[Charge]:
    """Yield every charge."""
    for terminal in world.cables.values():
        yield from terminal.charges()
    for wallet in world.wallets.values():
        moves = list(wallet.moves())
        back = Counter[str]()
        for move in moves:
            back[move.pay_ref] -= min(move.fen, 0)
        for move in moves:
            if move.fen > 0:
                yield Charge(move.pay_ref, move.fen, back[move.pay_ref], move.at_ms)
    yield from world.drawers.charges()


def ms_of(at: str) -> int:
    """Return a moment of some books in milliseconds since 1970."""
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def taken(world: "World", pay_refs: Iterable[str]) -> dict[str, int]:
    """Return what was charged, whether or not it went back: fen by pay_ref; none that were never charged."""
    wanted, found = set(pay_refs), Counter[str]()
    for one in charges(world):
        if one.pay_ref in wanted:
            found[one.pay_ref] += one.fen
    return dict(found)


def standing(world: "World", pay_refs: Iterable[str] | None = None) -> dict[str, int]:
    """Return what is charged and has not gone back: fen by pay_ref, without those that are nothing."""
    wanted, found = None if pay_refs is None else set(pay_refs), Counter[str]()
    for one in charges(world):
        if (wanted is None or one.pay_ref in wanted) and one.fen != one.back_fen:
            found[one.pay_ref] += one.fen - one.back_fen
    return dict(found)


def times_charged(world: "World") -> Counter[str]:
    """Return how often each pay_ref was charged."""
    return Counter(one.pay_ref for one in charges(world))


def overdrawn(world: "World") -> list[str]:
    """Return the charges of which more was given back than was taken."""
    return [one.pay_ref for one in charges(world) if one.back_fen > one.fen]


def taken_by_kind(world: "World") -> dict[str, int]:
    """Return how many payments each kind of card terminal took, whether or not they went back."""
    found = Counter[str]()
    for terminal in world.cables.values():
        found[terminal.kind] += len(list(terminal.charges()))
    return dict(sorted(found.items()))
