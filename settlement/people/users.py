"""Who is known here, with which roles?

A human has a password and a second factor; a service has tokens only, and never approves. Names are
written with a few plain characters, so that no two look alike.
"""

import re
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from settlement.db import tables
from settlement.keys import Keys
from settlement.people import passwords, totp
from settlement.people.roles import MAY, NEVER_A_SERVICE, Grant, Permission, Role, Scope, may_be_scoped

FIRST_SERVICE = "operator"
HUMAN, SERVICE = "human", "service"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_LONGEST_NAME = 32
_SCOPE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


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


def has_human(connection: Connection) -> bool:
    """Whether a human user was ever made."""
    query = select(func.count()).select_from(tables.centre_user).where(tables.centre_user.c.kind == HUMAN)
    return bool(connection.execute(query).scalar_one())


def problem_of_name(name: str) -> str | None:
    """Return why nobody can be called so, or None."""
    if len(name) > _LONGEST_NAME or _NAME.fullmatch(name) is None:
        return "a name is at most 32 of a-z, 0-9 and . _ - between them, and begins with a letter"
    return None


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
    sealed = totp.seal_secret(keys.sealing_key(), name, secret, random_bytes)
    _insert(connection, name, HUMAN, passwords.hash_of(password, random_bytes), sealed, by, at_ms)
    return secret


def add_service(connection: Connection, name: str, by: str, at_ms: int) -> None:
    """Make a service user. Raises UserRefused."""
    wrong = problem_of_name(name)
    if wrong is not None:
        raise UserRefused(wrong, is_usage=True)
    _insert(connection, name, SERVICE, "", b"", by, at_ms)


def set_password(
    connection: Connection, name: str, password: str, keys: Keys, random_bytes: Callable[[int], bytes]
) -> bytes:
    """Give a human a new password and second factor, and end the sessions. Raises UserRefused."""
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
    }
    connection.execute(update(tables.centre_user).where(tables.centre_user.c.name == name).values(values))
    end_sessions(connection, name)
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
    for grant in give:
        _refuse_grant(user, grant)
    table = tables.user_role
    for grant in take:
        if grant not in user.grants:
            raise UserRefused(f"{name} is not {grant}", is_usage=True)
        condition = [table.c[column] == value for column, value in _key_of(name, grant).items()]
        connection.execute(delete(table).where(*condition))
    for grant in give:
        if grant not in user.grants:
            connection.execute(
                insert(table).values(_key_of(name, grant) | {"granted_ms": at_ms, "granted_by": by})
            )
    _refuse_both_sides(connection, name)


def _refuse_grant(user: User, grant: Grant) -> None:
    if user.kind == SERVICE and MAY[grant.role] & NEVER_A_SERVICE:
        raise UserRefused(f"{user.name} is a service, and a service is never {grant.role}")
    if grant.scope_kind is not Scope.EVERYTHING:
        if not may_be_scoped(grant.role):
            raise UserRefused(f"{grant.role} cannot be limited to a {grant.scope_kind}", is_usage=True)
        if _SCOPE.fullmatch(grant.scope) is None:
            raise UserRefused(f"not a code of a {grant.scope_kind}", is_usage=True)


def _refuse_both_sides(connection: Connection, name: str) -> None:
    """Who gives roles neither proposes nor approves: one person could be both people otherwise."""
    held = frozenset[Permission]().union(*(MAY[one.role] for one in _grants(connection, name)))
    if Permission.MANAGE_PEOPLE in held and held & {Permission.PROPOSE, Permission.APPROVE}:
        raise UserRefused(f"{name} would give roles and use them too. Take administrator off, or do not give")


def _insert(
    connection: Connection, name: str, kind: str, password: str, sealed: bytes, by: str, at_ms: int
) -> None:
    if find(connection, name) is not None:
        raise UserRefused(f"there is a user {name} already; a name is never given twice")
    values = {
        "name": name,
        "kind": kind,
        "password": password,
        "totp": sealed,
        "totp_step": 0,
        "tries": 0,
        "not_before_ms": 0,
        "made_ms": at_ms,
        "made_by": by,
    }
    connection.execute(insert(tables.centre_user).values(values))


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
