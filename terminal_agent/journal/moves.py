"""What does every part of the journal have from the whole: the transaction, the outbox, the keys?"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

import pysqlite3.dbapi2 as sqlite

from subsidy.policy.refusals import Refusal
from subsidy.wire import v1
from terminal_agent.checkout.ports import Clock, KeyMacs
from terminal_agent.checkout.sale import Sale


class Moves(ABC):
    """The common base of the parts that `SqliteJournal` is made of."""

    _clock: Clock

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[sqlite.Connection]:
        """Begin; commit at the end, or roll back on any exception."""

    @abstractmethod
    def _looking(self) -> AbstractContextManager[sqlite.Connection]:
        """Have the connection to read with."""

    @abstractmethod
    def _append(self, db: sqlite.Connection, entry: v1.Entry) -> None:
        """Write an entry at the head of the outbox's chain."""

    @abstractmethod
    def _by_key(self, db: sqlite.Connection, key: KeyMacs) -> Sale | None:
        """Return the sale that an idempotency key was for, None when it is new. Raises KeyReused."""

    @abstractmethod
    def _keep_key(self, db: sqlite.Connection, key: KeyMacs, record_id: str) -> None:
        """Store an idempotency key that is new."""

    @abstractmethod
    def _close(self, db: sqlite.Connection, sale: Sale, why: str, reasons: tuple[Refusal, ...] = ()) -> None:
        """Sale -> CLOSING with its `closed` entry."""
