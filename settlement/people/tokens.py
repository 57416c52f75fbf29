"""How does a program act for a user, and what is kept of its token?

A token belongs to one user and can do what that user can. Only its SHA-256 is kept. It counts until it
ends, is revoked, or its user is disabled.
"""

import base64
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, insert, select, update

from settlement.db import tables
from settlement.people.users import UserRefused, find
from subsidy.masking import scrub
from subsidy.seal import sha256_hex

BYTES = 32
_LONGEST_LABEL = 64


class Token(msgspec.Struct, frozen=True):
    """A token as it is listed: never the token itself."""

    name: str
    label: str
    made_ms: int
    made_by: str
    ends_ms: int | None
    revoked_ms: int | None


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """Return a token that nobody can guess."""
    return base64.urlsafe_b64encode(random_bytes(BYTES)).decode().rstrip("=")


def hash_of(token: str) -> str:
    """Return what is kept of a token. The lookup by it tells nothing of a near miss."""
    return sha256_hex(token.encode(errors="replace"))


def make(
    connection: Connection,
    name: str,
    label: str,
    random_bytes: Callable[[int], bytes],
    by: str,
    at_ms: int,
    ends_ms: int | None = None,
) -> str:
    """Keep a new token's hash and return the token, which nobody can read again. Raises UserRefused."""
    user = find(connection, name)
    if user is None or user.disabled_ms is not None:
        raise UserRefused(f"there is no user {name} who may do anything", is_usage=True)
    if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
        raise UserRefused(
            f"a token's label is one line of at most {_LONGEST_LABEL} characters", is_usage=True
        )
    if scrub(label) != label:
        raise UserRefused("a token's label has no number of a card, a person or a phone in it", is_usage=True)
    c = tables.user_token.c
    if connection.execute(select(c.label).where(c.name == name, c.label == label)).first() is not None:
        raise UserRefused(f"{name} has had a token {label}. Give this one another label")
    token = new_secret(random_bytes)
    connection.execute(
        insert(tables.user_token).values(
            token_hash=hash_of(token), name=name, label=label, made_ms=at_ms, made_by=by, ends_ms=ends_ms
        )
    )
    return token


def revoke(connection: Connection, name: str, label: str, at_ms: int) -> None:
    """Let a token count no more. Raises UserRefused."""
    table = tables.user_token
    found = connection.execute(
        select(table.c.revoked_ms).where(table.c.name == name, table.c.label == label)
    ).first()
    if found is None:
        raise UserRefused(f"{name} has no token {label}. `settlement token ls` lists them", is_usage=True)
    if found.revoked_ms is not None:
        raise UserRefused(f"{label} of {name} is revoked already")
    change = update(table).where(table.c.name == name, table.c.label == label).values(revoked_ms=at_ms)
    connection.execute(change)


def of(connection: Connection, name: str | None) -> list[Token]:
    """Return the tokens of a user, or of everybody."""
    c = tables.user_token.c
    query = select(c.name, c.label, c.made_ms, c.made_by, c.ends_ms, c.revoked_ms).order_by(c.name, c.label)
    if name is not None:
        query = query.where(c.name == name)
    return [Token(**row) for row in connection.execute(query).mappings()]
