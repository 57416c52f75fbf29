"""A message with one thing wrong in it, for every place and everything that can be wrong there."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec

_HERE = "\ue000HERE"
_DEEP = "[" * 40 + "]" * 40
# Wrong at every place of every message.
ALWAYS_WRONG = {
    "a number with a point": "1.5",
    "a whole number with a point": "1.0",
    "an exponent": "1e0",
    "2^53 + 1": "9007199254740993",
    "2^63": "9223372036854775808",
    "400 digits": "1" + "0" * 400,
    "NUL": '"\\u0000"',
    "NUL inside": '"a\\u0000b"',
    "half a character": '"\\ud800"',
    "40 deep": _DEEP,
}
# Wrong at most places, and what it is worth elsewhere is the centre's to say.
OFTEN_WRONG = {
    "null": "null",
    "a boolean": "true",
    "below zero": "-1",
    "a number as text": '"1"',
    "an empty text": '""',
    "a text that turns its direction": '"\\u202eabc"',
    "a text that is not seen": '"\\u200b\\ufeff"',
    "10 000 characters": '"' + "x" * 10_000 + '"',
    "a line end": '"a\\n"',
    "a list": "[]",
    "an object": "{}",
}
MISSING, TWICE, MORE = "missing", "twice", "more than is known"

Place = tuple[str | int, ...]


def wrongs(message: msgspec.Struct) -> Iterator[tuple[Place, str]]:
    """Yield every place of a message with everything that can be wrong there."""
    document = json.loads(msgspec.json.encode(message))
    for place, value in _places(document, ()):
        if place:
            for what in (*ALWAYS_WRONG, *OFTEN_WRONG):
                yield place, what
            if isinstance(place[-1], str):
                yield place, MISSING
                yield place, TWICE
        if isinstance(value, dict):
            yield place, MORE


def is_always_wrong(what: str) -> bool:
    """Whether it is wrong at every place."""
    return what in ALWAYS_WRONG or what in (TWICE, MORE)


def with_wrong(message: msgspec.Struct, place: Place, what: str) -> bytes:
    """Return a message's JSON with one thing wrong at a place."""
    document = copy.deepcopy(json.loads(msgspec.json.encode(message)))
    parent: Any = document
    for step in place[:-1]:
        parent = parent[step]
    if what == MORE:
        (parent[place[-1]] if place else document)["more"] = 1
        return json.dumps(document).encode()
    if what == MISSING:
        del parent[place[-1]]
        return json.dumps(document).encode()
    value = json.dumps(parent[place[-1]])
    raw = ALWAYS_WRONG.get(what) or OFTEN_WRONG.get(what) or f"{value}, {json.dumps(place[-1])}: {value}"
    parent[place[-1]] = _HERE
    return json.dumps(document).replace(json.dumps(_HERE), raw).encode()


def _places(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    yield place, value
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _places(one, (*place, name))
    elif isinstance(value, list) and value:
        # One stands for the others.
        yield from _places(value[0], (*place, 0))
