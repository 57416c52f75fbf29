"""Which events can the log hold, and how does one come back from it?"""

from collections.abc import Iterator
from functools import cache
from typing import Union

import msgspec

# Every module that has events is loaded by this one.
from settlement.writer import apply
from settlement.writer.step import Event

happen = apply.happen


class EventUnreadable(Exception):
    """What is stored is no event that this version knows. Nothing personal is in the message."""


def kinds() -> dict[str, type[Event]]:
    """Return every kind of event by its tag, in the order of the tags."""
    found = {str(kind.__struct_config__.tag): kind for kind in _below(Event) if kind.__struct_config__.tag}
    return dict(sorted(found.items()))


def read_event(body: str) -> Event:
    """Return the event that was stored as `body`. Raises EventUnreadable."""
    try:
        event: Event = _decoder().decode(body)
    except msgspec.DecodeError as wrong:
        raise EventUnreadable(str(wrong)) from None
    return event


def _below(kind: type[Event]) -> Iterator[type[Event]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


@cache
def _decoder() -> "msgspec.json.Decoder[Event]":
    return msgspec.json.Decoder(Union[tuple(kinds().values())])  # noqa: UP007
