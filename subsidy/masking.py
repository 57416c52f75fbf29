"""How may names of people, cards and phones appear in a log, a slip or an answer?

Nothing personal is written in clear. `scrub` is the net under everything that is logged; the
others are for places where a masked form is meant to be seen.
"""

import re

from subsidy.ids import RECORD_ID_PATTERN

_RECORD_ID = re.compile(rf"(?<![0-9A-Za-z])({RECORD_ID_PATTERN.strip('^$')})(?![0-9A-Za-z])", re.ASCII)
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){13,18}(?![0-9])", re.ASCII)
_TRACK = re.compile(r"[;%]?B?[0-9]{12,19}[=D^][0-9A-Za-z^/ .=]*\??", re.ASCII)
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])", re.ASCII)
_PHONE = re.compile(r"(?<![0-9])(?:\+?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])", re.ASCII)

_NARROW = {one + 0xFEE0: one for one in range(0x21, 0x7F)} | {0x3000: ord(" ")}


def mask_pan(text: str) -> str:
    """Return a card number with its first 6 and last 4 digits; what is masked already stays so.

    >>> mask_pan("6222021234567890123")
    '622202*********0123'
    >>> mask_pan("622202****0123")
    '622202****0123'
    """
    shown = "".join(c for c in text if c in "0123456789*xX").replace("x", "*").replace("X", "*")
    hidden = max(len(shown) - 10, 0)
    if hidden == 0:
        return "*" * len(shown)
    return shown[:6] + "*" * hidden + shown[-4:]


def mask_phone(text: str) -> str:
    """Return a phone number with its first 3 and last 4 digits."""
    return text[:3] + "*" * max(len(text) - 7, 0) + text[-4:] if len(text) >= 11 else "*" * len(text)


def mask_identity(text: str) -> str:
    """Return an identity number with its region and last character only."""
    return text[:6] + "*" * 11 + text[-1:] if len(text) == 18 else "*" * len(text)


def scrub(text: str) -> str:
    """Return `text` with everything that looks like a card, identity or phone number blotted out.

    Record ids stay: one in a hundred has a run of digits like a card number, and they are what people
    search the logs by. An input method may write digits in full width: they count as what they say.
    """
    if text.isascii():
        return _scrubbed(text)
    narrow = text.translate(_NARROW)
    scrubbed = _scrubbed(narrow)
    return text if scrubbed == narrow else scrubbed


def _scrubbed(text: str) -> str:
    parts = _RECORD_ID.split(text)
    for i in range(0, len(parts), 2):
        for pattern in (_TRACK, _IDENTITY, _CARD, _PHONE):
            parts[i] = pattern.sub("[removed]", parts[i])
    return "".join(parts)
