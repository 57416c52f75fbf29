"""How does a file come to be there whole or not at all, whatever power cut there is?"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PIECE = 1 << 20


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a place beside `file` to write to; what is there at the end of the block becomes `file`.

    Readable by its user only. When the block fails nothing is left.
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    try:
        yield unfinished
        _to_disk(unfinished)
        unfinished.replace(file)
        _to_disk(file.parent)
    finally:
        for left in file.parent.glob(f"{unfinished.name}*"):
            left.unlink()


def copy(source: Path, target: Path) -> None:
    """Copy the bytes of a file over those of another."""
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(_PIECE):
            written.write(piece)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
