"""How is every agent kept from running, while a command works on links that are an agent's?"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pysqlite3.dbapi2 as sqlite

from terminal_agent.journal.connection import JournalDamaged, JournalDown, explained


@contextmanager
def held(journal: Path) -> Iterator[None]:
    """Hold the journal, where there is one, until the block ends: an agent holds its own as long as it runs.

    Nothing in it is changed. Raises JournalDown when somebody else holds it, JournalDamaged when it is none.
    """
    try:
        connection = _hold(journal) if journal.exists() else None
    except (sqlite.Error, OSError) as wrong:
        if isinstance(meant := explained(wrong), JournalDamaged):
            raise meant from wrong
        remedy = "Stop the agent or whatever else has it open, and be the agent's user"
        raise JournalDown(f"{journal} cannot be held: {wrong}. {remedy}") from wrong
    with nullcontext() if connection is None else closing(connection):
        yield


def _hold(journal: Path) -> sqlite.Connection:
    connection = sqlite.connect(str(journal), timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite.Error:
        connection.close()
        raise
    return connection
