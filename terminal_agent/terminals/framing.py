"""How do bytes on a terminal's serial line become frames, and frames become fields?

    STX 02 | LEN, 2 bytes BCD: how many bytes DATA has | DATA | ETX 03 | LRC: XOR of LEN to ETX

Some families have no LEN, start the LRC at another value, or end an ACK with a check of its own: `Rules`.

DATA is a row of fields: tag (2 bytes, 9Fxx) | length (2 bytes) | value, text in GBK; fields by position are
in `separated.py`. We write lengths as binary, big endian. Terminals of this family write them so or as BCD;
what does not tile DATA in the first reading is read in the second.

Everything here is pure. Nothing raises but `FramingFault`, which never carries what was received:
a terminal may send a card number where none belongs.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from functools import reduce
from operator import xor

import msgspec

STX, ETX, ACK, NAK = 0x02, 0x03, 0x06, 0x15
SOH, EOT = 0x01, 0x04

LARGEST_FRAME = 4096
_TRAILER = 2  # ETX and LRC
LARGEST_DATA = LARGEST_FRAME - 3 - _TRAILER
_LONGEST_REPORT = 64

_TAG_FIRST_BYTE = 0x9F
_FIELD_HEADER = 4  # tag and length


class FramingFault(Exception):
    """Bytes that are not a frame of fields. Says what is wrong, never what was received."""


class Heard(StrEnum):
    """What a line can bring beside a frame."""

    ACK = "ACK"
    NAK = "NAK"
    PROGRESS = "PROGRESS"  # the terminal is at work
    BROKEN = "BROKEN"  # a frame that was cut off or fails its check: ask for it again


class CheckFrom(StrEnum):
    """Where the LRC begins."""

    STX = "stx"
    LENGTH = "length"  # the byte after STX; in a family without LEN the same as DATA
    DATA = "data"


class Rules(msgspec.Struct, frozen=True):
    """What one family of terminals does in its own way. The defaults are the Allinpay style."""

    has_length: bool = True
    check_from: CheckFrom = CheckFrom.LENGTH
    check_start: int = 0
    check_etx: bool = True
    checked_ack: bool = False
    """Whether ACK and NAK are followed by ETX and an LRC of both."""
    text_progress: bool = False
    """Whether the terminal reports progress as SOH, text, EOT."""

    @property
    def header(self) -> int:
        """How many bytes stand before DATA."""
        return 3 if self.has_length else 1

    def signal(self, sign: int) -> bytes:
        """Return an ACK or NAK as it goes over the line."""
        if not self.checked_ack:
            return bytes((sign,))
        return bytes((sign, ETX, check_of(bytes((sign, ETX)), self.check_start)))

    def check(self, framed: bytes | bytearray) -> int:
        """Return the LRC of what stands from STX to ETX."""
        skipped = {CheckFrom.STX: 0, CheckFrom.LENGTH: 1, CheckFrom.DATA: self.header}[self.check_from]
        return check_of(memoryview(framed)[skipped : None if self.check_etx else -1], self.check_start)


ALLINPAY = Rules()


class Frame:
    """The DATA of one frame whose check was right. Shows its size only, never its content."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"Frame({len(self.data)} bytes)"


Event = Heard | Frame

_LengthOf = Callable[[bytes], int | None]


def check_of(content: bytes | bytearray | memoryview, start: int = 0) -> int:
    """Return the LRC of `content`: all its bytes, and `start`, XORed."""
    return reduce(xor, content, start)


def frame(data: bytes, rules: Rules = ALLINPAY) -> bytes:
    """Return `data` (at most 4091 bytes; without LEN no control characters) as it goes over the line."""
    if len(data) > LARGEST_DATA:
        raise FramingFault("more data than a frame can hold")
    length = bytes.fromhex(f"{len(data):04d}") if rules.has_length else b""
    if not rules.has_length and (STX in data or ETX in data):
        raise FramingFault("a control character in what has no length")
    framed = bytes((STX,)) + length + data + bytes((ETX,))
    return framed + bytes((rules.check(framed),))


