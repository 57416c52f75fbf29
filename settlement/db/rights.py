"""What may the service's own role do on PostgreSQL? What it does, and to history nothing but add to it.

The tables belong to whoever runs `settlement init`. The service runs as another role, which this lets in.
"""

import re

from sqlalchemy import Connection, Engine, Table, text

from settlement.db import tables
from settlement.db.connection import migrating, reading
from settlement.db.place import DatabaseDown

# What only grows: no UPDATE, no DELETE.
APPEND_ONLY: tuple[Table, ...] = (
    tables.event,
    tables.posting,
    tables.entry_row,
    tables.claim,
    tables.claim_payment,
    tables.closed_year,
    tables.channel_file,
    tables.channel_line,
    tables.night_report,
    tables.audit_entry,
)
# What is taken away when it is over.
DELETED: tuple[Table, ...] = (
    tables.terminal,
    tables.freed,
    tables.user_session,
    tables.user_role,
    tables.meta,
)
_MISSING = text(
    "WITH needed (name, wanted) AS ("
    "SELECT * FROM unnest(CAST(:names AS text[]), CAST(:rights AS text[])) UNION ALL "
    "SELECT relname, 'SELECT' FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
    ") SELECT wanted || ' on ' || name FROM needed "
    "WHERE NOT has_table_privilege(coalesce(CAST(:role AS name), current_user), name, wanted)"
)
_ROLE = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


def is_role_name(name: str) -> bool:
    """Whether `name` can stand in a statement as it is."""
    return _NAME.fullmatch(name) is not None


def of_service(table: Table) -> tuple[str, ...]:
    """Return the rights that the service needs on a table."""
    return (
        "SELECT",
        "INSERT",
        *(() if table in APPEND_ONLY else ("UPDATE",)),
        *(("DELETE",) if table in DELETED else ()),
    )


def is_there(engine: Engine, role: str) -> bool:
    """Whether the server has a role of this name."""
    with reading(engine) as connection:
        return connection.execute(_ROLE, {"role": role}).first() is not None


def let_in(engine: Engine, role: str) -> None:
    """Give `role`, which exists, the rights of the service, and take every other right on our tables away.

    Raises DatabaseDown when whoever is connected may not give them.
    """
    assert is_role_name(role)
    with migrating(engine) as connection:
        connection.execute(text(f'GRANT USAGE ON SCHEMA public TO "{role}"'))
        connection.execute(text(f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"'))
        for table in tables.metadata.sorted_tables:
            connection.execute(text(f'GRANT {", ".join(of_service(table))} ON "{table.name}" TO "{role}"'))
        connection.execute(text(f'GRANT SELECT ON alembic_version TO "{role}"'))
        # Only to be read: pg_dump saves where each one stands.
        connection.execute(text(f'REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "{role}"'))
        connection.execute(text(f'GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"'))
        # The server only warns of a right that was not another's to give.
        if missing(connection, role):
            raise DatabaseDown(f"only who owns the tables lets {role} in. Run this as the owner")


def missing(connection: Connection, role: str | None = None) -> list[str]:
    """Return which of the service's rights `role` lacks, else who is connected: `DELETE on freed`."""
    if connection.dialect.name != "postgresql":
        return []
    needed = [(table.name, right) for table in tables.metadata.sorted_tables for right in of_service(table)]
    names, rights = map(list, zip(*needed, strict=True))
    return list(connection.execute(_MISSING, {"names": names, "rights": rights, "role": role}).scalars())
