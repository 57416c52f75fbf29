"""How does a batch take from registers, so that nothing is taken twice and nothing stays taken for nobody?

A register and the programme's books are two databases, and any of their commits may be the last before a
power cut. So a batch *tries*: it takes the register's turn, and its lines say in which turn they were asked
for. The register is committed first and the books last, with the number of that turn. Later the books decide:
lines of a turn that they know are taken, lines of another turn never were, and go.

Giving back goes the other way round. The books are committed first, with a row of `freed` for the record;
then the line goes from the register, then the row of `freed`. Until then others see it taken.
"""

import contextlib
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, and_, delete, select, update
from sqlalchemy.engine import RootTransaction
from sqlalchemy.exc import DBAPIError

from settlement.db import tables as books_tables
from settlement.db.connection import TAKE_TURN, connect_writer
from settlement.db.upsert import upsert
from settlement.registers.database import RegisterDown
from settlement.registers.shared import RegisterDatabase, Registers, divided, read_taken, written
from settlement.registers.tables import programme, taken
from settlement.writer import store
from settlement.writer.batch import Rows, Wanted

TRY_AGAIN_MS = 15_000


class _Open(msgspec.Struct):
    """A register in its turn. `freed` are the records whose lines it has let go."""

    database: RegisterDatabase
    connection: Connection
    transaction: RootTransaction
    turn: int
    freed: list[tuple[str, str]]
    undone: bool


