"""How is an SQLite file opened on which no service works: one to look at, and one to throw away?"""

from pathlib import Path
from typing import Any

import pysqlite3.dbapi2
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool


def open_copy(file: Path) -> Engine:
    """Return an engine that only reads a finished copy, of which not a byte is changed."""
    return _engine(f"{file.absolute().as_uri()}?mode=ro&immutable=1", ())


def open_scratch(file: Path) -> Engine:
    """Return an engine on a new file that is thrown away: what a power cut leaves of it is of no use."""
    file.touch(mode=0o600)
    return _engine(
        f"{file.absolute().as_uri()}?mode=rw",
        ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-65536"),
    )


def _engine(uri: str, pragmas: tuple[str, ...]) -> Engine:
    def connect() -> Any:
        raw = pysqlite3.dbapi2.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        for one in pragmas:
            raw.execute(one)
        return raw

    engine = create_engine(
        "sqlite://", module=pysqlite3.dbapi2, poolclass=NullPool, hide_parameters=True, creator=connect
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
