"""What stands in this CSV file, taken at its word?

UTF-8 (a byte order mark is allowed), commas, the exact header, one line per row, nothing empty that
may not be. Every error names line and column; up to 20 are collected, so that a file is not corrected
one error at a time. No error ever shows what stands in a cell: a slipped column may hold an
identity number.
"""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from subsidy.codes import BadCode
from subsidy.strict.yaml_text import FileError

MOST_ERRORS = 20
MOST_BYTES = 1 << 30


class FileErrors(Exception):
    """A file that cannot be taken, with every error found. Nothing of it has been loaded."""

    def __init__(self, errors: list[FileError]) -> None:
        super().__init__("\n".join(str(one) for one in errors))
        self.errors = errors


class Cell(ValueError):
    """What is wrong with one cell, without its content."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class CsvRow(msgspec.Struct, frozen=True):
    """One row as read, with its line in the file."""

    line: int
    values: dict[str, Any]


class Errors:
    """The errors found so far in one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._found: list[FileError] = []

    def add(self, line: int, column: str, problem: str, remedy: str) -> None:
        """Note an error; at the twentieth, stop reading."""
        where = f"column {column}" if column else ""
        self._found.append(FileError(self._file, line, where, problem, remedy))
        if len(self._found) >= MOST_ERRORS:
            self.stop()

    def stop(self) -> NoReturn:
        """Raise what was found."""
        raise FileErrors(self._found)

    def stop_if_any(self) -> None:
        """Raise what was found, if anything was."""
        if self._found:
            self.stop()


def read_bytes(file: Path) -> bytes:
    """Return the file's bytes. Raises FileError."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise FileError(str(file), 1, "", f"larger than {MOST_BYTES} bytes", "Split the file")
        return file.read_bytes()
    except OSError as wrong:
        raise FileError(str(file), 1, "", f"cannot be read ({wrong.strerror})", "Check the path") from None


def read_rows(
    raw: bytes, errors: Errors, columns: Mapping[str, Callable[[str], Any]], key: tuple[str, ...]
) -> list[CsvRow]:
    """Return the rows of a CSV file whose header is exactly `columns`, each cell read by its reader.

    Rows with an error are noted in `errors` and left out; so is a second row with the same `key`.
    """
    found: list[CsvRow] = []
    first_line: dict[tuple[Any, ...], int] = {}
    for line, cells in _lines(raw, errors, tuple(columns)):
        values: dict[str, Any] = {}
        for (name, read), cell in zip(columns.items(), cells, strict=True):
            try:
                values[name] = read(cell)
            except Cell as wrong:
                errors.add(line, name, wrong.problem, wrong.remedy)
            except BadCode as wrong:
                errors.add(line, name, str(wrong), "Correct the number")
        if len(values) < len(columns):
            continue
        identity = tuple(values[name] for name in key)
        if identity in first_line:
            errors.add(line, ", ".join(key), f"repeats line {first_line[identity]}", "Keep one of them")
            continue
        first_line[identity] = line
        found.append(CsvRow(line, values))
    return found


def _lines(raw: bytes, errors: Errors, header: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        errors.add(raw.count(b"\n", 0, wrong.start) + 1, "", "not UTF-8", "Save the file as UTF-8")
        errors.stop()
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[tuple[int, list[str]]] = []
    line = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            errors.add(line + 1, "", "the quotes are wrong", "Close each quote; double those inside a cell")
            errors.stop()
        line += 1
        if reader.line_num != line:
            errors.add(line, "", "a line end inside a cell", "Write each row on one line")
            errors.stop()
        if line == 1:
            if tuple(cells) != header:
                errors.add(1, "", "the header is another", f"Write exactly: {','.join(header)}")
                errors.stop()
        elif not cells:
            errors.add(line, "", "an empty line", "Remove it")
        elif len(cells) != len(header):
            errors.add(line, "", f"{len(cells)} cells, not {len(header)}", "One cell for each column")
        else:
            found.append((line, cells))
    if line == 0:
        errors.add(1, "", "empty", f"Write the header: {','.join(header)}")
        errors.stop()
    return found


def text_cell(most: int) -> Callable[[str], str]:
    """Return a reader of text of 1 to `most` characters."""

    def read(cell: str) -> str:
        if not 1 <= len(cell) <= most or cell != cell.strip() or not cell.isprintable():
            raise Cell(
                f"not plain text of 1 to {most} characters", "Write it without spaces around it or line ends"
            )
        return cell

    return read
