"""How is one night kept from another? By a lock that ends with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NightUnderWay(Exception):
    """Another night is running on these books."""


@contextmanager
def only_night(database: Path) -> Iterator[None]:
    """Hold the lock beside `database` until the block ends. Raises NightUnderWay."""
    place = os.open(f"{database}.night-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise NightUnderWay("another night is under way on these books. Wait until it has ended") from None
    finally:
        os.close(place)
