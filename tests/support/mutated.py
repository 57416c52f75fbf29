"""Bytes that were right and are not any more."""

import itertools
import random
import re
from collections.abc import Callable, Iterable

from cpu_time import cpu_time

MOST_CPU_S = 0.1
CARD = b"6299998473651209384"
_LIKELY = (
    b"\x02",
    b"\x03",
    b"\x06",
    b"\x15",
    b"\x01",
    b"\x04",
    b"|",
    b'"',
    b"{",
    b"[",
    b"\\u0000",
    b"\xff",
    CARD,
)


_SHOWN = re.compile(rf"(?<![0-9]){CARD.decode()}(?![0-9])")


def shows_the_card(text: str) -> bool:
    """Whether the card stands in a text. Inside a longer number nobody could tell it from that."""
    return _SHOWN.search(text) is not None


def mutate(chance: random.Random, right: bytes) -> bytes:
    """Return `right` with one to six changes: bytes flipped, cut out, doubled, or put in."""
    changed = bytearray(right)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 40)]
            case 3:
                changed[at:at] = chance.choice(_LIKELY) * chance.choice((1, 1, 1, 2, 50))
            case _:
                changed[at : at + chance.randint(1, 8)] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)


def understood_of(
    what: str, right: Iterable[tuple[bytes, Callable[[bytes], tuple[bool, str]]]], count: int
) -> int:
    """Read `count` mutated messages, each of the right ones in turn, and return how many were understood.

    Each costs little, and what is said of it shows no card.

    Args:
        what: seeds the chance.
        right: a message, and what reads it: whether it was understood, and what was said or shown of it.
        count: how many.
    """
    chance, longest_s, understood = random.Random(what), 0.0, 0
    for content, read in itertools.islice(itertools.cycle(list(right)), count):
        mutated = mutate(chance, content)
        with cpu_time() as cost:
            said, shown = read(mutated)
        longest_s = max(longest_s, cost.s)
        understood += said
        assert not shows_the_card(shown), mutated
    print(f"{what}: {count} tried, {understood} understood, {longest_s * 1000:.1f} ms the slowest")
    assert longest_s < MOST_CPU_S
    return understood
