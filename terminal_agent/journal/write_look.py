"""How does the journal keep what somebody has to look at at a watched terminal?

A part of the journal: `SqliteJournal` brings the transaction.
"""

from terminal_agent.checkout.look_at_it import Look, Odd
from terminal_agent.journal.moves import Moves

_MOST = 100


class Looks(Moves):
    """Things to look at. See `checkout.look_at_it.LookJournal` for what each call promises."""

    def look_at(
        self, link: str, what: Odd, record_id: str | None, fen: int | None, number: tuple[str, str]
    ) -> None:
        """Store something to look at; `number` is batch and trace of the charge it is about."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO look (terminal_no, what, sale, fen, batch, trace, at_ms) "
                "VALUES (?, ?, (SELECT record_id FROM sale WHERE record_id = ?), ?, ?, ?, ?)",
                (link, what.value, record_id, fen, *number, self._clock.wall_ms()),
            )

    def beside_is_back(self, link: str, fen: int | None, number: tuple[str, str]) -> bool:
        """End a charge beside a sale whose money went back whole; whether there was one."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE look SET ended_ms = ?, ended_by = 'terminal' WHERE ended_ms IS NULL "
                "AND what = ? AND terminal_no = ? AND batch = ? AND trace = ? AND fen = coalesce(?, fen)",
                (self._clock.wall_ms(), Odd.CHARGED_BESIDE.value, link, *number, fen),
            )
            return bool(done.rowcount)

    def is_seen_to(self, no: int, operator: str) -> bool:
        """End something to look at, whoever says so first; False when there is no such number."""
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM look WHERE no = ?", (no,)).fetchone() is None:
                return False
            db.execute(
                "UPDATE look SET ended_ms = ?, ended_by = ? WHERE no = ? AND ended_ms IS NULL",
                (self._clock.wall_ms(), operator, no),
            )
            return True

    def to_look_at(self, record_id: str | None = None) -> list[Look]:
        """Return what is still to be looked at, oldest first, at most 100; of one sale, or of all."""
        of_sale = "AND sale = ? " if record_id is not None else ""
        with self._looking() as db:
            found = db.execute(
                "SELECT no, terminal_no, what, sale, fen, batch, trace, at_ms FROM look "  # noqa: S608
                f"WHERE ended_ms IS NULL {of_sale}ORDER BY no LIMIT {_MOST}",
                () if record_id is None else (record_id,),
            ).fetchall()
        return [Look(row[0], row[1], Odd(row[2]), *row[3:]) for row in found]
