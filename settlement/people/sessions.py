"""How long does a login last, and who is behind a request's token?

A session is made anew at each login, whatever the caller sent before. It ends at a logout, after half an
hour without a request, after twelve hours, and with its user. Who somebody is and may do is read again at
each request: nothing is remembered.
"""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, update

from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.people import tokens, users
from settlement.people.roles import Grant
from settlement.people.rules import HUMAN

IDLE_MS = 30 * 60_000
LASTS_MS = 12 * 3_600_000
# Noted once a minute: a read should not write each time.
_NOTED_EVERY_MS = 60_000


class Actor(msgspec.Struct, frozen=True):
    """Who acts. `via` is session, token or os."""

    name: str
    via: str
    grants: tuple[Grant, ...]
    is_human: bool


def begin(connection: Connection, name: str, random_bytes: Callable[[int], bytes], at_ms: int) -> str:
    """Begin a session and return its token; those of before that are over are forgotten."""
    table = tables.user_session
    connection.execute(delete(table).where((table.c.ends_ms <= at_ms) | (table.c.seen_ms <= at_ms - IDLE_MS)))
    token = tokens.new_secret(random_bytes)
    values = {
        "token_hash": tokens.hash_of(token),
        "name": name,
        "made_ms": at_ms,
        "seen_ms": at_ms,
        "ends_ms": at_ms + LASTS_MS,
    }
    connection.execute(insert(table).values(values))
    return token


def end(engine: Engine, token: str) -> None:
    """End a session."""
    table = tables.user_session
    with writing(engine) as connection:
        connection.execute(delete(table).where(table.c.token_hash == tokens.hash_of(token)))


def who_is(engine: Engine, token: str, at_ms: int) -> Actor | None:
    """Return who is behind a session's or a program's token, or None when it does not count now."""
    asked = tokens.hash_of(token)
    session, kept = tables.user_session.c, tables.user_token.c
    with reading(engine) as connection:
        found = connection.execute(
            select(session.name, session.seen_ms).where(
                session.token_hash == asked,
                session.ends_ms > at_ms,
                session.seen_ms > at_ms - IDLE_MS,
            )
        ).first()
        via = "session"
        if found is None:
            via = "token"
            of_program = connection.execute(
                select(kept.name).where(
                    kept.token_hash == asked,
                    kept.revoked_ms.is_(None),
                    kept.ends_ms.is_(None) | (kept.ends_ms > at_ms),
                )
            ).first()
            name = None if of_program is None else of_program.name
        else:
            name = found.name
        user = None if name is None else users.find(connection, name)
    if user is None or user.disabled_ms is not None:
        return None
    if found is not None and at_ms - found.seen_ms > _NOTED_EVERY_MS:
        _note_seen(engine, asked, at_ms)
    return Actor(user.name, via, user.grants, user.kind == HUMAN)


def _note_seen(engine: Engine, token_hash: str, at_ms: int) -> None:
    table = tables.user_session
    with writing(engine) as connection:
        change = update(table).where(table.c.token_hash == token_hash).values(seen_ms=at_ms)
        connection.execute(change)
