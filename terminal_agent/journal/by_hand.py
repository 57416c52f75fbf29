"""How does a command work on the journal while no agent runs? Nobody is told of what it changes."""

from pathlib import Path

from terminal_agent import system
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import must_be_there, open_journal


def journal_at(path: Path) -> SqliteJournal:
    """Open the journal of a stopped agent. Raises JournalDown, also while one runs, and NotEnrolled."""
    must_be_there(path)
    journal = journal_to_enrol(path)
    journal.must_be_enrolled()
    return journal


def journal_to_enrol(path: Path) -> SqliteJournal:
    """Open the journal of a host that is to be enrolled, made when there is none. Raises JournalDown."""
    return SqliteJournal(
        open_journal(path),
        system.new_lock(),
        system.SystemClock(),
        "",
        changed=lambda: None,
        entry_written=lambda: None,
    )
