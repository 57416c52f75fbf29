"""Which code does a kind of harm try? A name for it, and what a process has read of what ships."""

import configparser
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_PARTS = ("subsidy", "terminal_agent", "settlement", "catalog_sync", "config")
_NOT_RUN = {".md", ".pyc", ".typed"}
_PINS = ("options", "options.extras_require")


def code(ships: Sequence[str]) -> str:
    """Return a name for these folders and files as they lie here, and for what setup.cfg pins."""
    seen = hashlib.sha256(_pins())
    for name in sorted(ships):
        place = ROOT / name
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        files = [one for one in found if one.is_file() and one.suffix not in _NOT_RUN]
        assert files, f"nothing ships as {name}"
        for file in files:
            content = file.read_bytes()
            seen.update(f"{file.relative_to(ROOT)} {len(content)}\n".encode() + content)
    return seen.hexdigest()[:10]


def _pins() -> bytes:
    setup = configparser.ConfigParser(interpolation=None)
    setup.read_string((ROOT / "setup.cfg").read_text())
    return repr([setup.items(one) for one in _PINS]).encode()


class Reading:
    """What this process reads of what ships from now on: modules as they are imported, and files."""

    def __init__(self) -> None:
        self._opened: set[str] = set()
        sys.addaudithook(self._hear)

    def outside(self, ships: Sequence[str]) -> list[str]:
        """Return what was read of what ships and lies in none of these folders and files."""
        read = {_source(Path(os.path.realpath(ROOT / one))) for one in self._opened}
        of_ours = {one.relative_to(ROOT) for one in read if one.is_relative_to(ROOT) and one.is_file()}
        return sorted(
            str(one)
            for one in of_ours
            if one.parts[0] in _PARTS and not any(one.is_relative_to(name) for name in ships)
        )

    def _hear(self, event: str, told: tuple[object, ...]) -> None:
        if event == "open" and isinstance(told[0], str):
            self._opened.add(told[0])


def _source(file: Path) -> Path:
    """Return the module that a compiled one was made from, any other file as it is."""
    if file.parent.name != "__pycache__":
        return file
    return file.parent.parent / f"{file.name.partition('.')[0]}.py"