class Tries:
    """The registers as one writer uses them, a batch at a time."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        # Whether a register may have to be told something: at the start nobody knows.
        self.owes = True
        self._open: list[_Open] = []
        self._connections: dict[str, Connection] = {}
        self._why_down = ""
        self._not_before_ms = 0

    def load(self, books: Connection, wanted: Iterable[Wanted], rows: Rows) -> None:
        """Load what is wanted, in the registers' turn when it lies there. Raises RegisterDown."""
        own, shared = divided(wanted, rows)
        store.load(books, own, rows)
        if not shared:
            return
        self.begin(books)
        for one in self._open:
            with self._asked(one.database):
                read_taken(one.connection, one.database, shared, rows)

    def begin(self, books: Connection) -> None:
        """Take every register's turn, and settle there what earlier batches have left. Raises RegisterDown.

        `books` is in its own turn: nobody else of this programme is between two commits.
        """
        if self._open:
            return
        if self._why_down and self.registers.clock_ms() < self._not_before_ms:
            raise RegisterDown(self._why_down, is_new=False)
        for database in self.registers.databases:
            with self._asked(database):
                self._begin(database, books)
        self._why_down = ""

    def commit(self, books: Connection, rows: Rows) -> bool:
        """Commit the registers with what the batch takes, and let the books say so. Raises RegisterDown.

        Returns whether the books have changed by it: they must be committed next, or nothing has happened.
        """
        says, changed = False, False
        for one in self._open:
            takes = [
                {
                    "kind": kind,
                    "programme": self.registers.programme,
                    "record_id": record_id,
                    "what": written(key),
                    "asking": one.turn,
                }
                for (kind, record_id), key in rows.takes.items()
                if kind in one.database.kinds
            ]
            with self._asked(one.database):
                if takes:
                    put = upsert(one.connection, taken).on_conflict_do_nothing()
                    one.connection.execute(put, takes)
            if takes:
                _let_count(books, one)
            for kind, record_id in one.freed:
                c = books_tables.freed.c
                books.execute(delete(books_tables.freed).where(c.kind == kind, c.record_id == record_id))
            says = says or bool(takes or one.freed)
            changed = changed or bool(takes or one.freed or one.undone)
        if not changed:
            # Asked, and there was nothing to tell; not asked, it is not known.
            self.owes = self.owes and not self._open
            self._end()
            return False
        for one in self._open:
            with self._asked(one.database):
                one.transaction.commit()
        self._open = []
        self.owes = False
        return says

    def rollback(self) -> None:
        """Forget the batch: what is committed of it in a register is settled next time."""
        self._end()
        self.owes = True

    def close(self) -> None:
        """Let go of the connections."""
        self._end()
        for connection in self._connections.values():
            # It is set up for look-ups by key: nobody else gets it.
            connection.invalidate()
            connection.close()
        self._connections = {}

    def _begin(self, database: RegisterDatabase, books: Connection) -> None:
        connection = self._connections.get(database.register_id)
        if connection is None:
            connection = connect_writer(database.engine())
            self._connections[database.register_id] = connection
        transaction = connection.begin()
        one = _Open(database, connection, transaction, 0, [], undone=False)
        self._open.append(one)
        database.check(connection)
        one.turn = int(connection.exec_driver_sql(TAKE_TURN).one().batch_no)
        m = books_tables.meta.c
        said = books.execute(select(m.value).where(m.name == turn_of(database.register_id))).scalar()
        counts = int(said or 0)
        if one.turn <= counts:
            raise RegisterDown(
                f"{database} is in turn {one.turn}, and these books have been in its turn {counts}: it is an "
                "older copy. Put the newest one back: nothing is taken from this one"
            )
        self._settle(one, counts)
        f = books_tables.freed.c
        free = books.execute(select(f.kind, f.record_id).where(f.kind.in_(database.kinds)))
        one.freed = [(str(kind), str(record_id)) for kind, record_id in free]
        c = taken.c
        for kind, record_id in one.freed:
            connection.execute(
                delete(taken).where(
                    c.kind == kind, c.programme == self.registers.programme, c.record_id == record_id
                )
            )

    def _settle(self, one: _Open, counts: int) -> None:
        """Let the lines that still ask be taken or go; `counts` is the turn that the books know."""
        name, c, p = self.registers.programme, taken.c, programme.c
        mine = and_(c.programme == name, c.asking != 0)
        settled = one.connection.execute(select(p.settled_turn).where(p.programme == name)).scalar()
        if settled is None:
            raise RegisterDown(f"{one.database} does not know programme {name}. Run `settlement init`")
        # Books that know less than they did are an older copy: shops hold promises that they have lost.
        if counts >= settled:
            gone = one.connection.execute(delete(taken).where(mine, c.asking != counts))
            one.undone = gone.rowcount > 0
        one.connection.execute(update(taken).where(mine).values(asking=0))
        if counts > settled:
            one.connection.execute(update(programme).where(p.programme == name).values(settled_turn=counts))

    def _asked(self, database: RegisterDatabase) -> contextlib.AbstractContextManager[None]:
        return _Asked(self, database)

    def is_down(self, database: RegisterDatabase, why: str) -> bool:
        """Note that a register cannot be asked now, and return whether that is new."""
        is_new = not self._why_down
        self._why_down = why
        self._not_before_ms = self.registers.clock_ms() + TRY_AGAIN_MS
        connection = self._connections.pop(database.register_id, None)
        self._open = [one for one in self._open if one.connection is not connection]
        if connection is not None:
            with contextlib.suppress(DBAPIError):
                connection.invalidate()
                connection.close()
        return is_new

    def _end(self) -> None:
        for one in self._open:
            # One of several may have been committed when another failed.
            if one.transaction.is_active:
                with contextlib.suppress(DBAPIError):
                    one.transaction.rollback()
        self._open = []


def _let_count(books: Connection, one: _Open) -> None:
    """Let the books say that the turn counts, if they are committed."""
    row = {"name": turn_of(one.database.register_id), "value": str(one.turn)}
    put = upsert(books, books_tables.meta).values(row)
    books.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": row["value"]}))


class _Asked(contextlib.AbstractContextManager[None]):
    """Whatever goes wrong with the database inside is RegisterDown, and noted."""

    def __init__(self, tries: Tries, database: RegisterDatabase) -> None:
        self._tries = tries
        self._database = database

    def __exit__(self, _kind: object, wrong: BaseException | None, _trace: object) -> None:
        if wrong is None:
            return
        try:
            with self._database.asked():
                raise wrong
        except RegisterDown as down:
            is_new = self._tries.is_down(self._database, str(down))
            raise RegisterDown(str(down), is_new) from wrong


def turn_of(register_id: str) -> str:
    """Return the name in the books' `meta` of the newest turn of a register that counts."""
    return f"register.turn.{register_id}"
