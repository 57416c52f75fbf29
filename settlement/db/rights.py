"""What may the service's own role do on PostgreSQL? What it does, and to history nothing but add to it.

The tables belong to whoever runs `settlement init`. The service runs as another role, which this lets in.
"""

import re

from sqlalchemy import Engine, Table, text

from settlement.db import tables
from settlement.db.connection import migrating

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
DELETED: tuple[Table, ...] = (tables.terminal, tables.user_session, tables.user_role, tables.meta)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


def is_role_name(name: str) -> bool:
    """Whether `name` can stand in a statement as it is."""
    return _NAME.fullmatch(name) is not None


def let_in(engine: Engine, role: str) -> None:
    """Give `role`, which exists, the rights of the service, and take every other right on our tables away."""
    assert is_role_name(role)
    with migrating(engine) as connection:
        connection.execute(text(f'GRANT USAGE ON SCHEMA public TO "{role}"'))
        connection.execute(text(f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"'))
        for table in tables.metadata.sorted_tables:
            rights = ["SELECT", "INSERT"]
            if table not in APPEND_ONLY:
                rights.append("UPDATE")
            if table in DELETED:
                rights.append("DELETE")
            connection.execute(text(f'GRANT {", ".join(rights)} ON "{table.name}" TO "{role}"'))
        connection.execute(text(f'GRANT SELECT ON alembic_version TO "{role}"'))
