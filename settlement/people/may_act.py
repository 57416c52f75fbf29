"""Who may act here now, and by which tokens?

After a restore this is as it was when the backup was made: whoever was disabled since is not, a token that
was revoked since counts again, and passwords, second factors and roles are those of then. Only the lost books
knew better, so people have to look at everybody who is named here.
"""

import msgspec
from sqlalchemy import Connection

from settlement.people import tokens, users


class Person(msgspec.Struct, frozen=True):
    """A user who is not disabled, a service too, with the roles as they are written."""

    name: str
    kind: str
    roles: tuple[str, ...]


class Standing(msgspec.Struct, frozen=True):
    """A token that counts. `ends_ms` is None where it counts for good."""

    name: str
    label: str
    ends_ms: int | None


class MayAct(msgspec.Struct, frozen=True):
    """Everybody who may act, by name, and the tokens that count, by whose they are and label."""

    people: tuple[Person, ...]
    tokens: tuple[Standing, ...]


def may_act(connection: Connection, at_ms: int) -> MayAct:
    """Return who may act at an instant, and by which tokens."""
    people = [one for one in users.everybody(connection) if one.disabled_ms is None]
    names = {one.name for one in people}
    return MayAct(
        tuple(Person(one.name, one.kind, tuple(map(str, one.grants))) for one in people),
        tuple(
            Standing(one.name, one.label, one.ends_ms)
            for one in tokens.of(connection, None)
            if one.name in names and one.revoked_ms is None and (one.ends_ms is None or one.ends_ms > at_ms)
        ),
    )
