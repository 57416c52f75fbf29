"""How does the journal keep what cashiers say of cash?

A part of the journal: `SqliteJournal` brings the transaction and the idempotency keys.
"""

from terminal_agent.checkout.cash import Place, Word, asked_of
from terminal_agent.checkout.ports import KeyMacs
from terminal_agent.journal import read_sale
from terminal_agent.journal.moves import Moves


class CashWords(Moves):
    """Words on cash. See `checkout.cash.CashJournal` for what each call promises."""

    def cash_word(self, mark: str) -> Word | None:
        """Return what was said last of the cash under this mark."""
        with self._looking() as db:
            row = db.execute("SELECT place, operator FROM cash_word WHERE mark = ?", (mark,)).fetchone()
            return Word(Place(row[0]), row[1]) if row else None

    def say_cash(self, record_id: str, word: Word, key: KeyMacs) -> bool:
        """Store where a sale's cash is; False when nothing is asked about it. Raises KeyReused."""
        with self._transaction() as db:
            if self._by_key(db, key) is not None:
                return True
            asked = asked_of(read_sale.must(db, record_id))
            if asked is None:
                return False
            self._keep_key(db, key, record_id)
            db.execute(
                "INSERT INTO cash_word VALUES (?, ?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE "
                "SET place = excluded.place, operator = excluded.operator, at_ms = excluded.at_ms",
                (record_id, asked.mark, word.place.value, word.operator, self._clock.wall_ms()),
            )
            return True
