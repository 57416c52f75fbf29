"""Is a key's file its user's alone, as far as its permission bits can say?"""

import os
from pathlib import Path

from subsidy.strict.yaml_text import FileError


def bits_tell(system: str = os.name) -> bool:
    """Whether permission bits say who may read a file: on Windows ("nt") each writable file has them all."""
    return system != "nt"


def refuse_shared(path: Path, what: str, system: str = os.name) -> None:
    """Raise FileError when others may read `what` at `path`, OSError when it cannot be looked at."""
    if path.stat().st_mode & 0o077 and bits_tell(system):
        raise FileError(str(path), 1, "", f"others may read {what}", f"Run `chmod 600 {path}`")
