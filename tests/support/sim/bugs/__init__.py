"""Which faults are planted to see whether they are found? A name, a sentence and a small patch each.

A planted bug is in nobody's way: it is put into the shipped code for the worlds that are run with it, and
taken out again. What catches it must be a claim about money or safety.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Patch = tuple[Any, str, Any]
"""(where, name, what stands there instead)."""


class Bug(NamedTuple):
    """A planted bug."""

    name: str
    says: str
    patches: Callable[[], list[Patch]]


BUGS: dict[str, Bug] = {}
CAUGHT_BY: dict[str, int] = {}
"""The first seed that catches each."""


def bug(says: str) -> Callable[[Callable[[], list[Patch]]], Callable[[], list[Patch]]]:
    """Add a bug, named after the function that returns its patches."""

    def add(patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        BUGS[patches.__name__] = Bug(patches.__name__, says, patches)
        return patches

    return add


def known_bugs() -> dict[str, Bug]:
    """Return every planted bug by its name."""
    from sim.bugs import at_the_centre, at_the_payment, at_the_shop

    assert len({at_the_centre, at_the_payment, at_the_shop}) == 3
    return BUGS


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Have a bug in the shipped code until the block ends; none when there is no name."""
    patches = known_bugs()[name].patches() if name is not None else []
    before = [(place, attribute, getattr(place, attribute)) for place, attribute, _ in patches]
    try:
        for place, attribute, value in patches:
            setattr(place, attribute, value)
        yield
    finally:
        for place, attribute, value in reversed(before):
            setattr(place, attribute, value)
