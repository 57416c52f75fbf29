"""How do the bytes of one direction of a line become whole frames, and when are they none?

    length, 2 bytes, big endian: how many bytes follow | TPDU, 5 bytes, first 60 | the rest

Pure, and only ever looks: what it cannot cut has passed all the same. A TLS record is told by its first
bytes, for a line that the terminal encrypts can be passed on but never understood.
"""

from enum import StrEnum

_HEADER = 2
_LEAST = 5 + 2 + 8  # TPDU, message type, bitmap
LARGEST = 4096  # a frame of a card terminal has a few hundred bytes
_TPDU = 0x60
_TLS_RECORD = range(0x14, 0x18)  # change_cipher_spec, alert, handshake, application_data
_TLS_MAJOR = 0x03


class Unreadable(StrEnum):
    """Why the bytes of a direction cannot be cut any more."""

    ENCRYPTED = "ENCRYPTED"  # the terminal speaks TLS with its acquirer
    NO_FRAMES = "NO_FRAMES"  # another framing than ours, or a gap


class Cutter:
    """Cuts one direction of one connection. Once lost it stays lost: nobody knows where a frame begins."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.lost: Unreadable | None = None

    @property
    def is_inside(self) -> bool:
        """Whether the beginning of a frame is here and its end is not."""
        return bool(self._held)

    def feed(self, received: bytes) -> list[bytes]:
        """Take what has passed and return the frames it completes, without their length."""
        if self.lost is not None:
            return []
        self._held += received
        frames: list[bytes] = []
        at = 0
        while self.lost is None:
            self.lost = _problem(self._held[at : at + _HEADER + 1])
            if self.lost is not None or len(self._held) < at + _HEADER:
                break
            end = at + _HEADER + int.from_bytes(self._held[at : at + _HEADER])
            if len(self._held) < end:
                break
            frames.append(bytes(self._held[at + _HEADER : end]))
            at = end
        if self.lost is None:
            del self._held[:at]
        else:
            self._held.clear()
        return frames

    def lose(self) -> None:
        """Take note that bytes are missing: what comes next is not understood."""
        self.lost = self.lost or Unreadable.NO_FRAMES
        self._held.clear()


def _problem(start: bytes | bytearray) -> Unreadable | None:
    """Return why no frame begins with these bytes, three at most, as far as that can be said."""
    if len(start) < _HEADER:
        return None
    if start[0] in _TLS_RECORD and start[1] == _TLS_MAJOR:  # as a length it would be above the largest
        return Unreadable.ENCRYPTED
    fits = _LEAST <= int.from_bytes(start[:_HEADER]) <= LARGEST
    if not fits or (len(start) > _HEADER and start[_HEADER] != _TPDU):
        return Unreadable.NO_FRAMES
    return None
