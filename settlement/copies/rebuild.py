"""Do the books follow from their events?

Books are made anew: every event is folded again, and what comes of it is held against what stands in the
books. The new ones can be kept, in an empty database.
"""

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.schema import CreateTable

from settlement.copies.books import (
    FOLDED,
    GIVEN,
    GIVEN_BUT_FOR_USE,
    LOG,
    POSTINGS,
    USED_BY,
    copy_table,
)
from settlement.copies.compare import differences
from settlement.copies.dump import Content, content
from settlement.copies.log import Folded, fold_log
from settlement.copies.unguarded import unguarded
from settlement.db.connection import damage, writing
from settlement.ledger import read_books
from settlement.reconcile import kept
from settlement.registers.enter import remembered
from settlement.registers.shared import KINDS


class Rebuilt(msgspec.Struct, frozen=True):
    """What came of it: the events, the hashes of what is folded in the books and anew, and the faults.

    Without faults the books are what their events make.
    """

    folded: Folded
    books: Content
    anew: Content
    faults: tuple[str, ...]


def rebuild(source: Connection, scratch: Engine, keep_postings: bool = False) -> Rebuilt:
    """Make what follows from the events of `source` anew in a new database, and hold it against the books.

    `source` is in a transaction that sees one state of the books: a service may go on writing.
    """
    with scratch.begin() as target:
        for table in (POSTINGS, *FOLDED):
            # Bare: an index would be of use to nobody, and take most of the time.
            target.execute(CreateTable(table))
        for table in GIVEN_BUT_FOR_USE:
            copy_table(source, target, table, but_for=USED_BY)
        shared = frozenset(KINDS[kind] for kind in remembered(source))
        folded = fold_log(source, target, keep_postings, shared)
    books = content(source, FOLDED)
    with scratch.begin() as target:
        anew = content(target, FOLDED)
        faults = [*damage(source), *folded.faults, *read_books.faults(source), *kept.faults(source)]
        # After an event that cannot be folded everything differs.
        if folded.is_whole:
            wrong = books.differs_from(anew)
            for table in FOLDED:
                if table.name in wrong:
                    faults += differences(source, target, table)
    return Rebuilt(folded, books, anew, tuple(faults))


def keep(source: Connection, scratch: Engine, target: Engine) -> None:
    """Put what was made anew with its postings into an empty database, beside the log and what was given."""
    with writing(target) as books, scratch.begin() as anew, unguarded(books):
        for table in (LOG, *GIVEN):
            copy_table(source, books, table)
        for table in (POSTINGS, *FOLDED):
            copy_table(anew, books, table)
