"""Of which version are a database's tables, and which one does this software work with?"""

from sqlalchemy import Connection, inspect, text

# The newest of `migrations/versions`. Written down, because to look there is to load all that migrates.
NEWEST = "0017"


def is_current(connection: Connection) -> bool:
    """Whether the database has the tables of this version."""
    return revision(connection) == NEWEST


def revision(connection: Connection) -> str:
    """Return the version of the database's tables; empty when there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none() or ""
