"""How does a command work on the journal while no agent runs? Nobody is told of what it changes."""

from pathlib import Path

from terminal_agent import system
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal


def journal_at(path: Path) -> SqliteJournal:
    """Open the journal of a stopped agent. Raises JournalDown, also while one runs."""
    return SqliteJournal(
        open_journal(path),
        system.new_lock(),
        system.SystemClock(),
        "",
        changed=lambda: None,
        entry_written=lambda: None,
    )
