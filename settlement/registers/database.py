"""Is this database a register, and which? How is one made?"""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.exc import DBAPIError

from settlement.db.connection import engine_on, explain, migrating, reading
from settlement.db.place import DatabaseDown, Place, Sqlite
from settlement.db.upsert import upsert
from settlement.keys import key_check
from settlement.registers import tables
from settlement.registers.config import RegisterPlace
from settlement.sources.key_files import make_key, read_key

_OURS = {"register_meta", "register", "taken"}


class RegisterDown(DatabaseDown):
    """A register cannot be asked, so nothing is taken from it. `is_new` when it could be asked before."""

    def __init__(self, problem: str, is_new: bool = True) -> None:
        super().__init__(problem)
        self.is_new = is_new


class RegisterShown(msgspec.Struct, frozen=True):
    """A register as its database has it."""

    kind: str
    scope: str
    register_id: str
    key_check: str


def open_register(place: Place) -> Engine:
    """Return an engine on a register's database, which must exist. Raises DatabaseDown."""
    if isinstance(place, Sqlite) and not place.path.is_file():
        raise DatabaseDown(f"{place} is not there. Put it back, or run `settlement register init`")
    return engine_on(place)


def make_register(place: RegisterPlace, random_bytes: Callable[[int], bytes]) -> RegisterShown:
    """Make what is missing of a register, its key too, and return it. Safe to repeat.

    Raises FileError when the database is something else or the key is not this register's, DatabaseDown.
    """
    if isinstance(place.database, Sqlite):
        try:
            place.database.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise place.wrong(f"its folder cannot be made ({wrong.strerror})", "Check the path") from None
    try:
        engine = engine_on(place.database)
        try:
            with migrating(engine) as connection:
                _make_tables(connection, place, random_bytes)
                known = _known(connection, place)
                if known is None:
                    _add(connection, place, random_bytes)
        finally:
            engine.dispose()
        return look(place)
    except DBAPIError as wrong:
        raise DatabaseDown(f"{place.database}: {explain(wrong)}. See who uses it, then try again") from None


def look(place: RegisterPlace) -> RegisterShown:
    """Return the register that is at `place`, having held scope and key against it.

    Raises FileError when it is another, DatabaseDown when it cannot be asked.
    """
    engine = open_register(place.database)
    try:
        with reading(engine) as connection:
            _refuse_foreign(connection, place)
            known = _known(connection, place)
    except DBAPIError as wrong:
        raise DatabaseDown(f"{place.database}: {explain(wrong)}. See that it runs and lets us in") from None
    finally:
        engine.dispose()
    if known is None:
        raise place.wrong(f"there is no {place.kind} register in it", "Run `settlement register init`")
    if known.scope != place.scope:
        raise place.wrong(
            f"its scope is {known.scope}, not {place.scope}", "Name the register of this scope, or that scope"
        )
    hold_key_against(place, known)
    return known


def hold_key_against(place: RegisterPlace, known: RegisterShown) -> None:
    """Raise FileError unless the key is there and is this register's."""
    if place.key is not None and key_check(read_key(place.key)) != known.key_check:
        raise place.wrong(
            f"{place.key} is not the key of this register: persons would be others under it",
            "Copy the key from where the register was made",
        )


def register_id(connection: Connection) -> str:
    """Return by what the register's database is known."""
    c = tables.register_meta.c
    return str(connection.execute(select(c.value).where(c.name == "register_id")).scalar_one())


def _refuse_foreign(connection: Connection, place: RegisterPlace) -> None:
    found = set(inspect(connection).get_table_names())
    if not found >= _OURS:
        raise place.wrong(
            f"{place.database} is not a register", "Run `settlement register init`, or name the right one"
        )
    c = tables.register_meta.c
    version = connection.execute(select(c.value).where(c.name == "version")).scalar_one()
    if version != tables.VERSION:
        raise place.wrong(f"the register is of version {version}", f"This program knows {tables.VERSION}")


def _make_tables(connection: Connection, place: RegisterPlace, random_bytes: Callable[[int], bytes]) -> None:
    found = set(inspect(connection).get_table_names())
    if found:
        _refuse_foreign(connection, place)
        return
    tables.metadata.create_all(connection)
    meta = {"register_id": random_bytes(8).hex(), "version": tables.VERSION}
    rows = [{"name": name, "value": value} for name, value in meta.items()]
    connection.execute(insert(tables.register_meta), rows)
    connection.execute(insert(tables.writer), {"one": 1, "epoch": 0, "batch_no": 0})


def _known(connection: Connection, place: RegisterPlace) -> RegisterShown | None:
    c = tables.register.c
    found = connection.execute(select(c.kind, c.scope, c.key_check).where(c.kind == place.kind)).one_or_none()
    if found is None:
        return None
    return RegisterShown(found.kind, found.scope, register_id(connection), found.key_check)


def _add(connection: Connection, place: RegisterPlace, random_bytes: Callable[[int], bytes]) -> None:
    check = ""
    if place.key is not None:
        # One that is there may be of an earlier try, which a power cut has ended.
        make_key(place.key, random_bytes)
        check = key_check(read_key(place.key))
    row = {"kind": place.kind, "scope": place.scope, "key_check": check}
    connection.execute(upsert(connection, tables.register).values(row).on_conflict_do_nothing())
