"""Is a card number, track, PIN block or payment code of a test in anything that our programs have written?

Cards and tracks of tests are the few below, and every payment code that tests make holds the same eight
digits in its middle: so a look at all that a file's tests have left costs next to nothing. It looks for
them plain, and packed two digits to a byte. `scanner.py` looks in every other form, where a whole shop has
ended.
"""

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

IN_EVERY_CODE = "95173946"
_NUMBERS = {
    "a card number": ("6299998473651209384", "6216261000000000018", "6231580209417756038"),
    "a track": ("30125201000000000000",),
    "a payment code": (IN_EVERY_CODE,),
}
# What our own programs write: journals, black boxes, books, traces and logs, never the other side's files.
OURS = (".db", ".db-wal", ".box", ".sqlite3", ".sqlite3-wal", ".trace", ".log")
_MOST_BYTES = 256 << 20


def payment_code(first: str, length: int) -> str:
    """Return a payment code that nobody has shown before, of so many digits, `first` in front."""
    rest = length - len(first) - len(IN_EVERY_CODE)
    return f"{first}{IN_EVERY_CODE}{secrets.randbelow(10**rest):0{rest}d}"


def _needles() -> dict[bytes, str]:
    found = {}
    for name, texts in _NUMBERS.items():
        for text in texts:
            found[text.encode()] = name
            # Eight digits are four bytes, which come about by chance in a file of a few hundred megabytes.
            if len(text) > len(IN_EVERY_CODE):
                for odd in (0, 1):
                    digits = text[odd:]
                    found[bytes.fromhex(digits[: len(digits) // 2 * 2])] = f"{name}, packed"
    return found


NEEDLES = _needles()


def in_bytes(content: bytes) -> list[str]:
    """Return what of it stands in some bytes."""
    return [name for needle, name in NEEDLES.items() if needle in content]


def left_in(folders: Iterable[Path]) -> list[str]:
    """Return which of our files in some folders hold what."""
    return [
        f"{file}: {name}"
        for file in _ours(folders)
        if file.stat().st_size <= _MOST_BYTES
        for name in in_bytes(file.read_bytes())
    ]


def _ours(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.name.endswith(OURS) and file.is_file() and not file.is_symlink():
                yield file
