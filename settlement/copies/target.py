"""Where may a copy go? Only where nothing is."""

from sqlalchemy import Engine

from settlement.copies.books import is_empty
from settlement.db.connection import engine_on, reading
from settlement.db.migrate import migrate
from settlement.db.place import Place
from settlement.db.whose import programme_of


class CopyRefused(Exception):
    """A copy that may not be made, or does not prove to be one. The message says why and what to do."""


def empty_books(place: Place) -> Engine:
    """Return an engine on a database with this version's tables and nothing in them.

    Raises CopyRefused when something is there, FileError when it is somebody else's, DatabaseDown.
    """
    refuse_books(place)
    engine = engine_on(place)
    migrate(engine)
    with reading(engine) as connection:
        if not is_empty(connection):
            engine.dispose()
            raise CopyRefused(f"{place} is not empty. Name a database that does not exist, or an empty one")
    return engine


def refuse_books(place: Place) -> None:
    """Raise CopyRefused when a centre's books are at `place`."""
    programme = programme_of(place)
    if programme is not None:
        raise CopyRefused(
            f"{place} holds the books of programme {programme}. Nothing is ever written over books: "
            "name a database that does not exist, or an empty one"
        )
