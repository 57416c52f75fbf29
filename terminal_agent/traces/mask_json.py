"""What of a tree of JSON may stand in a trace? Words by name and shape, all else by size.

Pure. `kept` are the names whose words and amounts may be written down, as far as they have the shape of
such: a card number, a name or a phone number under one of them is not kept either.
"""

import re
from collections.abc import Collection

from subsidy.masking import scrub

_PLAIN = re.compile(r"[0-9A-Za-z_.:+\-]{0,40}", re.ASCII)
_LARGEST = 10**10 - 1  # fen: a phone number has one digit more
_MOST_DEEP = 16


def masked(name: str, value: object, kept: Collection[str], depth: int = 0) -> object:
    """Return what may be kept of a value that stands under `name`."""
    if depth > _MOST_DEEP:
        return "?"
    if isinstance(value, dict):
        return {masked_name(key): masked(key, one, kept, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(name, one, kept, depth + 1) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) or (isinstance(value, float) and name in kept):
        return value if -_LARGEST <= value <= _LARGEST else 0
    return masked_text(name, str(value), kept)


def masked_text(name: str, text: str, kept: Collection[str]) -> str:
    """Return a text that stands under `name`, as it is or as question marks."""
    return text if name in kept and _is_plain(text) else "?" * len(text)


def masked_name(key: str) -> str:
    """Return the name of a field, unless somebody has put something else there."""
    return key if _is_plain(key) else "?" * len(key)


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and scrub(text) == text