class Decoder:
    """Cuts what arrives into frames, ACK and NAK. Lives as long as one opening of the port.

    Garbage before an STX is dropped. When what looked like a frame turns out to be none, the search goes on
    at the byte after its STX, so a stray 02 costs nothing but itself. An ACK or NAK inside such
    bytes is not believed. Each byte is looked at a bounded number of times, whatever arrives.
    """

    def __init__(self, rules: Rules = ALLINPAY) -> None:
        self._rules = rules
        self._held = bytearray()  # empty, or begins with an STX whose frame is not all here
        self._doubtful = 0  # so many bytes of `_held` stood in a frame that failed
        self._failed = False  # a frame has failed, and no good one has explained it away

    @property
    def waits_for_more(self) -> bool:
        """Whether the beginning of a frame is here and its end is not."""
        return bool(self._held)

    def feed(self, received: bytes) -> list[Event]:
        """Take what has arrived and return what it completes, in order."""
        self._held += received
        return self._scan(line_is_silent=False)

    def gap(self) -> list[Event]:
        """Take note that the line was silent for longer than a frame may pause."""
        return self._scan(line_is_silent=True)

    def _scan(self, line_is_silent: bool) -> list[Event]:
        held = self._held
        events: list[Event] = []
        at = 0
        while at < len(held):
            if held[at] == SOH and self._rules.text_progress and at >= self._doubtful:
                report_end = held.find(EOT, at, at + _LONGEST_REPORT)
                if report_end < 0 and len(held) < at + _LONGEST_REPORT and not line_is_silent:
                    break
                if report_end >= 0:
                    events.append(Heard.PROGRESS)
                at = max(report_end, at) + 1
                continue
            if held[at] != STX:
                if at >= self._doubtful and held[at] in (ACK, NAK):
                    events.append(Heard.ACK if held[at] == ACK else Heard.NAK)
                at += 1
                continue
            end = _end_of_frame(held, at, self._rules)
            if end is None or end > len(held):
                if not line_is_silent:
                    break
                self._fail(len(held))
                at += 1
            elif end == at:  # no length can look like this
                at += 1
            elif held[end - 2] != ETX:
                self._fail(end)
                at += 1
            else:
                # With ETX in its place it was a frame: right or wrong, all of it is used up. This
                # also keeps the work in proportion to what arrives.
                good = self._rules.check(held[at : end - 1]) == held[end - 1]
                data = bytes(held[at + self._rules.header : end - _TRAILER])
                events.append(Frame(data) if good else Heard.BROKEN)
                self._failed = False
                at = end
        del held[:at]
        self._doubtful = max(self._doubtful - at, 0)
        if self._failed and not held:
            events.append(Heard.BROKEN)
            self._failed = False
        return events

    def _fail(self, until: int) -> None:
        self._doubtful = max(self._doubtful, until)
        self._failed = True


def _end_of_frame(held: bytearray, at: int, rules: Rules) -> int | None:
    """Return where the frame that starts at `at` ends; `at` if it is none; None if it is too early to say."""
    if not rules.has_length:
        return _end_of_text(held, at)
    if at + rules.header > len(held):
        return None
    size = _bcd(held[at + 1 : at + rules.header])
    if size is None or size > LARGEST_DATA:
        return at
    return at + rules.header + size + _TRAILER


def _end_of_text(held: bytearray, at: int) -> int | None:
    """Return the same for a frame that goes as far as its ETX, and may hold no STX."""
    etx = held.find(ETX, at, at + LARGEST_FRAME)
    if etx < 0:
        return None if len(held) < at + LARGEST_FRAME and held.find(STX, at + 1) < 0 else at
    return at if held.find(STX, at + 1, etx) >= 0 else etx + _TRAILER


def _bcd(digits: bytes | bytearray) -> int | None:
    text = digits.hex()
    return int(text) if text.isdecimal() else None


def pack(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Return fields as DATA. A tag is given by its second byte: 0x1A is 9F1A."""
    packed = bytearray()
    for tag, value in fields:
        if len(value) > LARGEST_DATA:
            raise FramingFault("a field longer than a frame")
        packed += bytes((_TAG_FIRST_BYTE, tag)) + len(value).to_bytes(2) + value
    return bytes(packed)


def unpack(data: bytes) -> dict[int, bytes]:
    """Return the fields of DATA by their tag's second byte.

    One sender writes all its lengths in one way, so a way is right when the fields tile DATA.
    """
    fields = _tile(data, lambda length: int.from_bytes(length))
    if fields is None:
        fields = _tile(data, _bcd)
    if fields is None:
        raise FramingFault("the fields do not fill the frame")
    return fields


def _tile(data: bytes, length_of: _LengthOf) -> dict[int, bytes] | None:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        start = at + _FIELD_HEADER
        if start > len(data) or data[at] != _TAG_FIRST_BYTE:
            return None
        size = length_of(data[at + 2 : start])
        if size is None or start + size > len(data):
            return None
        tag = data[at + 1]
        if tag in fields:
            # Two amounts or two traces: nobody can say which one counts.
            return None
        fields[tag] = data[start : start + size]
        at = start + size
    return fields
