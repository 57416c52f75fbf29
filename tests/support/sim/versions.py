"""Which version of its program does a host start? The shipped one, or a next one with a table more."""

from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from sim.threads import Here
from terminal_agent.journal import schema

_NEXT = Migrations(schema.migrations.name)
_NEXT._migrations = list(schema.migrations._migrations)


@_NEXT()
def table_of_the_next_version(db: Database) -> None:
    """Add what the shipped program does not have."""
    db.execute("CREATE TABLE next_version (one INTEGER PRIMARY KEY) STRICT")


class OfTheHost:
    """Stands for the journal's migrations: those of the version that the running process is of."""

    def __getattr__(self, name: str) -> Any:
        task = Here.scheduler.current
        is_next = task is not None and task.process.version > 0
        return getattr(_NEXT if is_next else schema.migrations, name)
