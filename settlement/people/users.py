"""Who is known here, with which roles?

A human has a password and a second factor; a service has tokens only, and never approves. Names are
written with a few plain characters, so that no two look alike.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from settlement.db import tables
from settlement.keys import Keys
from settlement.people import passwords, rules, totp
from settlement.people.roles import Grant, Role, Scope
from settlement.people.rules import HUMAN, SERVICE, Wrong, problem_of_name

FIRST_SERVICE = "operator"


class UserRefused(Exception):
    """A user cannot be made or changed so. `is_usage` says that the words were wrong, not the moment."""

    def __init__(self, problem: str, is_usage: bool = False) -> None:
        super().__init__(problem)
        self.is_usage = is_usage


class User(msgspec.Struct, frozen=True):
    """A user with the roles as they are now."""

    name: str
    kind: str
    grants: tuple[Grant, ...]
    made_ms: int
    made_by: str
    disabled_ms: int | None


def find(connection: Connection, name: str) -> User | None:
    """Return a user, or None."""
    row = connection.execute(select(tables.centre_user).where(tables.centre_user.c.name == name)).first()
    if row is None:
        return None
    return User(name, row.kind, _grants(connection, name), row.made_ms, row.made_by, row.disabled_ms)


def everybody(connection: Connection) -> list[User]:
    """Return every user, by name."""
    c = tables.centre_user.c
    names = connection.execute(select(c.name).order_by(c.name)).scalars()
    return [user for name in list(names) if (user := find(connection, name)) is not None]


def add_human(
    connection: Connection,
    name: str,
    password: str,
    keys: Keys,
    random_bytes: Callable[[int], bytes],
    by: str,
    at_ms: int,
) -> bytes:
    """Make a human user and return the second factor's secret, which is shown once. Raises UserRefused."""
    wrong = problem_of_name(name) or passwords.problem_of(password, name)
    if wrong is not None:
        raise UserRefused(wrong, is_usage=True)
    secret = random_bytes(totp.SECRET_BYTES)
    values = {
        "password": passwords.hash_of(password, random_bytes),
        "totp": totp.seal_secret(keys.sealing_key(), name, secret, random_bytes),
        "credentials_by": by,
        "credentials_ms": at_ms,
    }
    put_user(connection, name, HUMAN, by, at_ms, values)
    return secret


def add_service(connection: Connection, name: str, by: str, at_ms: int) -> None:
    """Make a service user. Raises UserRefused."""
    wrong = problem_of_name(name)
    if wrong is not None:
        raise UserRefused(wrong, is_usage=True)
    put_user(connection, name, SERVICE, by, at_ms)


def set_password(
    connection: Connection,
    name: str,
    password: str,
    keys: Keys,
    random_bytes: Callable[[int], bytes],
    by: str,
    at_ms: int,
) -> bytes:
    """Give a human a new password and second factor, and end sessions and tokens. Raises UserRefused.

    `by` is on whose word: the person's own name, the proposal that two administrators have agreed on, or the
    server's account. The database refuses what is none of these.
    """
    user = find(connection, name)
    if user is None or user.kind != HUMAN:
        raise UserRefused(f"there is no person {name}", is_usage=True)
    wrong = passwords.problem_of(password, name)
    if wrong is not None:
        raise UserRefused(wrong, is_usage=True)
    secret = random_bytes(totp.SECRET_BYTES)
    values = {
        "password": passwords.hash_of(password, random_bytes),
        "totp": totp.seal_secret(keys.sealing_key(), name, secret, random_bytes),
        "totp_step": 0,
        "tries": 0,
        "not_before_ms": 0,
        "credentials_by": by,
        "credentials_ms": at_ms,
    }
    connection.execute(update(tables.centre_user).where(tables.centre_user.c.name == name).values(values))
    end_sessions(connection, name)
    # Whoever knew the old ones may have made a token with them.
    kept = tables.user_token
    revoked = update(kept).where(kept.c.name == name, kept.c.revoked_ms.is_(None)).values(revoked_ms=at_ms)
    connection.execute(revoked)
    return secret


