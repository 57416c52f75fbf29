"""Which registers does a programme share, as its configuration says?

    registers:
      person: {scope: "CN-2026", database: ../var/register.sqlite3, key: ../var/person.key}
      serial: {scope: "CN", database: ../var/register.sqlite3}

What is left out lies in the programme's own database, and is unique within the programme.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from settlement.db.place import Place, read_place
from subsidy.strict.yaml_text import FileError, Node

PERSON, SERIAL = "person", "serial"


class RegisterPlace(msgspec.Struct, frozen=True):
    """A register as the file names it: `key` is the file of the person register's key."""

    kind: str
    scope: str
    database: Place
    key: Path | None
    file: str
    line: int

    def wrong(self, problem: str, remedy: str) -> FileError:
        """Return the error to raise about it."""
        return FileError(self.file, self.line, f"registers.{self.kind}", problem, remedy)


class RegisterSettings(msgspec.Struct, frozen=True):
    """The registers that are shared, none or more, at most one of each kind."""

    places: tuple[RegisterPlace, ...] = ()

    def __iter__(self) -> Iterator[RegisterPlace]:
        return iter(self.places)

    def of(self, kind: str) -> RegisterPlace | None:
        """Return the one of a kind, or None when the programme is its own."""
        return next((one for one in self.places if one.kind == kind), None)

    def __str__(self) -> str:
        return ", ".join(f"{one.kind} {one.scope} in {one.database}" for one in self.places)


def read_registers(node: Node, file: str, folder: Path) -> RegisterSettings:
    """Return what `registers:` says. Raises FileError.

    Args:
        node: the value of the key.
        file: the name that errors show.
        folder: what relative paths are relative to.
    """
    found = []
    for kind, one in node.mapping(optional=(PERSON, SERIAL)).items():
        keys = ("scope", "database", "key") if kind == PERSON else ("scope", "database")
        entries = one.mapping(required=keys)
        scope, database = entries["scope"].text(), entries["database"].text()
        if scope != scope.strip() or not scope.isprintable():
            raise entries["scope"].wrong("a space or control character around it", "Write the name alone")
        try:
            place = read_place(database, folder)
        except ValueError as wrong:
            raise entries["database"].wrong(str(wrong), "Name a file or a postgresql:// URL") from None
        key = folder / entries["key"].text() if kind == PERSON else None
        found.append(RegisterPlace(kind, scope, place, key, file, one.line))
    return RegisterSettings(tuple(found))
