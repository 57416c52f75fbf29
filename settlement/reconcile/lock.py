"""How is one night kept from another? By a lock that ends with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from settlement.db.place import Place, Sqlite

# Any number that nobody else takes a lock by.
_NIGHT_LOCK = 8_600_002
_UNDER_WAY = "another night is under way on these books. Wait until it has ended"


class NightUnderWay(Exception):
    """Another night is running on these books."""


@contextmanager
def only_night(engine: Engine, place: Place) -> Iterator[None]:
    """Hold the night's lock on the books at `place` until the block ends. Raises NightUnderWay."""
    if not isinstance(place, Sqlite):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock = {"lock": _NIGHT_LOCK}
            if not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), lock).scalar_one():
                raise NightUnderWay(_UNDER_WAY)
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), lock)
        return
    beside = os.open(f"{place}.night-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(beside, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise NightUnderWay(_UNDER_WAY) from None
    finally:
        os.close(beside)
