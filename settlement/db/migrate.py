"""How do the tables come to be as this version needs them?"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from settlement.db.connection import migrating


def migrate(engine: Engine) -> None:
    """Run the missing migrations in one transaction, so that a power cut leaves the old tables."""
    config = _config()
    with migrating(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    # A percent sign in the path would be read as a reference.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
