"""How is a row put whether or not it is there? Both databases can; SQLAlchemy names it once for each."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(connection: Connection, table: Table) -> Any:
    """Return an insert into `table` that takes `on_conflict_do_update` and `on_conflict_do_nothing`."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
