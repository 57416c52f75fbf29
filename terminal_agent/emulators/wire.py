"""How does the emulated terminal frame and read bytes?

Written from the protocol and from nothing else, on purpose: if the agent framed wrongly and its
emulator used the same code, every test would agree with the mistake.

    02 | two bytes BCD, count of the middle | the middle | 03 | XOR of all after the 02
    the middle: 9F tag | two bytes length, big endian | value
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

ACKNOWLEDGED = b"\x06"
NOT_UNDERSTOOD = b"\x15"

_LONGEST_MIDDLE = 4096 - 5
_SILENCE_S = 0.2

TYPE = 0x01
AMOUNT = 0x02
MERCHANT = 0x04
TERMINAL = 0x05
OPERATOR = 0x06
CARD = 0x0B
BATCH = 0x0D
TRACE = 0x0E
AUTH = 0x0F
REFERENCE = 0x10
DATE = 0x11
TIME = 0x12
MEMO = 0x13
CODE = 0x14
CONTENT = 0x15
TEXT = 0x19
NONCE = 0x1A
ORIGINAL_TRACE = 0x20
ORDER = 0xFF

SALE, VOID, REFUND, PROGRESS, LAST = 2, 3, 4, 7, 15

Fields = dict[int, bytes]


class Unreadable(Exception):
    """A frame with a right check whose middle is not a row of fields."""


def wrap(middle: bytes, spoil_check: bool = False) -> bytes:
    """Return the frame around `middle`; with `spoil_check` one whose check byte is wrong."""
    hundreds, rest = divmod(len(middle), 100)
    body = bytes([_two_digits(hundreds), _two_digits(rest), *middle, 3])
    check = 0xFF if spoil_check else 0
    for one in body:
        check ^= one
    return b"\x02" + body + bytes([check])


def join(fields: Fields) -> bytes:
    """Return the middle of a frame that holds `fields` in their order."""
    return b"".join(struct.pack(">BBH", 0x9F, tag, len(value)) + value for tag, value in fields.items())


def split(middle: bytes) -> Fields:
    """Return the fields of `middle`. Raises Unreadable."""
    fields: Fields = {}
    rest = middle
    while rest:
        if len(rest) < 4:
            raise Unreadable
        first, tag, length = struct.unpack(">BBH", rest[:4])
        if first != 0x9F or len(rest) < 4 + length or tag in fields:
            raise Unreadable
        fields[tag] = rest[4 : 4 + length]
        rest = rest[4 + length :]
    return fields


class Listener:
    """Turns bytes into (kind, middle): kind is "ack", "nak", "frame" or "bad".

    Takes a byte at a time, as the chip of a terminal does. A frame that pauses for 200 ms is forgotten.
    """

    def __init__(self) -> None:
        self._frame = bytearray()
        self._last_at = 0.0

    def hear(self, received: bytes, at: float) -> list[tuple[str, bytes]]:
        """Return what `received` at second `at` completes."""
        if at - self._last_at > _SILENCE_S:
            self._frame.clear()
        self._last_at = at
        found = []
        for one in received:
            event = self._take(one)
            if event is not None:
                found.append(event)
        return found

    def _take(self, one: int) -> tuple[str, bytes] | None:
        if not self._frame:
            if one == 2:
                self._frame.append(one)
            return ("ack", b"") if one == 6 else ("nak", b"") if one == 0x15 else None
        self._frame.append(one)
        if len(self._frame) < 3:
            return None
        size = _number(self._frame[1:3])
        if size is None or size > _LONGEST_MIDDLE:
            self._frame.clear()
            return ("bad", b"")
        if len(self._frame) < size + 5:
            return None
        whole = bytes(self._frame)
        self._frame.clear()
        middle = whole[3:-2]
        return ("frame", middle) if whole == wrap(middle) else ("bad", b"")


class Hears(Protocol):
    """What turns bytes into (kind, middle)."""

    def hear(self, received: bytes, at: float) -> list[tuple[str, bytes]]:
        """Return what `received` at second `at` completes."""


@dataclass(frozen=True)
class Wire:
    """One way of writing: how fields become a middle and back, and a middle a frame."""

    join: Callable[[Fields], bytes]
    split: Callable[[bytes], Fields]
    wrap: Callable[[bytes, bool], bytes]
    new_listener: Callable[[], Hears]
    acknowledged: bytes = ACKNOWLEDGED
    not_understood: bytes = NOT_UNDERSTOOD
    at_work: bytes | None = None  # the whole of a progress report, where it is no frame


TAGGED = Wire(join, split, wrap, Listener)


def _two_digits(number: int) -> int:
    return number // 10 * 16 + number % 10


def _number(packed: bytes | bytearray) -> int | None:
    digits = packed.hex()
    return int(digits) if re.fullmatch("[0-9]{4}", digits) else None
