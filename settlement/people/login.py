"""Is this the person, by password and second factor?

Guessing is bounded: after each wrong try the next one waits longer, and the fifth shuts the name for a
quarter of an hour. A try is counted before it is looked at, so that many at once do not pass uncounted.
Whoever asks for a name that nobody has, or that is shut, hears the same, as late: nothing tells which
names there are. A code counts once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, select, update

from settlement.db import tables
from settlement.db.connection import writing
from settlement.keys import Keys
from settlement.people import audit, passwords, totp
from settlement.people.rules import HUMAN

# What the next try waits after the first, second ... wrong one; then it starts over.
WAITS_MS = (0, 1_000, 2_000, 4_000, 900_000)
LONGEST = 256


class LoginWrong(Exception):
    """Name, password or code is wrong, or nothing is looked at for a while. It does not say which."""

    def __init__(self) -> None:
        super().__init__(
            "the name, the password or the code is wrong, or there were too many wrong ones: "
            f"after {len(WAITS_MS)} nothing counts for {WAITS_MS[-1] // 60_000} minutes"
        )


class Door(msgspec.Struct, frozen=True):
    """What checking somebody needs. `one_at_a_time` bounds the memory that guessing takes."""

    engine: Engine
    keys: Keys
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    one_at_a_time: AbstractContextManager[Any]


def check(door: Door, name: str, password: str, code: str, then: Callable[[Connection, int], str]) -> str:
    """Do `then` in the transaction in which the code is used up, and return what it returns.

    Raises LoginWrong; what is wrong is audited when there is such a user.
    """
    fits_length = max(len(name), len(password), len(code)) <= LONGEST
    with door.one_at_a_time:
        taken = _take_try(door, name) if fits_length else None
        known, sealed = ("", b"") if taken is None else taken
        is_password = passwords.fits(known, password if fits_length else "")
        secret = totp.open_secret(door.keys.sealing_key(), name, sealed)
        step = totp.step_of(secret, code, door.now_ms())
        if taken is not None and is_password and step is not None:
            done = _use_up(door, name, step, then)
            if done is not None:
                return done
        if taken is not None:
            audit.note(door.engine, door.now_ms(), name, "login", "login", "", "denied")
        raise LoginWrong


def _take_try(door: Door, name: str) -> tuple[str, bytes] | None:
    """Count a try and return what the name is checked against; None when nothing is looked at."""
    table = tables.centre_user
    with writing(door.engine) as connection:
        row = connection.execute(select(table).where(table.c.name == name)).first()
        at_ms = door.now_ms()
        if row is None or row.kind != HUMAN or row.disabled_ms is not None or at_ms < row.not_before_ms:
            return None
        wait_ms = WAITS_MS[min(row.tries, len(WAITS_MS) - 1)]
        tries = (row.tries + 1) % len(WAITS_MS)
        connection.execute(
            update(table).where(table.c.name == name).values(tries=tries, not_before_ms=at_ms + wait_ms)
        )
        return row.password, row.totp


def _use_up(door: Door, name: str, step: int, then: Callable[[Connection, int], str]) -> str | None:
    table = tables.centre_user
    with writing(door.engine) as connection:
        used = connection.execute(
            update(table)
            .where(table.c.name == name, table.c.totp_step < step, table.c.disabled_ms.is_(None))
            .values(totp_step=step, tries=0, not_before_ms=0)
        )
        if used.rowcount != 1:
            return None
        at_ms = door.now_ms()
        audit.write(connection, at_ms, name, "login", "login", "", "done")
        return then(connection, at_ms)
