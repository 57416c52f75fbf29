"""What has the journal written, change by change, in a file that only grows?

A frame is a transaction: the length, a hash chained over the one before, and the changed rows as compressed
JSON. It is on the disk before its transaction is committed, so that a database that is damaged, or has lost
what its log held, can be made again from here.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from terminal_agent import system

START = "0" * 64
_HEAD = struct.Struct(">2sI32s")
_MARK = b"JF"

GONE = msgspec.Raw(b"null")

Change = tuple[str, int, msgspec.Raw]
"""A table, a row's id, and the row as a JSON array that begins with the id, or GONE."""


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transaction, or a part of the copy of the journal that a file begins with.

    `total` is what all rows come to afterwards; None while the copy is not whole. The first frame says by
    which migrations the tables were made.
    """

    changes: tuple[Change, ...] = ()
    total: int | None = None
    migrations: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """How far a black box goes: its bytes, and the hash of its last frame in hexadecimal."""

    size: int
    head: str


class Stored(msgspec.Struct, frozen=True):
    """A frame as it stands in the file, and the place after it."""

    frame: Frame
    after: Place


def path_of(journal: Path, generation: int) -> Path:
    """Return the black box of a journal. A new generation begins with a copy of the whole journal."""
    return journal.with_name(f"{journal.stem}.{generation:04d}.box")


def generations_of(journal: Path) -> list[int]:
    """Return the generations whose files are there, the newest first."""
    found = [one.name.split(".")[-2] for one in journal.parent.glob(f"{journal.stem}.*.box")]
    return sorted((int(one) for one in found if one.isdecimal()), reverse=True)


def frames(content: bytes, start: Place) -> Iterator[Stored]:
    """Yield the frames in `content` that are whole and chained to `start`; stop at the first that is not."""
    at, head = 0, start.head
    while at + _HEAD.size <= len(content):
        mark, length, digest = _HEAD.unpack_from(content, at)
        body = content[at + _HEAD.size : at + _HEAD.size + length]
        if mark != _MARK or len(body) != length or digest != _digest(head, body):
            return
        at, head = at + _HEAD.size + length, digest.hex()
        yield Stored(msgspec.json.decode(zlib.decompress(body), type=Frame), Place(start.size + at, head))


class BlackBox:
    """The file, open for what comes next."""

    def __init__(self, path: Path, at: Place) -> None:
        """Open `path`, which is good as far as `at`."""
        self._file = system.GrowingFile(path)
        self.at = at

    @property
    def size(self) -> int:
        """How many bytes the file has; more than `at.size` when a transaction was cut off."""
        return self._file.size

    def rest(self) -> list[Stored]:
        """Return the frames after `at`."""
        return list(frames(self._file.read_from(self.at.size), self.at))

    def write(self, frame: Frame) -> Place:
        """Write a frame after `at`, which stays where it is until `keep`. Raises OSError."""
        body = _compressed(msgspec.json.encode(frame))
        digest = _digest(self.at.head, body)
        self._file.append(_HEAD.pack(_MARK, len(body), digest) + body)
        return Place(self._file.size, digest.hex())

    def sync(self) -> None:
        """Return once everything written is on the disk. Raises OSError."""
        self._file.sync()

    def keep(self, place: Place) -> None:
        """Say that the file is good as far as `place`."""
        self.at = place

    def take_back(self) -> None:
        """Cut off whatever stands after `at`. Raises OSError."""
        if self._file.size != self.at.size:
            self._file.cut(self.at.size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _compressed(content: bytes) -> bytes:
    # A frame has a kilobyte or two. The window that zlib takes by itself makes it no smaller, and costs ten
    # times as much: a quarter of a megabyte is asked of the system and given back each time.
    packing = zlib.compressobj(1, zlib.DEFLATED, 12, 5)
    return packing.compress(content) + packing.flush()


def _digest(before: str, body: bytes) -> bytes:
    return hashlib.sha256(bytes.fromhex(before) + body).digest()
