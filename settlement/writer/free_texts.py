"""Which texts of a command has somebody written freely, and what of them is kept? Pure.

People write down who has called and with which card. A card, identity or phone number in such a text is
blotted out before anything is made of the command. The document by which money is booked once is not blotted
out, since two documents would become the same one: it is refused (`two_people.problem_of_texts`).
"""

import functools
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from settlement.proposals.two_people import BookedOnce
from subsidy.masking import scrub

_FREE = ("reason", "why", "reference")

C = TypeVar("C", bound=msgspec.Struct)


def blotted(command: C) -> C:
    """Return the command as it is kept."""
    texts = {name: getattr(command, name) for name in _free_of(type(command))}
    changed = {name: kept for name, text in texts.items() if (kept := scrub(text)) != text}
    return replace(command, **changed) if changed else command


@functools.cache
def _free_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    if issubclass(kind, BookedOnce):
        return ()
    return tuple(name for name in kind.__struct_fields__ if name in _FREE)
