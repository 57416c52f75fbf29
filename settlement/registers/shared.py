"""Which kinds of rows lie in registers, where, and how are they read?

A programme's own books have all the others. Reading takes no turn; taking and giving back is in `tries.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from settlement.db.connection import explain, reading
from settlement.db.place import DatabaseDown, Place
from settlement.registers.config import PERSON, SERIAL
from settlement.registers.database import RegisterDown, open_register, register_id
from settlement.registers.tables import taken
from settlement.system import steady_ms
from settlement.writer import store
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Quota, Row, Serial

KINDS: dict[str, type[Row]] = {PERSON: Quota, SERIAL: Serial}


class RegisterDatabase:
    """A database with one register or two. It is opened when it is first asked, and may be down."""

    def __init__(self, place: Place, kinds: Sequence[str], known_as: str) -> None:
        self.place = place
        self.kinds = tuple(kinds)
        self.register_id = known_as
        self._engine: Engine | None = None

    def __str__(self) -> str:
        return f"the register of {' and '.join(self.kinds)} at {self.place}"

    def engine(self) -> Engine:
        """Return the engine. Raises DatabaseDown."""
        if self._engine is None:
            self._engine = open_register(self.place)
        return self._engine

    def check(self, connection: Connection) -> None:
        """Raise RegisterDown unless it is the register that this programme has entered."""
        found = register_id(connection)
        if found != self.register_id:
            raise RegisterDown(
                f"{self} is another one, {found}; this programme has entered {self.register_id}. "
                "Put that one back: nothing is taken from this one"
            )

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Let whatever goes wrong with the database come as RegisterDown."""
        try:
            yield
        except RegisterDown:
            raise
        except DBAPIError as wrong:
            raise RegisterDown(f"{self}: {explain(wrong)}. See that it runs and lets us in") from wrong
        except DatabaseDown as wrong:
            raise RegisterDown(f"{self}: {wrong}") from wrong

    def close(self) -> None:
        """Let go of it."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


class Registers(msgspec.Struct, frozen=True):
    """The registers of a programme, in the order in which they are taken: every programme has the same."""

    programme: str
    databases: tuple[RegisterDatabase, ...]
    clock_ms: Callable[[], int] = steady_ms

    def kinds(self) -> frozenset[type[Row]]:
        """Return the kinds of rows that lie in registers."""
        return frozenset(KINDS[kind] for one in self.databases for kind in one.kinds)

    def load(self, books: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
        """Load what is wanted, to look at. Raises RegisterDown."""
        own, shared = divided(wanted, rows)
        store.load(books, own, rows)
        for database in self.databases if shared else ():
            with database.asked(), reading(database.engine()) as connection:
                database.check(connection)
                read_taken(connection, database, shared, rows)

    def check(self) -> None:
        """Raise RegisterDown unless every register can be asked."""
        for database in self.databases:
            with database.asked(), reading(database.engine()) as connection:
                database.check(connection)

    def close(self) -> None:
        """Let go of every database."""
        for database in self.databases:
            database.close()


def load(registers: Registers | None, books: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
    """Load what is wanted, to look at, wherever it lies. Raises RegisterDown."""
    (store.load if registers is None else registers.load)(books, wanted, rows)


def empty_rows(registers: Registers | None) -> Rows:
    """Return rows of which nothing is loaded."""
    return Rows() if registers is None else Rows(registers.kinds())


def divided(wanted: Iterable[Wanted], rows: Rows) -> tuple[list[Wanted], list[Any]]:
    """Return what the programme's own books have, and the keys in registers that are not loaded yet."""
    own: list[Wanted] = []
    shared: list[Any] = []
    for one in wanted:
        if type(one) is not tuple or one[0] not in rows.shared:
            own.append(one)
        elif not rows.has(one):
            shared.append(one)
    return own, shared


def written(key: tuple[Any, ...]) -> str:
    """Return a row's key as `what` of its line."""
    return msgspec.json.encode(key).decode()


def read_taken(connection: Connection, database: RegisterDatabase, wanted: Sequence[Any], rows: Rows) -> None:
    """Load the wanted rows that lie in `database`."""
    c = taken.c
    for kind in database.kinds:
        keys = {written(key): key for of, key in wanted if of is KINDS[kind]}
        if not keys:
            continue
        found = connection.execute(
            select(c.what, func.count(), func.max(c.record_id))
            .where(c.kind == kind, c.what.in_(keys))
            .group_by(c.what)
        )
        for what, count, record_id in found:
            key = keys[what]
            rows.loaded_row(Quota(*[*key, count]) if kind == PERSON else Serial(*[*key, record_id]))
        rows.loaded_none(KINDS[kind], keys.values())
