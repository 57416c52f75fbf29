"""How does a test get the tables of a new SQLite file at once?

Every migration has its turn in the first one; what came of that is copied into the others. A process of its
own, PostgreSQL and the tests of migrations go through all of them each time.
"""

import functools
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from settlement.db.connection import engine_on
from settlement.db.migrate import migrate as migrate_one_by_one
from settlement.db.place import Sqlite


def migrate(engine: Engine) -> None:
    """Run the missing migrations."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            if raw.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                with _made()[0].connect() as made:
                    made.connection.driver_connection.backup(raw)  # type: ignore[union-attr]
                return
    migrate_one_by_one(engine)


@functools.cache
def _made() -> tuple[Engine, tempfile.TemporaryDirectory[str]]:
    """Return an engine on such a file, and its folder, which goes when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="ready-tables-", ignore_cleanup_errors=True)
    engine = engine_on(Sqlite(Path(folder.name) / "centre.sqlite3"))
    migrate_one_by_one(engine)
    return engine, folder
