"""Is the journal what was written? Enough for a start quickly, all of it from time to time.

A start reads the sums that are kept, and the few rows that are of no sale; the rows of a sale are looked at
when it is first used (`JournalConnection.trust`). So a start does not grow with what lies in the journal, and
no sale is used that was not looked at. What is never used, and whether indexes miss a row, is looked at once
a day, by doctor, and at a start after damage was found.
"""

import pysqlite3.dbapi2 as sqlite

from terminal_agent.journal import watch
from terminal_agent.journal.connection import MEND, JournalDamaged, explained, row_of

_HISTORY = "move"


def at_start(db: sqlite.Connection) -> bool:
    """Return, when what a start needs is what was written, whether everything was looked at.

    Raises JournalDamaged.
    """
    row = row_of(db)
    if row is None or row.head is None or _is_doubted(db) or not watch.keeps_sums(db):
        wholly(db)
        return True
    if (found := watch.kept_total(db)) != row.total:
        raise _damaged(f"its sums come to {found}, not {row.total}")
    for table in watch.tables_of(db):
        if table.of_sales or table.name == _HISTORY:
            continue
        if watch.sums_of(db, [table])[table.name] != watch.kept_sum(db, table.name):
            raise _damaged(f"{table.name} is not what was written")
    return False


def wholly(db: sqlite.Connection) -> None:
    """Return when every row, page and index is what was written. Raises JournalDamaged or JournalDown."""
    try:
        _look_at_all(db)
    except sqlite.Error as wrong:
        raise explained(wrong) or wrong from wrong


def _look_at_all(db: sqlite.Connection) -> None:
    found = db.execute("PRAGMA main.integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(" ".join(found.split()))
    row = row_of(db)
    if row is None or row.head is None:
        return
    sums = watch.sums_of(db, watch.tables_of(db))
    if (total := watch.total_of(db, sums)) != row.total:
        raise _damaged(f"its rows come to {total}, not {row.total}")
    if not watch.keeps_sums(db):
        return
    if sums != watch.kept_sums(db):
        raise _damaged("its sums are not those of its rows")
    if _is_doubted(db):
        db.execute("UPDATE black_box SET doubted = 0")


def _damaged(what: str) -> JournalDamaged:
    return JournalDamaged(f"The journal is damaged: {what}. {MEND}")


def _is_doubted(db: sqlite.Connection) -> bool:
    found = db.execute("SELECT 1 FROM pragma_table_info('black_box') WHERE name = 'doubted'").fetchone()
    return found is not None and bool(db.execute("SELECT doubted FROM black_box").fetchone()[0])
