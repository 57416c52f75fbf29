"""How does what two administrators have agreed on happen? In the transaction of its event."""

from sqlalchemy import Connection

from settlement.people import users
from settlement.people.agreed import PeopleChanged, RolesChanged, UserAdded, UserDisabled, grants_of
from settlement.people.rules import HUMAN, SERVICE


def carry_out(connection: Connection, event: PeopleChanged) -> None:
    """Change who is known. The event was decided on the same rows, so nothing stands against it."""
    match event:
        case UserAdded():
            kind = SERVICE if event.is_service else HUMAN
            users.put_user(connection, event.name, kind, event.by, event.at_ms)
            users.put_roles(connection, event.name, grants_of(event.roles), [], event.by, event.at_ms)
        case RolesChanged():
            give, take = grants_of(event.give), grants_of(event.take)
            users.put_roles(connection, event.name, give, take, event.by, event.at_ms)
        case UserDisabled():
            users.put_disabled(connection, event.name, event.at_ms)
