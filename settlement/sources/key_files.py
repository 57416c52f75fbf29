"""Where are the centre's keys kept, and how are they made?

A folder readable by the service's user only: `signing.key` (older ones as `signing-*.key`) and
`index.key`, each 32 random bytes in hex. The key of a person register is a file of its own, the same with
every programme that shares it.
"""

import os
from collections.abc import Callable
from pathlib import Path

from catalog_sync.private_file import refuse_shared
from settlement.keys import Keys
from subsidy.strict.yaml_text import FileError

_LENGTH = 32


def make_keys(folder: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Make the keys that are not there yet; one that exists is never replaced."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("signing.key", "index.key"):
        make_key(folder / name, random_bytes)


def make_key(path: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Make a key when there is none; one that exists is never replaced."""
    if not path.exists():
        _write(path, random_bytes(_LENGTH).hex() + "\n")


def read_keys(folder: Path, of_persons: Path | None = None) -> Keys:
    """Read the keys, `of_persons` when a person register is shared. Raises FileError."""
    older = sorted(folder.glob("signing-*.key"))
    signing = [read_key(path) for path in (folder / "signing.key", *older)]
    person_secret = None if of_persons is None else read_key(of_persons)
    return Keys(signing, read_key(folder / "index.key"), person_secret)


def _write(path: Path, text: str) -> None:
    """Put a whole file in place: after a power cut there is all of it, or none."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    with unfinished.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_key(path: Path) -> bytes:
    """Read one key. Raises FileError."""
    try:
        refuse_shared(path, "this key")
        raw = bytes.fromhex(path.read_text().strip())
    except OSError as wrong:
        raise FileError(
            str(path),
            1,
            "",
            f"cannot be read ({wrong.strerror})",
            "Run `settlement init`, or restore the keys",
        ) from None
    except ValueError:
        raw = b""
    if len(raw) != _LENGTH:
        raise FileError(str(path), 1, "", "not 32 bytes in hex", "Restore the key from its backup")
    return raw
