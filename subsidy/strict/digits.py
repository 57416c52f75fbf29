"""Is this text really digits?"""

import re

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def is_digits(text: str, least: int, most: int) -> bool:
    """Whether `text` is `least` to `most` ASCII digits and nothing else."""
    return least <= len(text) <= most and _DIGITS.fullmatch(text) is not None


def read_count(text: str, most: int) -> int:
    """Read a whole number from 0 to `most`, without sign, space or leading zeros.

    Raises ValueError with what is wrong. `int()` alone takes full-width digits, `1_000` and spaces.
    """
    if not is_digits(text, 1, 18):
        raise ValueError(f"{text[:40]!r} is not a whole number")
    if text != "0" and text.startswith("0"):
        raise ValueError(f"{text[:40]!r} has leading zeros")
    number = int(text)
    if number > most:
        raise ValueError(f"{number} is above {most}")
    return number
