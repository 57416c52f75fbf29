"""How is a centre made: its database with the tables of this version, its keys, its registers?"""

from collections.abc import Callable

from settlement.app import Centre, Packs, packs_of, put_together
from settlement.config import Settings
from settlement.db import tables
from settlement.db.connection import engine_on, writing
from settlement.db.migrate import migrate
from settlement.db.place import Sqlite
from settlement.db.upsert import upsert
from settlement.db.whose import PROGRAMME, refuse_foreign
from settlement.registers.database import look
from settlement.registers.enter import enter
from settlement.sources.key_files import make_keys
from settlement.system import random_bytes, wall_ms
from subsidy.strict.yaml_text import FileError


def look_first(settings: Settings) -> Packs:
    """Return the packs when a centre can be made; changes nothing. Raises FileError, or DatabaseDown."""
    packs = packs_of(settings)
    for register in settings.registers:
        look(register)
    refuse_foreign(settings.database, settings.programme)
    return packs


def set_up(settings: Settings, now_ms: Callable[[], int] = wall_ms) -> Centre:
    """Make what is missing of database and keys, and return the centre. Safe to repeat.

    Raises FileError, or DatabaseDown.
    """
    # A wrong configuration should leave nothing behind.
    packs = look_first(settings)
    place = settings.database
    try:
        if isinstance(place, Sqlite):
            place.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise FileError(str(place), 1, "", f"cannot be made ({wrong.strerror})", "Check the path") from None
    engine = engine_on(settings.database)
    migrate(engine)
    with writing(engine) as connection:
        mine = {"name": PROGRAMME, "value": settings.programme}
        connection.execute(upsert(connection, tables.meta).values(mine).on_conflict_do_nothing())
    make_keys(settings.keys, random_bytes)
    enter(engine, settings.registers, settings.programme, now_ms(), random_bytes)
    return put_together(settings, engine, packs, now_ms)
