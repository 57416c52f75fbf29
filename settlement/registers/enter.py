"""May this programme use these registers, and which has it used before?

A programme enters a register: it is known there, and its books remember the register by its id. Scopes that
overlap on two registers are found wherever programmes share a database: each says there all that it uses.
"""

from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.exc import DBAPIError

from settlement.db import tables as books_tables
from settlement.db.connection import explain, reading, writing
from settlement.db.place import DatabaseDown
from settlement.db.upsert import upsert
from settlement.registers import tables
from settlement.registers.config import PERSON, SERIAL, RegisterPlace, RegisterSettings
from settlement.registers.database import RegisterShown, hold_key_against, look, open_register
from settlement.registers.shared import RegisterDatabase, Registers
from subsidy.strict.yaml_text import FileError

_BOOKS = "books"
_FIRST = "A programme enters or leaves a register before {first}: put back what its configuration said"


def entered(books: Connection, settings: RegisterSettings, programme: str) -> Registers | None:
    """Return the registers that the books have entered. Raises FileError when others are named."""
    known = remembered(books)
    for kind in (PERSON, SERIAL):
        place, shown = settings.of(kind), known.get(kind)
        if place is None and shown is not None:
            problem = (
                f"the books use the {kind} register {shown.register_id} of {shown.scope}, and it is not named"
            )
            raise FileError(_file(settings), 1, "registers", problem, f"Name it under `registers: {kind}:`")
        if place is not None and (shown is None or shown.scope != place.scope):
            raise place.wrong("the books have not entered it", "Run `settlement init`")
        if place is not None and place.key is not None and shown is not None:
            hold_key_against(place, shown)
    databases: dict[str, RegisterDatabase] = {}
    for place in settings:
        shown = known[place.kind]
        before = databases.get(shown.register_id)
        kinds = (*(before.kinds if before else ()), place.kind)
        databases[shown.register_id] = RegisterDatabase(place.database, kinds, shown.register_id)
    if not databases:
        return None
    return Registers(programme, tuple(one for _, one in sorted(databases.items())))


def remembered(books: Connection) -> dict[str, RegisterShown]:
    """Return the register of each kind that the books have entered, none for a kind of their own."""
    m = books_tables.meta.c
    found = {}
    for kind in (PERSON, SERIAL):
        value = books.execute(select(m.value).where(m.name == _name(kind))).scalar()
        if value is not None:
            found[kind] = msgspec.json.decode(str(value), type=RegisterShown)
    return found


def enter(
    engine: Engine,
    settings: RegisterSettings,
    programme: str,
    now_ms: int,
    random_bytes: Callable[[int], bytes],
) -> None:
    """Make the programme known in the registers it names, and remember them. Safe to repeat.

    Raises FileError when it may not use one of them, DatabaseDown when one cannot be asked.
    """
    shown = {place.kind: look(place) for place in settings}
    with reading(engine) as books:
        if not shown and not remembered(books):
            return
    with writing(engine) as books:
        known = remembered(books)
        for kind in (PERSON, SERIAL):
            _refuse_change(books, settings, kind, known.get(kind), shown.get(kind))
        me = _id_of(books, random_bytes)
        for register_id in sorted({one.register_id for one in shown.values()}):
            place = next(one for one in settings if shown[one.kind].register_id == register_id)
            _enter_one(settings, place, programme, me, shown, now_ms)
        for kind in (PERSON, SERIAL):
            _remember(books, kind, shown.get(kind))


def _refuse_change(
    books: Connection,
    settings: RegisterSettings,
    kind: str,
    before: RegisterShown | None,
    now: RegisterShown | None,
) -> None:
    if before == now or not _is_used(books, kind):
        return
    first = "its first qualification is taken in" if kind == PERSON else "its first hold"
    was = "their own" if before is None else f"{before.register_id} of {before.scope}"
    wants = "their own" if now is None else f"{now.register_id} of {now.scope}"
    problem = f"the books have used the {kind} register {was}, and are to use {wants}"
    place, remedy = settings.of(kind), _FIRST.format(first=first)
    if place is None:
        raise FileError(_file(settings), 1, f"registers.{kind}", problem, remedy)
    raise place.wrong(problem, remedy)


def _is_used(books: Connection, kind: str) -> bool:
    """Whether there are rows that another register would not know, or would know under another key."""
    rows = [books_tables.record.c.record_id]
    if kind == PERSON:
        rows.append(books_tables.qualification.c.qualification)
    return any(books.execute(select(column).limit(1)).first() is not None for column in rows)


def _enter_one(
    settings: RegisterSettings,
    place: RegisterPlace,
    name: str,
    books: str,
    shown: Mapping[str, RegisterShown],
    now_ms: int,
) -> None:
    p, u = tables.programme.c, tables.used_register.c
    engine = open_register(place.database)
    try:
        with writing(engine) as connection:
            before = connection.execute(select(p.books).where(p.programme == name)).scalar()
            if before not in (None, books):
                raise place.wrong(
                    f"another database has entered as programme {name}",
                    "Restore the books of that programme, or give this one its own name",
                )
            for named in settings:
                _refuse_overlap(connection, named, name, shown[named.kind])
            row = {"programme": name, "books": books, "settled_turn": 0, "entered_ms": now_ms}
            connection.execute(upsert(connection, tables.programme).values(row).on_conflict_do_nothing())
            connection.execute(delete(tables.used_register).where(u.programme == name))
            for kind, one in shown.items():
                used = {"programme": name, "kind": kind, "scope": one.scope, "register_id": one.register_id}
                connection.execute(upsert(connection, tables.used_register).values(used))
    except DBAPIError as wrong:
        raise DatabaseDown(f"{place.database}: {explain(wrong)}. See who uses it, then try again") from None
    finally:
        engine.dispose()


def _refuse_overlap(connection: Connection, place: RegisterPlace, name: str, one: RegisterShown) -> None:
    u = tables.used_register.c
    other = connection.execute(
        select(u.programme, u.register_id).where(
            u.kind == one.kind,
            u.scope == one.scope,
            u.register_id != one.register_id,
            u.programme != name,
        )
    ).first()
    if other is not None:
        raise place.wrong(
            f"programme {other.programme} uses another {one.kind} register, {other.register_id}, for "
            f"{one.scope}: what one has granted the other would not see",
            "Name the same register, or a scope that does not overlap",
        )


def _id_of(books: Connection, random_bytes: Callable[[int], bytes]) -> str:
    """Return by what this database of the programme is known, from now on."""
    row = {"name": _BOOKS, "value": random_bytes(8).hex()}
    books.execute(upsert(books, books_tables.meta).values(row).on_conflict_do_nothing())
    m = books_tables.meta.c
    return str(books.execute(select(m.value).where(m.name == _BOOKS)).scalar_one())


def _remember(books: Connection, kind: str, shown: RegisterShown | None) -> None:
    m = books_tables.meta.c
    books.execute(delete(books_tables.meta).where(m.name == _name(kind)))
    if shown is not None:
        row = {"name": _name(kind), "value": msgspec.json.encode(shown).decode()}
        books.execute(upsert(books, books_tables.meta).values(row))


def _name(kind: str) -> str:
    return f"register.{kind}"


def _file(settings: RegisterSettings) -> str:
    return next((one.file for one in settings), "the configuration")
