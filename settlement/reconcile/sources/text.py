"""Which lines of text are in these bytes, and how is refused what cannot be taken?

A file is taken whole or not at all: one encoding, one kind of line end, no control characters. No error shows
what stands in a cell: a slipped column may hold a card number.
"""

import re

import msgspec

from subsidy.money import MOST_FEN
from subsidy.strict.digits import read_count
from subsidy.strict.yaml_text import FileError

MOST_BYTES = 256 << 20
MOST_LINES = 1_000_000
AGAIN = "Fetch the file again; if it is the same there, ask its sender for a corrected one"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


class Place(msgspec.Struct, frozen=True):
    """A file that is being read: whose, of which day (2026-01-31), and what errors call it."""

    source: str
    day: str
    file: str

    def wrong(self, line: int, problem: str, remedy: str = AGAIN, column: str = "") -> FileError:
        """Return the error to raise about a line."""
        return FileError(self.file, line, f"column {column}" if column else "", problem, remedy)

    def fen(self, text: str, line: int, column: str, least: int = 0) -> int:
        """Read whole fen. Raises FileError."""
        try:
            found = read_count(text, MOST_FEN)
        except ValueError:
            found = -1
        if found < least:
            raise self.wrong(line, "not a whole number of fen", column=column)
        return found


def lines_of(raw: bytes, place: Place, encoding: str = "utf-8", *, tabs: bool = False) -> list[str]:
    """Return the lines of a file, without their ends. Raises FileError. `tabs` may stand in some files."""
    if len(raw) > MOST_BYTES:
        raise place.wrong(1, f"larger than {MOST_BYTES} bytes", "Ask for it in parts, each a source")
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise place.wrong(line, f"not {encoding.upper()}") from None
    if not text:
        raise place.wrong(1, "empty", "Fetch the file again; a day without payments has its totals too")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > MOST_LINES:
        raise place.wrong(
            MOST_LINES + 1, f"more than {MOST_LINES} lines", "Ask for it in parts, each a source"
        )
    if lines[0].endswith("\r") and all(one.endswith("\r") for one in lines[:-1]):
        lines = [one.removesuffix("\r") for one in lines]
    for number, one in enumerate(lines, 1):
        if _CONTROL.search(one.replace("\t", "") if tabs else one):
            raise place.wrong(number, "a control character or another line end")
    return lines


def refuse_another_day(place: Place, days: list[str]) -> None:
    """Raise FileError when there are rows and none of them is of the file's day."""
    if days and place.day not in days:
        raise place.wrong(
            2, f"no row is of {place.day}: it is the file of another day", "Put each file under its own day"
        )
