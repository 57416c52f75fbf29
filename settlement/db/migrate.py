"""How do the tables come to be as this version needs them?"""

import functools
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from settlement.db.connection import migrating


def migrate(engine: Engine) -> None:
    """Run the missing migrations in one transaction, so that a power cut leaves the old tables."""
    config = _config()
    with migrating(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Whether the database has the tables of this version."""
    return revision(connection) == newest()


def revision(connection: Connection) -> str:
    """Return the version of the database's tables; empty when there are none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


@functools.cache
def newest() -> str:
    """Return the version of the tables that this software works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be read as a reference.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
