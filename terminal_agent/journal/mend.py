"""What is wrong with a journal, and how is it made good again?

Database and black box each hold everything. Whichever is whole makes the other anew; what was damaged is kept
beside it, under another name.
"""

from pathlib import Path

import msgspec

from terminal_agent import system
from terminal_agent.journal import check, read_sale, recover
from terminal_agent.journal.connection import (
    JournalConnection,
    JournalDamaged,
    JournalDown,
    row_of,
)
from terminal_agent.journal.open import must_be_there, open_journal


class Looked(msgspec.Struct, frozen=True):
    """How a journal is. `rows` is what the black box holds, 0 when it cannot be read.

    `is_enrolled` says whether it is a device's, `quarantined` how many entries the centre has put aside: of a
    damaged one that is not known, and taken for yes and none.
    """

    database: str
    black_box: str
    rows: int
    is_enrolled: bool = True
    quarantined: int = 0

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be mended."""
        return self.database == self.black_box == "whole"


def look(journal: Path) -> Looked:
    """Return how the two files of a journal are. Nobody else may have it open. Raises JournalDown."""
    must_be_there(journal)
    try:
        database = _open_whole(journal)
    except JournalDamaged as wrong:
        folded = recover.fold(journal)
        return Looked(str(wrong), _said_of(folded), 0 if folded is None else len(folded.rows))
    try:
        row, folded = row_of(database), recover.fold(journal)
        assert row is not None
        fits = folded is not None and (folded.generation, folded.at.head, folded.total) == (
            row.generation,
            row.head,
            row.total,
        )
        said = "whole" if fits else "damaged: it does not come to what the database holds"
        is_enrolled = database.execute("SELECT 1 FROM device").fetchone() is not None
        quarantined = read_sale.numbers(database)["quarantined"]
        rows = 0 if folded is None else len(folded.rows)
        return Looked("whole", said, rows, is_enrolled, quarantined)
    finally:
        database.close()


def mend(journal: Path) -> Looked:
    """Make whichever is damaged anew from the other, and return how they are then.

    Raises JournalDown when both are damaged: then nothing is touched.
    """
    found = look(journal)
    if found.is_well:
        return found
    if found.database == "whole":
        _begin_anew(journal)
        return look(journal)
    folded = recover.fold(journal)
    if folded is None or not folded.is_to_its_end:
        raise JournalDown(
            f"{journal} and its black box are both damaged. Keep all files, and call the service platform"
        )
    new = journal.with_name(journal.name + ".new")
    new.unlink(missing_ok=True)
    recover.make_again(folded, new)
    _keep_damaged(journal)
    new.replace(journal)
    system.sync_folder(journal.parent)
    return look(journal)


def _open_whole(journal: Path) -> JournalConnection:
    """Open a journal and look at all of it."""
    database = open_journal(journal)
    try:
        check.wholly(database)
    except JournalDown:
        database.close()
        raise
    return database


def _begin_anew(journal: Path) -> None:
    database = open_journal(journal)
    try:
        recover.begin(database, journal).close()
    finally:
        database.close()


def _keep_damaged(journal: Path) -> None:
    """Give the damaged database and its log other names: nobody must open them as the journal."""
    number = 1
    while (kept := journal.with_name(f"{journal.name}.damaged-{number}")).exists():
        number += 1
    if journal.exists():
        journal.replace(kept)
    for part in ("-wal", "-shm"):
        beside = journal.with_name(journal.name + part)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + part))


def _said_of(folded: recover.Folded | None) -> str:
    if folded is None:
        return "cannot be read"
    return "whole" if folded.is_to_its_end else f"damaged after {folded.at.size} bytes"
