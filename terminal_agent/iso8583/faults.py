"""What can be wrong with an ISO 8583 message, and how is it said without showing a card?

Every error of this package is an `Iso8583Fault`. It says where and what, and shows content by its shape
only: digits become 9, letters A, everything else a question mark.
"""

_MOST_SHOWN = 24


class Iso8583Fault(Exception):
    """A message, frame or key that cannot be used.

    `where` is a part of it such as "field 4", `at` the byte of the body or frame where that part begins, when
    it was read from bytes.
    """

    def __init__(self, where: str, problem: str, at: int | None = None) -> None:
        place = where if at is None else f"{where} at byte {at}"
        super().__init__(f"{place}: {problem}")
        self.where = where
        self.problem = problem
        self.at = at


class FrameFault(Iso8583Fault):
    """What surrounds the message is wrong: its length, TPDU or header."""


class MessageFault(Iso8583Fault):
    """The message itself is wrong: type, bitmap, a field or a part of one."""


class KeyFault(Iso8583Fault):
    """A key does not fit the way in which a MAC is made."""


def shape(text: str) -> str:
    """Return the shape of a text, in quotes, cut to 24 characters.

    >>> shape("62220A=")
    "'99999A?'"
    """
    shown = "".join(
        "9" if c.isascii() and c.isdigit() else "A" if c.isascii() and c.isalpha() else "?"
        for c in text[:_MOST_SHOWN]
    )
    return f"'{shown}{'...' if len(text) > _MOST_SHOWN else ''}'"
