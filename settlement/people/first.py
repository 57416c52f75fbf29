"""How does a new centre come to its first token?

It belongs to a service user, `operator`, with the role of operations: it reads and proposes, and cannot
approve, since a service never does.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from settlement.people import tokens, users
from settlement.people.credentials import name_of_account
from settlement.people.roles import Grant, Role
from settlement.people.users import FIRST_SERVICE


def first_token(
    connection: Connection, random_bytes: Callable[[int], bytes], at_ms: int, again: bool
) -> str | None:
    """Return the first service user's token; None when it has one and `again` does not ask for another."""
    by = name_of_account()
    if users.find(connection, FIRST_SERVICE) is None:
        users.add_service(connection, FIRST_SERVICE, by, at_ms)
        users.change_roles(connection, FIRST_SERVICE, [Grant(Role.OPERATIONS)], [], by, at_ms)
    made = len(tokens.of(connection, FIRST_SERVICE))
    if made and not again:
        return None
    return tokens.make(connection, FIRST_SERVICE, f"init-{made + 1}", random_bytes, by, at_ms)
