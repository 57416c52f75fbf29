"""How do the books go from one database to another, from SQLite to PostgreSQL or back?

Table by table, in one transaction of each database, while nobody else writes; then both are read again and
must hold the same. The old books are closed before the new ones count: a power cut in between leaves books
that nobody can write in, never two that somebody can.
"""

import msgspec
from sqlalchemy import Engine

from settlement.copies.books import ALL, copy_table
from settlement.copies.dump import Content, content
from settlement.copies.target import CopyRefused, empty_books
from settlement.copies.unguarded import unguarded
from settlement.db import moved
from settlement.db.connection import reading, writing
from settlement.db.place import Place
from settlement.db.serving import alone
from settlement.ledger import read_books


class Moved(msgspec.Struct, frozen=True):
    """What the old and the new books hold, and how many balances are the same in both."""

    before: Content
    after: Content
    balances: int


def move(engine: Engine, source: Place, target: Place, dry_run: bool = False) -> Moved:
    """Move the books from `source`, which `engine` is on, to `target`, and close them at `source`.

    A `dry_run` copies and compares, then takes everything back: empty tables are left at `target`.

    Raises CopyRefused when something is at `target`, the books are gone already, or the copy is not one;
    BooksTaken while a service works on them. Then nothing has changed.
    """
    with alone(engine, source):
        new_engine = empty_books(target)
        try:
            _come_back(engine, target)
            # The inner transaction, of the old books, is committed first.
            with writing(new_engine) as new, writing(engine) as old:
                with unguarded(new):
                    for table in ALL:
                        copy_table(old, new, table)
                done = Moved(content(old), content(new), len(read_books.balances(new)))
                wrong = done.before.differs_from(done.after)
                if wrong or read_books.balances(old) != read_books.balances(new):
                    raise CopyRefused(
                        f"the copy is not what the books are: {', '.join(wrong)}. Nothing has moved"
                    )
                if dry_run:
                    raise _Rehearsed
                moved.leave(old, str(target))
        except _Rehearsed:
            pass
        finally:
            new_engine.dispose()
    return done


class _Rehearsed(Exception):
    """Everything went well, and nothing of it is to stay."""


def _come_back(engine: Engine, target: Place) -> None:
    """Open the books again when they were to go to `target` and never arrived. Raises CopyRefused."""
    with reading(engine) as connection:
        gone = moved.moved_to(connection)
    if gone is None:
        return
    if gone != str(target):
        raise CopyRefused(f"the books were moved to {gone} already. Move them from there")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        moved.come_back(connection)
