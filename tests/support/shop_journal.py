"""What does a shop's journal say? Read from outside, from a copy, once its agent is dead or stopped."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite

Move = tuple[str, str, str]


class JournalSeen:
    """One state of a journal, as its rows stand."""

    def __init__(self, path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            # A copy: opening the agent's own file would fold its log into it.
            for part in (path, path.with_name(path.name + "-wal")):
                if part.exists():
                    shutil.copy(part, folder)
            database = sqlite.connect(Path(folder) / path.name)
            database.row_factory = sqlite.Row
            try:
                self.sales = _rows(database, "SELECT * FROM sale ORDER BY opened_ms, record_id")
                self.attempts = _rows(database, "SELECT * FROM attempt ORDER BY record_id, no")
                self.returns = _rows(database, "SELECT * FROM goods_return ORDER BY record_id, no")
                self.outbox = _rows(database, "SELECT * FROM outbox ORDER BY seq")
                self.moves: set[Move] = {
                    (row["what"], row["before"], row["after"])
                    for row in _rows(database, "SELECT DISTINCT what, before, after FROM move")
                }
            finally:
                database.close()

    def sale_of(self, serial_no: str) -> dict[str, Any] | None:
        """Return the newest sale of an item, or None."""
        found = [one for one in self.sales if one["serial_no"] == serial_no]
        return found[-1] if found else None

    def return_of(self, record_id: str) -> str:
        """Return how the last try to return a sale's goods stands, "-" when there was none."""
        found = [one["state"] for one in self.returns if one["record_id"] == record_id]
        return found[-1] if found else "-"

    def is_all_told(self, record_id: str) -> bool:
        """Return whether the centre has acknowledged everything about a sale."""
        return all(one["answer"] is not None for one in self.outbox if one["record_id"] == record_id)

    def attempts_of(self, record_id: str) -> list[dict[str, Any]]:
        """Return the attempts of a sale, oldest first."""
        return [one for one in self.attempts if one["record_id"] == record_id]


def _rows(database: sqlite.Connection, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in database.execute(query)]
