"""Which batches were begun to be closed at an acquirer's host, without a person having heard how it ended?

A part of the journal: `SqliteJournal` brings the transaction. What a batch came to is not kept twice: it is
counted from the attempts and returns in it (`moved_in_batch`).
"""

from terminal_agent.journal.moves import Moves


class Closings(Moves):
    """Closings of batches. See `terminals.direct.closing.BatchBooks` for what each call promises."""

    def untold_closings(self, terminal_no: str) -> tuple[str, ...]:
        """Return the batches of a terminal whose closing was begun and not told, the oldest first."""
        with self._looking() as db:
            found = db.execute(
                "SELECT batch FROM closing WHERE terminal_no = ? AND told_ms IS NULL "
                "ORDER BY begun_ms, batch",
                (terminal_no,),
            )
            return tuple(row[0] for row in found)

    def begin_closing(self, terminal_no: str, batch: str) -> None:
        """Keep that a batch is being closed, before its host is asked to. May be repeated."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO closing (terminal_no, batch, begun_ms) VALUES (?, ?, ?) "
                "ON CONFLICT (terminal_no, batch) DO UPDATE SET told_ms = NULL",
                (terminal_no, batch, self._clock.wall_ms()),
            )

    def closing_told(self, terminal_no: str, batch: str) -> None:
        """Keep that a person has heard how the closing of a batch ended."""
        with self._transaction() as db:
            db.execute(
                "UPDATE closing SET told_ms = ? WHERE terminal_no = ? AND batch = ?",
                (self._clock.wall_ms(), terminal_no, batch),
            )
