"""Are there two administrators who can agree, and what may one do while there are not?

A new centre has one person, whom the server's account adds. That one adds the others alone as long as there
is no second administrator, and is told so each time. After that, whatever is about people takes two; while
there are not two besides the one it is about, the server's account adds, rescues and disables administrators,
and nobody else.
"""

from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.people.roles import Role, Scope
from settlement.people.rules import HUMAN

_user, _role = tables.centre_user.c, tables.user_role.c


def administrators(connection: Connection) -> list[str]:
    """Return who gives roles now, by name: who was added and never came in does not."""
    query = (
        select(_user.name)
        .join_from(tables.centre_user, tables.user_role, _user.name == _role.name)
        .where(
            _user.kind == HUMAN,
            _user.disabled_ms.is_(None),
            _user.password != "",
            _role.role == Role.ADMINISTRATOR.value,
            _role.scope_kind == Scope.EVERYTHING.value,
        )
    )
    return list(connection.execute(query.order_by(_user.name)).scalars())


def two_can_agree(connection: Connection, about: str) -> bool:
    """Whether there are two administrators besides `about`."""
    return len([one for one in administrators(connection) if one != about]) >= 2


def is_alone(connection: Connection) -> bool:
    """Whether there is one administrator, who decides about people alone."""
    return len(administrators(connection)) == 1
