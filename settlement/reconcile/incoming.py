"""Which of a day's files have come?"""

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from settlement.reconcile.config import Source
from settlement.reconcile.lines import FileRead
from settlement.reconcile.sources.layouts import LAYOUTS, MAY_SAY_NONE, nothing_moved
from settlement.reconcile.sources.text import MOST_BYTES, Place
from subsidy.strict.yaml_text import FileError

NONE = ".none"
_MOST_NONE_BYTES = 1024


def read_files(folder: Path, sources: Sequence[Source], day: str) -> list[FileRead]:
    """Return the files of `day` that lie in `folder`, each read whole. Raises FileError.

    A file that has not come is left out. `<name>.none` beside a file's place is the operator's word that the
    channel has told that nothing moved: WeChat gives no bill for such a day.
    """
    if not (_is_there(folder) and folder.is_dir()):
        raise FileError(
            str(folder), 1, "", "there is no such folder", "Make it, or name another with --files"
        )
    found = []
    for source in sources:
        path = folder / source.file_name(day)
        marker = path.with_name(path.name + NONE)
        place = Place(source.name, day, str(path))
        if _is_there(marker):
            found.append(_none(marker, path, source, place))
        elif _is_there(path):
            found.append(LAYOUTS[source.layout](_bytes(path, MOST_BYTES), place))
    return found


class Lying(msgspec.Struct, frozen=True):
    """What lies in a file's place: its name, and its hash, empty when no night could take it.

    `is_none` is the word that nothing moved, in place of the file.
    """

    name: str
    sha256: str
    is_none: bool


def lying(folder: Path, source: Source, day: str) -> Lying | None:
    """Return what lies in the place of a source's file, or None. What has not changed is not read again."""
    path = folder / source.file_name(day)
    marker = path.with_name(path.name + NONE)
    here, said_none = os.path.exists(path), os.path.exists(marker)
    if here and said_none:
        return Lying(path.name, "", False)
    if said_none:
        return Lying(marker.name, _sha256(marker, _MOST_NONE_BYTES), True)
    return Lying(path.name, _sha256(path, MOST_BYTES), False) if here else None


def _sha256(path: Path, most: int) -> str:
    try:
        now = path.stat()
        if not path.is_file() or now.st_size > most:
            return ""
        return _sha256_as_of(path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=1024)
def _sha256_as_of(path: Path, *_as_of: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _none(marker: Path, path: Path, source: Source, place: Place) -> FileRead:
    if source.layout not in MAY_SAY_NONE:
        remedy = f"Remove it: a {source.layout} comes for every day, with its totals"
        raise FileError(str(marker), 1, "", "this source always gives a file", remedy)
    if _is_there(path):
        remedy = "Remove the one that is not true"
        raise FileError(str(marker), 1, "", f"it says that nothing moved, and {path.name} is here", remedy)
    return nothing_moved(source.layout, _bytes(marker, _MOST_NONE_BYTES), place)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as wrong:
        raise _unreadable(path, wrong) from None


def _bytes(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise FileError(str(path), 1, "", "not a file", "Put the file itself here")
        if path.stat().st_size > most:
            raise FileError(str(path), 1, "", f"larger than {most} bytes", "See whether it is the right file")
        return path.read_bytes()
    except OSError as wrong:
        raise _unreadable(path, wrong) from None


def _unreadable(path: Path, wrong: OSError) -> FileError:
    return FileError(str(path), 1, "", f"cannot be read ({wrong.strerror})", "Check its rights")
