"""Where is a centre's database: a file of SQLite, or a database on a PostgreSQL server?"""

from pathlib import Path

import msgspec
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_SCHEMES = ("postgresql", "postgres")


class DatabaseDown(Exception):
    """The database cannot be used. The message says why and what to do."""


class Sqlite(msgspec.Struct, frozen=True):
    """A file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


class Postgres(msgspec.Struct, frozen=True):
    """A database on a server, by its URL; shown without the password."""

    url: str

    def __str__(self) -> str:
        return make_url(self.url).render_as_string(hide_password=True)


Place = Sqlite | Postgres


def read_place(text: str, folder: Path) -> Place:
    """Return where `text` points, a relative path from `folder`. Raises ValueError."""
    scheme, found, rest = text.partition(":")
    if not found or "/" in scheme or len(scheme) == 1:
        return Sqlite(folder / text)
    if scheme == "sqlite":
        return Sqlite(folder / rest.removeprefix("///"))
    if scheme not in _SCHEMES:
        raise ValueError(f"{scheme}: is neither a file nor postgresql://")
    try:
        url = make_url(f"postgresql:{rest}")
    except ArgumentError:
        raise ValueError("not a URL, as in postgresql://user@host/name") from None
    if not url.database:
        raise ValueError("the URL names no database, as in postgresql://user@host/name")
    return Postgres(f"postgresql:{rest}")
