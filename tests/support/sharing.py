"""Programmes that share registers: each with books, a pool and people of its own, one register for all.

    with Sharing(tmp_path, on="sqlite") as sharing:
        one, other = sharing.programme("TRAINING-A"), sharing.programme("TRAINING-B")

The people have the same identity numbers everywhere, under other codes' MACs, as in two cities.
"""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import postgres
import reference_data as reference
from books import POSTGRES, USUAL, Books
from sqlalchemy import delete, make_url, text

from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Place, Postgres, Sqlite
from settlement.db.tables import meta, qualification
from settlement.registers.config import PERSON, SERIAL, RegisterPlace, RegisterSettings
from settlement.registers.database import make_register, open_register
from settlement.registers.enter import enter, entered
from settlement.registers.shared import Registers
from settlement.sources.key_files import read_keys
from settlement.sources.qualifications import read_qualifications
from settlement.sources.take_in import take_in
from settlement.system import random_bytes
from settlement.writer.writer import Writer
from subsidy import calendar

SCOPE = "CN-2026"


class SteadyClock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.at_ms = 0

    def __call__(self) -> int:
        return self.at_ms


class SharingBooks(Books):
    """The books of a programme that shares registers."""

    registers: Registers

    def enter(self, name: str, settings: RegisterSettings) -> None:
        """Become programme `name`, with nothing granted yet, and enter the registers."""
        self.wake_ms = SteadyClock()
        with writing(self.owner) as connection:
            connection.execute(meta.update().where(meta.c.name == "programme").values(value=name))
            connection.execute(delete(qualification))
        self.pack = msgspec.structs.replace(self.pack, programme=name)
        changes = {"programme": name, "registers": settings}
        self.centre = msgspec.structs.replace(
            self.centre, settings=self.centre.settings.model_copy(update=changes), pack=self.pack
        )
        enter(self.engine, settings, name, self.clock.now_ms(), random_bytes)
        person = settings.of(PERSON)
        with reading(self.engine) as connection:
            found = entered(connection, settings, name)
        assert found is not None
        self.registers = msgspec.structs.replace(found, clock_ms=self.wake_ms)
        keys = read_keys(self.centre.settings.keys, None if person is None else person.key)
        self.centre = msgspec.structs.replace(self.centre, keys=keys, registers=self.registers)
        self.failures: list[BaseException] = []
        self.writer = self.new_writer()
        raw = reference.qualifications().encode()
        categories = {name for rules in self.pack.rule_sets for name in rules.categories}
        today = calendar.business_day(calendar.from_ms(self.clock.now_ms()))
        take_in(self.engine, read_qualifications(raw, "q.csv", keys, categories, today))

    def new_writer(self) -> Writer:
        """Return a writer as a new process would have it."""
        return Writer(
            self.engine, self.setting, self.clock.now_ms, self.failures.append, registers=self.registers
        )

    def start_and_stop(self) -> None:
        """Let the service start, settle what was left, and stop."""
        writer = self.new_writer()
        writer.start()
        writer.stop()

    def close(self) -> None:
        """Let go of the registers too."""
        self.registers.close()
        super().close()


class Sharing:
    """A folder with one register of persons and serial numbers, and programmes that share it."""

    def __init__(self, folder: Path, on: str = USUAL, apart: bool = False) -> None:
        self.folder = folder
        self.on = on
        self._made: list[str] = []
        first = self.new_place("register")
        second = self.new_place("serials") if apart else first
        self.settings = RegisterSettings(
            (
                RegisterPlace(PERSON, SCOPE, first, folder / "person.key", "settlement.yaml", 9),
                RegisterPlace(SERIAL, SCOPE, second, None, "settlement.yaml", 10),
            )
        )
        for place in self.settings:
            make_register(place, random_bytes)
        self.open = contextlib.ExitStack()

    def __enter__(self) -> "Sharing":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open.close()
        for name in self._made:
            postgres.shared().drop(name)

    def new_place(self, name: str) -> Place:
        """Return where a new database may be."""
        if self.on != POSTGRES:
            return Sqlite(self.folder / f"{name}.sqlite3")
        made = postgres.shared().make(owner=postgres.SERVICE)
        self._made.append(made)
        return Postgres(postgres.shared().url(made, postgres.SERVICE))

    def programme(self, name: str, settings: RegisterSettings | None = None) -> SharingBooks:
        """Return the books of a new programme."""
        books = SharingBooks(self.folder / name, on=self.on)
        self.open.callback(books.close)
        books.registers = Registers(name, ())
        books.enter(name, self.settings if settings is None else settings)
        return books

    def away(self, place: Place) -> contextlib.AbstractContextManager[None]:
        """Let a register be down for as long as the block lasts."""
        return _away(place)

    def taken(self, programme: str | None = None) -> list[tuple[str, str, str]]:
        """Return kind, programme and record of every line, in order."""
        found = []
        for place in {str(one.database): one.database for one in self.settings}.values():
            engine = open_register(place)
            with reading(engine) as connection:
                lines = connection.execute(text("SELECT kind, programme, record_id FROM taken"))
                found += [tuple(line) for line in lines]
            engine.dispose()
        return sorted(line for line in found if programme in (None, line[1]))

    def sql(self, place: Place, statement: str) -> None:
        """Run a statement behind a register's back."""
        engine = open_register(place)
        with writing(engine) as connection:
            connection.execute(text(statement))
        engine.dispose()


def waiting(books: Books) -> list[tuple[Any, ...]]:
    """Return what registers are still to be told."""
    return sorted(books.sql_rows("SELECT kind, record_id FROM freed"))


@contextlib.contextmanager
def _away(place: Place) -> Any:
    if isinstance(place, Sqlite):
        moved = place.path.rename(place.path.with_suffix(".away"))
        # What is written meanwhile would go into the file that is away.
        for more in ("-wal", "-shm"):
            side = Path(f"{place.path}{more}")
            if side.exists():
                side.rename(f"{moved}{more}")
        try:
            yield
        finally:
            moved.rename(place.path)
            for more in ("-wal", "-shm"):
                side = Path(f"{moved}{more}")
                if side.exists():
                    side.rename(f"{place.path}{more}")
        return
    cluster, name = postgres.shared(), make_url(place.url).database
    cluster.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    engine = engine_on(Postgres(cluster.url("postgres")))
    with engine.connect() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(query), {"name": name})
    engine.dispose()
    try:
        yield
    finally:
        cluster.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
