"""How do the tables come to be as this version needs them?"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from settlement.db.connection import writing


def migrate(engine: Engine) -> None:
    """Run the missing migrations in one transaction, so that a power cut leaves the old tables."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
