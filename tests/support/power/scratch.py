"""Where do files lie that are made to be broken? In memory: no trial waits for a disk."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fast_folder(prefix: str) -> Path:
    """Return a new folder, in memory where there is one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if memory.is_dir() else None))


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend such a folder."""
    folder = fast_folder("cut-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
