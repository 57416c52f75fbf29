"""How does an event get the rows that it changes, when no command has asked for them?

By key, at the first look, from books in which all events before it are folded already. What is loaded is
remembered as the writer remembers it, so memory stays bounded. What lies in registers is nobody's to look at
here: it counts as free, and what is given back there is not noted.
"""

from typing import Any, TypeVar

from sqlalchemy import Connection

from settlement.writer import store
from settlement.writer.batch import BalancesOf, Rows
from settlement.writer.bulk import bulk_on
from settlement.writer.rows import Balance, Quota, Row, Serial, key_of

R = TypeVar("R", bound=Row)


class RowsOnDemand(Rows):
    """Rows that come from the database when they are looked at."""

    def __init__(self, connection: Connection, shared: frozenset[type[Row]] = frozenset()) -> None:
        super().__init__(shared)
        self._connection = connection
        self._bulk = bulk_on(connection)

    def get(self, kind: type[R], *key: Any) -> R | None:
        """Return a row, or None when there is none."""
        if not self.has((kind, key)):
            for row in self._bulk.get({kind: [key]}):
                self.loaded_row(row)
            self.loaded_none(kind, [key])
        return super().get(kind, *key)

    def free(self, kind: type[Quota] | type[Serial], record_id: str, after: Row | None = None) -> None:
        """Note nothing: the registers have been told, or what they are to be told is given."""
        assert kind in self.shared
        if after is not None:
            self._rows[kind][key_of(after)[1]] = after

    def balance(self, funder: str, account: str, year: int, pool: str) -> int:
        """Return a balance in fen."""
        if not self.has((Balance, (funder, account, year, pool))):
            store.load(self._connection, [BalancesOf(funder, year, pool)], self)
        return super().balance(funder, account, year, pool)
