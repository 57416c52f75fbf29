"""Do these bytes hold exactly the JSON value we expect?

Refused: anything but UTF-8, a byte order mark, repeated keys, floats (also `1.0` and `1e2`), NaN,
numbers as text, booleans as numbers, unknown fields, nesting beyond 32, NUL, bodies over the limit.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import msgspec

MOST_BYTES = 1 << 20
MOST_DEPTH = 32

T = TypeVar("T")

# Possessive, and with the closing quote optional, so that a body of quotes that never close is read
# once: with backtracking, 1 MB of them keeps the reader busy for the better part of an hour.
_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,40}", re.ASCII)
# Where the library's messages repeat what stood in the content.
_QUOTED_CONTENT = re.compile(r"((?:unknown field |enum value |Invalid value )[`'])(.*)([`'])", re.DOTALL)
_LONG_NUMBER = re.compile(r"((?:enum value|Invalid value) )-?[0-9]{5,}")
_WITH_PATH = re.compile(r"(.*) - at `(\$[^`]*)`", re.DOTALL)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


class NotStrict(Exception):
    """The bytes are not the JSON we take. `where` is a JSON path; nothing of the content is kept."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}")
        self.where = where
        self.problem = problem
        self.remedy = remedy


class OverLimit(NotStrict):
    """The bytes are more, or deeper nested, than we look at."""


def decode(
    raw: bytes, as_type: type[T], most_bytes: int = MOST_BYTES, *, fractions_elsewhere: bool = False
) -> T:
    """Read `raw` as one JSON value of type `as_type`. Raises NotStrict, and nothing else.

    With `fractions_elsewhere` numbers such as 1.5 may stand in fields that `as_type` does not have.
    """
    _read_plain(raw, most_bytes, _WITH_FRACTIONS if fractions_elsewhere else _PLAIN)
    try:
        found = msgspec.json.decode(raw, type=as_type, strict=True)
    except msgspec.ValidationError as wrong:
        placed = _WITH_PATH.fullmatch(str(wrong))
        problem, where = (placed[1], placed[2]) if placed else (str(wrong), "$")
        problem = _QUOTED_CONTENT.sub(lambda found: found[1] + _shown(found[2]) + found[3], problem)
        problem = _LONG_NUMBER.sub(r"\1(not shown)", problem)
        raise NotStrict(where, problem, "Send the field as the API describes it") from None
    except msgspec.DecodeError as wrong:
        raise NotStrict("$", f"not JSON: {_without_content(wrong)}", "Send one JSON value in UTF-8") from None
    # Last: most fields refuse it by themselves, and say where. A database keeps none.
    if b"\\u0000" in raw and _NUL.search(raw):
        raise NotStrict("$", "the character NUL in a text", "Leave it out")
    return found


def _read_plain(raw: bytes, most_bytes: int, decoder: json.JSONDecoder) -> None:
    if len(raw) > most_bytes:
        raise OverLimit("$", f"{len(raw)} bytes are more than {most_bytes}", "Send less at once")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise NotStrict("$", f"byte {wrong.start} is not UTF-8", "Send UTF-8") from None
    if text.startswith("\ufeff"):
        raise NotStrict("$", "starts with a byte order mark", "Send UTF-8 without it")
    _refuse_depth(text)
    try:
        decoder.decode(text)
    except json.JSONDecodeError as wrong:
        place = f"line {wrong.lineno}, character {wrong.colno}"
        raise NotStrict("$", f"not JSON at {place}", "Send one JSON value in UTF-8") from None


def _refuse_depth(text: str) -> None:
    # Nearly every body has few brackets, and then its depth cannot be too great.
    if text.count("{") + text.count("[") <= MOST_DEPTH:
        return
    depth = 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise OverLimit("$", f"nested deeper than {MOST_DEPTH}", "Send a flatter value")
        elif token[0] in "]}":
            depth -= 1


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise NotStrict(f"$.{_shown(twice)}", "the key stands twice", "Send each field once")
    return found


def _shown(name: str) -> str:
    """Return a name or word from the content when it is a plain one: a card number may stand anywhere."""
    return name if _PLAIN_NAME.fullmatch(name) else "(not shown)"


def _no_float(_text: str) -> NoReturn:
    raise NotStrict("$", "a number with a fraction, exponent, NaN or Infinity", "Send whole numbers only")


def _small_int(text: str) -> int:
    if len(text) > 20:
        raise NotStrict("$", "a number of more than 20 digits", "Send a number that can be meant")
    return int(text)


def _without_content(wrong: Exception) -> str:
    found = re.search(r"byte (\d+)", str(wrong))
    return f"at byte {found[1]}" if found else "malformed"


def _decoder(read_fraction: Callable[[str], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_no_repeats,
        parse_float=read_fraction,
        parse_int=_small_int,
        parse_constant=_no_float,
    )


_PLAIN, _WITH_FRACTIONS = _decoder(_no_float), _decoder(str)
