"""How does a command know that no service works on these books? By a lock that ends with the service.

Services share it; who must be alone takes it whole.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from settlement.db.place import Place, Sqlite

# Any number that nobody else takes a lock by.
_SERVING_LOCK = 8_600_003


class BooksTaken(Exception):
    """A service works on the books, or a command that must be alone. The message says what to do."""


@contextmanager
def serving(engine: Engine, place: Place) -> Iterator[None]:
    """Let it be known until the block ends that a service works on the books. Raises BooksTaken."""
    with _lock(engine, place, "_shared", fcntl.LOCK_SH, "they are being moved. Wait until that has ended"):
        yield


@contextmanager
def alone(engine: Engine, place: Place) -> Iterator[None]:
    """Keep services away until the block ends. Raises BooksTaken."""
    with _lock(engine, place, "", fcntl.LOCK_EX, "a service works on them. Stop it first"):
        yield


@contextmanager
def _lock(engine: Engine, place: Place, how: str, flag: int, taken: str) -> Iterator[None]:
    wrong = BooksTaken(f"{place}: the books are in use: {taken}")
    if not isinstance(place, Sqlite):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock = {"lock": _SERVING_LOCK}
            take = text(f"SELECT pg_try_advisory_lock{how}(:lock)")
            if not connection.execute(take, lock).scalar_one():
                raise wrong
            try:
                yield
            finally:
                connection.execute(text(f"SELECT pg_advisory_unlock{how}(:lock)"), lock)
        return
    beside = os.open(f"{place}.serving-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(beside, flag | fcntl.LOCK_NB)
        except BlockingIOError:
            raise wrong from None
        yield
    finally:
        os.close(beside)