def disable(connection: Connection, name: str, by: str, at_ms: int) -> None:
    """Let a user do nothing from now on: sessions and tokens count no more. Raises UserRefused."""
    user = find(connection, name)
    if user is None:
        raise UserRefused(f"there is no user {name}. `settlement users ls` lists them", is_usage=True)
    if name == by:
        raise UserRefused("nobody disables themselves: another administrator does")
    if user.disabled_ms is not None:
        raise UserRefused(f"{name} is disabled already")
    put_disabled(connection, name, at_ms)


def put_disabled(connection: Connection, name: str, at_ms: int) -> None:
    """Note that a user may do nothing any more."""
    table = tables.centre_user
    connection.execute(update(table).where(table.c.name == name).values(disabled_ms=at_ms))
    end_sessions(connection, name)


def end_sessions(connection: Connection, name: str) -> None:
    """End every session of a user."""
    connection.execute(delete(tables.user_session).where(tables.user_session.c.name == name))


def change_roles(
    connection: Connection, name: str, give: Sequence[Grant], take: Sequence[Grant], by: str, at_ms: int
) -> None:
    """Give and take roles; they count from the next request on. Raises UserRefused."""
    user = find(connection, name)
    if user is None:
        raise UserRefused(f"there is no user {name}. `settlement users ls` lists them", is_usage=True)
    if name == by:
        raise UserRefused("nobody changes their own roles: another administrator does")
    _refuse(rules.wrong_with(name, user.kind, give))
    for grant in take:
        if grant not in user.grants:
            raise UserRefused(f"{name} is not {grant}", is_usage=True)
    _refuse(rules.wrong_together(name, {*user.grants, *give} - {*take}))
    put_roles(connection, name, give, take, by, at_ms)


def put_roles(
    connection: Connection, name: str, give: Sequence[Grant], take: Sequence[Grant], by: str, at_ms: int
) -> None:
    """Note roles that somebody has from now on, and those no more; what they have stays as it was given."""
    table = tables.user_role
    for grant in take:
        condition = [table.c[column] == value for column, value in _key_of(name, grant).items()]
        connection.execute(delete(table).where(*condition))
    have = _grants(connection, name)
    for grant in dict.fromkeys(give):
        if grant not in have:
            connection.execute(
                insert(table).values(_key_of(name, grant) | {"granted_ms": at_ms, "granted_by": by})
            )


def put_user(
    connection: Connection,
    name: str,
    kind: str,
    by: str,
    at_ms: int,
    credentials: dict[str, Any] | None = None,
) -> None:
    """Note a user, who cannot log in without `credentials`. Raises UserRefused."""
    if find(connection, name) is not None:
        raise UserRefused(f"there is a user {name} already; a name is never given twice")
    values = {
        "name": name,
        "kind": kind,
        "password": "",
        "totp": b"",
        "totp_step": 0,
        "tries": 0,
        "not_before_ms": 0,
        "made_ms": at_ms,
        "made_by": by,
    }
    connection.execute(insert(tables.centre_user).values(values | (credentials or {})))


def _refuse(wrong: Wrong | None) -> None:
    if wrong is not None:
        raise UserRefused(wrong.problem, wrong.is_usage)


def _grants(connection: Connection, name: str) -> tuple[Grant, ...]:
    c = tables.user_role.c
    query = select(c.role, c.scope_kind, c.scope).where(c.name == name)
    found = connection.execute(query.order_by(c.role, c.scope_kind, c.scope))
    # A role that this version does not know gives nothing.
    return tuple(
        Grant(Role(row.role), Scope(row.scope_kind), row.scope) for row in found if row.role in set(Role)
    )


def _key_of(name: str, grant: Grant) -> dict[str, str]:
    return {
        "name": name,
        "role": grant.role.value,
        "scope_kind": grant.scope_kind.value,
        "scope": grant.scope,
    }
