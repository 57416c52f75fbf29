"""Which files are in this zip, and is it one that can be taken?

Nothing is unpacked to disk, and nothing that says it is larger than may be is unpacked at all. Names come in
GBK or UTF-8; what could be a path is refused.
"""

import io
import re
import struct
import zipfile
import zlib

from settlement.reconcile.sources.text import AGAIN, MOST_BYTES, Place

_MOST_TIMES = 200
"""A file of rows shrinks to a tenth or so. What was made to burst shrinks to a thousandth."""
_MARKED_UTF8 = 0x800
_ENCRYPTED = 0x1
_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f/\\:]|^\.")
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)


def members_of(raw: bytes, count: int, place: Place) -> dict[str, bytes]:
    """Return the `count` files in a zip by their names. Raises FileError."""
    if len(raw) > MOST_BYTES:
        raise place.wrong(1, f"larger than {MOST_BYTES} bytes", "Ask for it in parts, each a source")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as opened:
            infos = opened.infolist()
            if len(infos) != count:
                raise place.wrong(1, f"{len(infos)} files in it, not {count}")
            names = [_name_of(info, place) for info in infos]
            if len(set(names)) != count:
                raise place.wrong(1, "two files of one name in it")
            for info in infos:
                _refuse_bursting(info, len(raw), place)
            return {name: _unpacked(opened, info) for name, info in zip(names, infos, strict=True)}
    except _BROKEN:
        raise place.wrong(1, "not a zip, or a broken one") from None


def _name_of(info: zipfile.ZipInfo, place: Place) -> str:
    # What is not marked was read as code page 437, byte by byte.
    name = info.orig_filename
    try:
        if not info.flag_bits & _MARKED_UTF8:
            name = name.encode("cp437").decode("gbk")
    except UnicodeError:
        raise place.wrong(1, "a file in it whose name is not GBK") from None
    if _NOT_IN_A_NAME.search(name):
        raise place.wrong(1, "a folder in it, or a name that could be a path", AGAIN)
    if info.flag_bits & _ENCRYPTED:
        raise place.wrong(1, "a file in it is locked by a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise place.wrong(1, "a file in it is packed in a way that is not read here")
    return name


def _unpacked(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with opened.open(info) as member:
        # Never a bare read(): that unpacks everything, whatever size was stated, and cuts it off after.
        content = member.read(info.file_size)
    if len(content) != info.file_size:
        raise EOFError
    return content


def _refuse_bursting(info: zipfile.ZipInfo, packed: int, place: Place) -> None:
    if info.file_size > min(MOST_BYTES, packed * _MOST_TIMES):
        raise place.wrong(1, f"a file in it unpacks to {info.file_size} bytes", "See who has sent it")
