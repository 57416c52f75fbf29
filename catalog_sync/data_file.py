"""What values does this JSON file hold, taken at its word?"""

from pathlib import Path
from typing import TypeVar

import msgspec

from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict

T = TypeVar("T")

MOST_BYTES = 64 << 20


class DataFileError(Exception):
    """A data file says something we cannot take. `where` is a JSON path, such as $[2].sold_at."""

    def __init__(self, file: str, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}, {where}: {problem}. {remedy}")
        self.file = file
        self.where = where
        self.problem = problem
        self.remedy = remedy


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the file's bytes. Raises DataFileError when it cannot be read or is over the limit."""
    try:
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
    except OSError as wrong:
        raise DataFileError(str(path), "$", f"cannot be read ({wrong.strerror})", "Check the path") from None
    if len(raw) > most_bytes:
        raise DataFileError(str(path), "$", f"more than {most_bytes} bytes", "Split the file")
    return raw


def is_array(raw: bytes) -> bool:
    """Whether the JSON text is an array, to judge by its first character."""
    return raw.lstrip(b" \t\r\n")[:1] == b"["


def decode_one(raw: bytes, as_type: type[T], file: str) -> T:
    """Read one value. Raises DataFileError."""
    try:
        return json_bytes.decode(raw, as_type, MOST_BYTES)
    except NotStrict as wrong:
        raise _said_of(file, wrong) from None


def decode_array(raw: bytes, as_type: type[T], file: str) -> list[T]:
    """Read an array of values. Raises DataFileError, which names the member."""
    try:
        return json_bytes.decode(raw, list[as_type], MOST_BYTES)  # type: ignore[valid-type]
    except NotStrict as wrong:
        if wrong.where.startswith("$["):
            raise _said_of(file, wrong) from None
        # What is wrong with the JSON itself, a repeated key or a fraction, is found without its index.
        raise _wrong_member(raw, as_type, file) or _said_of(file, wrong) from None


def _wrong_member(raw: bytes, as_type: type[T], file: str) -> DataFileError | None:
    """Return what is wrong with the first member that cannot be taken, or None when none can be told."""
    try:
        members = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    for i, member in enumerate(members):
        try:
            json_bytes.decode(bytes(member), as_type, MOST_BYTES)
        except NotStrict as wrong:
            return DataFileError(file, f"$[{i}]{wrong.where[1:]}", wrong.problem, wrong.remedy)
    return None


def _said_of(file: str, wrong: NotStrict) -> DataFileError:
    return DataFileError(file, wrong.where, wrong.problem, wrong.remedy)
