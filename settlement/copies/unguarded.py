"""How are rows copied that the database would refuse today?

Some of its refusals ask how things stand at the moment: who approves must be an enabled person. A copy
brings what was right when it happened, so nothing is asked of it again; whoever copies proves that both hold
the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from settlement.copies.books import ALL

_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"


@contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """Let the tables be filled without their triggers, which are there again at the end of the block.

    The transaction that `connection` is in keeps or loses both together.
    """
    if connection.dialect.name == "postgresql":
        for table in ALL:
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER')
        yield
        for table in ALL:
            connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')
        return
    triggers = connection.exec_driver_sql(_TRIGGERS).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, statement in triggers:
        connection.exec_driver_sql(statement)
