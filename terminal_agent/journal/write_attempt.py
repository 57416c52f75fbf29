"""How does one try to take money move in the journal, and its sale with it?

A part of the journal: `SqliteJournal` brings the transaction, the outbox and the idempotency keys.
"""

import msgspec

from subsidy import ids
from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from terminal_agent.checkout import entries
from terminal_agent.checkout.ports import Begun, KeyMacs
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState, SaleState
from terminal_agent.journal import read_sale
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.moves import Moves

_ENDED = (AttemptState.PAID, AttemptState.NOT_PAID, AttemptState.GIVEN_BACK)


class AttemptMoves(Moves):
    """The moves of attempts. See `checkout.ports.Journal` for what each promises."""

    def begin_attempt(
        self, record_id: str, tender: Tender, terminal_no: str, operator: str, key: KeyMacs | None = None
    ) -> Begun:
        """HELD -> PAYING with a new attempt INTENDED; beside REVERSING ones, PAYING stays."""
        with self._transaction() as db:
            if key is not None:
                if self._by_key(db, key) is not None:
                    return Begun(read_sale.must(db, record_id))
                self._keep_key(db, key, record_id)
            sale = read_sale.must(db, record_id)
            others_lost = all(one.is_lost for one in sale.attempts)
            may = sale.state is SaleState.HELD or (sale.state is SaleState.PAYING and others_lost)
            if not may or sale.stop or len(sale.attempts) >= ids.MOST_ATTEMPTS:
                return Begun(sale)
            _insert(db, sale, tender, terminal_no, operator, self._clock.wall_ms())
            if sale.state is SaleState.HELD:
                db.execute("UPDATE sale SET state = 'PAYING' WHERE record_id = ?", (record_id,))
            return Begun(read_sale.must(db, record_id), len(sale.attempts) + 1)

    def mark_attempt(self, record_id: str, no: int, mark: str) -> bool:
        """Store what the link needs before money moves; False when the cashier has stopped the sale."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE attempt SET mark = ? WHERE record_id = ? AND no = ? AND state = 'INTENDED' "
                "AND mark IS NULL AND (SELECT stop FROM sale WHERE sale.record_id = attempt.record_id) = 0",
                (mark, record_id, no),
            )
            return bool(done.rowcount == 1)

    def paid(self, record_id: str, no: int, approved_fen: int, evidence: Evidence) -> Sale:
        """Attempt -> PAID, sale -> PAID and the outbox record in one commit, unless it was stopped."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            attempt = sale.attempt(no)
            if attempt.state not in (AttemptState.INTENDED, AttemptState.UNKNOWN):
                return sale
            if sale.stop or sale.paid_attempt is not None:
                # Nobody waits for these goods any more, or another attempt has paid for them.
                if attempt.state is AttemptState.INTENDED:
                    _move(
                        db, sale, attempt, AttemptState.UNKNOWN, evidence, approved_fen, self._clock.wall_ms()
                    )
                return read_sale.must(db, record_id)
            _move(db, sale, attempt, AttemptState.PAID, evidence, approved_fen, self._clock.wall_ms())
            now = self._clock.wall_ms()
            db.execute("UPDATE sale SET state = 'PAID', paid_ms = ? WHERE record_id = ?", (now, record_id))
            after = read_sale.must(db, record_id)
            self._append(db, entries.paid_entry(after, now))
            return after

    def not_paid(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Attempt -> NOT_PAID; when no attempt is open, sale -> HELD, or -> CLOSING with its entry."""
        before = (AttemptState.INTENDED, AttemptState.UNKNOWN, AttemptState.REVERSING)
        return self._end_attempt(record_id, no, before, AttemptState.NOT_PAID, evidence, keep_hold)

    def mark_back(self, record_id: str, no: int, mark: str) -> Sale:
        """Store what the link needs for a new try to give an attempt back that is GIVING_BACK."""
        with self._transaction() as db:
            db.execute(
                "UPDATE attempt SET back_mark = ? WHERE record_id = ? AND no = ? AND state = 'GIVING_BACK'",
                (mark, record_id, no),
            )
            return read_sale.must(db, record_id)

    def given_back(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Attempt GIVING_BACK -> GIVEN_BACK with what was said of the refund; the sale as with `not_paid`."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.attempt(no).state is AttemptState.GIVING_BACK:
                db.execute(
                    "UPDATE attempt SET back_evidence = ? WHERE record_id = ? AND no = ?",
                    (msgspec.json.encode(evidence).decode(), record_id, no),
                )
                self._end_unpaid(db, sale, no, AttemptState.GIVEN_BACK, Evidence(), keep_hold)
            return read_sale.must(db, record_id)

    def unknown(self, record_id: str, no: int, evidence: Evidence) -> Sale:
        """Attempt INTENDED -> UNKNOWN."""
        return self._only_attempt(record_id, no, AttemptState.INTENDED, AttemptState.UNKNOWN, evidence)

    def reversing(self, record_id: str, no: int, evidence: Evidence, approved_fen: int | None = None) -> Sale:
        """Attempt UNKNOWN -> REVERSING, durable before the first reversal leaves.

        `approved_fen` is what was taken, when somebody said so.
        """
        return self._only_attempt(
            record_id, no, AttemptState.UNKNOWN, AttemptState.REVERSING, evidence, approved_fen
        )

    def giving_back(self, record_id: str, no: int, mark: str) -> Sale:
        """Attempt REVERSING -> GIVING_BACK with what the link needs, durable before the refund leaves."""
        with self._transaction() as db:
            db.execute(
                "UPDATE attempt SET state = 'GIVING_BACK', back_mark = ? "
                "WHERE record_id = ? AND no = ? AND state = 'REVERSING'",
                (mark, record_id, no),
            )
            return read_sale.must(db, record_id)

    def park(self, record_id: str) -> Sale:
        """PAYING -> PARKED."""
        with self._transaction() as db:
            db.execute(
                "UPDATE sale SET state = 'PARKED' WHERE record_id = ? AND state = 'PAYING'", (record_id,)
            )
            return read_sale.must(db, record_id)

    # Parts of a move.

    def _only_attempt(
        self,
        record_id: str,
        no: int,
        before: AttemptState,
        after: AttemptState,
        evidence: Evidence,
        approved_fen: int | None = None,
    ) -> Sale:
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            attempt = sale.attempt(no)
            if attempt.state is before:
                taken_fen = attempt.approved_fen if approved_fen is None else approved_fen
                _move(db, sale, attempt, after, evidence, taken_fen, self._clock.wall_ms())
            return read_sale.must(db, record_id)

    def _end_attempt(
        self,
        record_id: str,
        no: int,
        before: tuple[AttemptState, ...],
        after: AttemptState,
        evidence: Evidence,
        keep_hold: bool,
    ) -> Sale:
        """End an attempt without payment, and see what that makes of its sale."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.attempt(no).state in before:
                self._end_unpaid(db, sale, no, after, evidence, keep_hold)
            return read_sale.must(db, record_id)

    def _end_unpaid(
        self,
        db: JournalConnection,
        sale: Sale,
        no: int,
        after: AttemptState,
        evidence: Evidence,
        keep_hold: bool,
    ) -> None:
        attempt = sale.attempt(no)
        now = self._clock.wall_ms()
        _move(db, sale, attempt, after, evidence, attempt.approved_fen, now)
        sale = read_sale.must(db, sale.record_id)
        if sale.paid_attempt is not None:
            # Its sale was reported with this attempt still open.
            self._append(db, entries.supplement_entry(sale, sale.attempt(no), now))
        elif sale.state in (SaleState.PAYING, SaleState.PARKED) and not sale.open_attempts:
            if sale.stop:
                self._close(db, sale, "stopped by the cashier")
            elif keep_hold:
                db.execute("UPDATE sale SET state = 'HELD' WHERE record_id = ?", (sale.record_id,))
            else:
                self._close(db, sale, "the hold's time is over", (Refusal.HOLD_OVER,))


def _insert(
    db: JournalConnection, sale: Sale, tender: Tender, terminal_no: str, operator: str, at_ms: int
) -> None:
    """Write the sale's next attempt, INTENDED."""
    no = len(sale.attempts) + 1
    db.execute(
        "INSERT INTO attempt (record_id, no, pay_ref, tender, terminal_no, operator, amount_fen, state, "
        "evidence, begun_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 'INTENDED', '{}', ?)",
        (
            sale.record_id,
            no,
            ids.pay_ref(sale.record_id, no),
            tender.value,
            terminal_no,
            operator,
            sale.to_pay_fen,
            at_ms,
        ),
    )


def _move(
    db: JournalConnection,
    sale: Sale,
    attempt: Attempt,
    after: AttemptState,
    evidence: Evidence,
    approved_fen: int | None,
    at_ms: int,
) -> None:
    """Move an attempt. What an earlier answer said is kept when a later one says nothing."""
    kept = evidence if evidence != Evidence() else attempt.evidence
    db.execute(
        "UPDATE attempt SET state = ?, evidence = ?, approved_fen = ?, ended_ms = ? "
        "WHERE record_id = ? AND no = ?",
        (
            after.value,
            msgspec.json.encode(kept).decode(),
            approved_fen,
            at_ms if after in _ENDED else None,
            sale.record_id,
            attempt.no,
        ),
    )
