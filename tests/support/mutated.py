"""Bytes that were right and are not any more."""

import random
import re

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
