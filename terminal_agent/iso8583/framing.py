"""How do bytes on a line become messages, and a message bytes on a line?

    length | TPDU, 5 bytes, or none | header, 6 bytes, or none | message

The length counts everything after itself: two bytes binary, two bytes BCD or four ASCII digits. Pure; the
reader never holds more than one frame of 64 KiB.
"""

import msgspec

from terminal_agent.iso8583.dialect import Frame
from terminal_agent.iso8583.faults import FrameFault

LARGEST_FRAME = 65_535
_WIDTHS = {"bin2": 2, "bcd2": 2, "ascii4": 4}
_MOST_COUNTED = {"bin2": LARGEST_FRAME, "bcd2": 9_999, "ascii4": 9_999}
_TPDU_BYTES, _HEADER_BYTES = 5, 6
_TPDU_ID = "60"
_PROCESSING_REQUEST = 5  # which digit of the header


class Envelope(msgspec.Struct, frozen=True):
    """One frame taken apart. `tpdu` and `header` are digits, empty when the dialect has none."""

    tpdu: str
    header: str
    body: bytes

    @property
    def wants_sign_in(self) -> bool:
        """Whether the host asks in the header that the terminal signs in again."""
        return self.header[_PROCESSING_REQUEST : _PROCESSING_REQUEST + 1] == "3"


class FrameReader:
    """Cuts what arrives on one line into frames. After a FrameFault nothing of the line can be believed."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._width = _WIDTHS[frame.length]
        self._held = bytearray()

    @property
    def waits_for_more(self) -> bool:
        """Whether the beginning of a frame is here and its end is not."""
        return bool(self._held)

    def feed(self, received: bytes) -> list[bytes]:
        """Take what has arrived and return the frames it completes, without their length, in order."""
        held = self._held
        held += received
        frames = []
        at = 0
        while len(held) - at >= self._width:
            size = self._size(bytes(held[at : at + self._width]))
            end = at + self._width + size
            if end > len(held):
                break
            frames.append(bytes(held[at + self._width : end]))
            at = end
        del held[:at]
        return frames

    def _size(self, length: bytes) -> int:
        size = int.from_bytes(length)
        if self._frame.length != "bin2":
            text = length.hex() if self._frame.length == "bcd2" else length.decode("ascii", errors="replace")
            if not (text.isascii() and text.isdigit()):
                raise FrameFault("length", "not digits", 0)
            size = int(text)
        if size == 0:
            raise FrameFault("length", "a frame of nothing", 0)
        return size


def open_frame(frame: Frame, content: bytes) -> Envelope:
    """Return a frame, without its length, taken apart. Raises FrameFault."""
    at = 0
    tpdu = header = ""
    if frame.tpdu:
        tpdu = content[:_TPDU_BYTES].hex()
        at = _TPDU_BYTES
        if len(content) < at or not tpdu.isdigit() or not tpdu.startswith(_TPDU_ID):
            raise FrameFault("TPDU", f"not ten digits that begin with {_TPDU_ID}", 0)
    if frame.header:
        header = content[at : at + _HEADER_BYTES].hex()
        if len(header) != 2 * _HEADER_BYTES or not header.isdigit():
            raise FrameFault("header", "not twelve digits", at)
        at += _HEADER_BYTES
    if len(content) == at:
        raise FrameFault("frame", "no message in it", at)
    return Envelope(tpdu, header, content[at:])


def close_frame(frame: Frame, body: bytes, tpdu: str = "", header: str = "") -> bytes:
    """Return `body` as it goes over the line. TPDU and header are the dialect's unless given as digits."""
    content = (
        _digits("TPDU", frame.tpdu, tpdu, _TPDU_BYTES)
        + _digits("header", frame.header, header, _HEADER_BYTES)
        + body
    )
    size = len(content)
    if size > _MOST_COUNTED[frame.length]:
        raise FrameFault("frame", f"{size} bytes, more than its length can say")
    if frame.length == "bin2":
        return size.to_bytes(2) + content
    digits = f"{size:04d}"
    return (bytes.fromhex(digits) if frame.length == "bcd2" else digits.encode()) + content


def _digits(what: str, usual: str, given: str, size: int) -> bytes:
    if given and not usual:
        raise FrameFault(what, "this dialect has none")
    digits = given or usual
    if digits and (len(digits) != 2 * size or not (digits.isascii() and digits.isdigit())):
        raise FrameFault(what, f"not {2 * size} digits")
    return bytes.fromhex(digits)
