"""How does a return move in the journal, and what else is kept of a sale after its payment?

A part of the journal: `SqliteJournal` brings the transaction, the outbox and the idempotency keys.
"""

import msgspec
from msgspec.structs import replace

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout import entries
from terminal_agent.checkout.goods_return import KeyedSlip, LateAnswer, Return, Wish
from terminal_agent.checkout.ports import KeyMacs
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.states import UNDECIDED_ATTEMPTS, ReturnState, SaleState
from terminal_agent.journal import outbox, pin_tries, read_return, read_sale
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.moves import Moves

_OPEN = (ReturnState.BEGUN, ReturnState.SENDING)


class ReturnMoves(Moves):
    """The moves of returns. See `checkout.return_ports` for what each promises."""

    # Looking.

    def known(self, key: KeyMacs) -> Sale | None:
        """Return the sale that this idempotency key was for, None when it is new. Raises KeyReused."""
        with self._looking() as db:
            return self._by_key(db, key)

    def is_reported(self, record_id: str) -> bool:
        """Return whether the centre has acknowledged the sale's `paid` entry."""
        with self._looking() as db:
            return read_return.is_reported(db, record_id)

    def open_returns(self, terminal_no: str) -> list[str]:
        """Return the sales that are RETURNING and were paid on this link, oldest first."""
        with self._looking() as db:
            return read_return.open_on(db, terminal_no)

    def has_moved_on(self, record_id: str) -> bool:
        """Return whether the link of a return that is SENDING was used for another sale since it began to."""
        with self._looking() as db:
            return read_return.has_moved_on(db, record_id)

    def moved_in_batch(self, terminal_no: str, batch: str, merchant_no: str) -> tuple[int, int, int, int]:
        """Return (fen, count) of the sales of a merchant's batch at a terminal, and of what went back."""
        with self._looking() as db:
            return read_return.moved_in_batch(db, terminal_no, batch, merchant_no)

    def returning_waiting(self, record_id: str) -> outbox.Waiting | None:
        """Return the `returning` entry of a sale's last return when it is not acknowledged."""
        with self._looking() as db:
            return read_return.entry_waiting(db, record_id)

    # Returns.

    def begin_return(self, record_id: str, wish: Wish, key: KeyMacs | None) -> Sale:
        """PAID -> RETURNING with a return BEGUN and its `returning` entry: one commit. Raises KeyReused."""
        with self._transaction() as db:
            if key is not None:
                if self._by_key(db, key) is not None:
                    return read_sale.must(db, record_id)
                self._keep_key(db, key, record_id)
            sale = read_sale.must(db, record_id)
            if sale.state is SaleState.PAID:
                self._begin(db, sale, wish)
            return read_sale.must(db, record_id)

    def send_refund(self, record_id: str, mark: str) -> bool:
        """Return BEGUN -> SENDING with what the link needs; False when it is not BEGUN any more."""
        with self._transaction() as db:
            done = db.execute(
                "UPDATE goods_return SET state = 'SENDING', mark = ? WHERE record_id = ? AND state = 'BEGUN'",
                (mark, record_id),
            )
            return bool(done.rowcount == 1)

    def refund_unclear(self, record_id: str, evidence: Evidence) -> Sale:
        """Keep what was said of a refund that is SENDING."""
        with self._transaction() as db:
            if evidence != Evidence():
                db.execute(
                    "UPDATE goods_return SET evidence = ? WHERE record_id = ? AND state = 'SENDING'",
                    (_json(evidence), record_id),
                )
            return read_sale.must(db, record_id)

    def refunded(self, record_id: str, evidence: Evidence) -> Sale:
        """Return SENDING -> REFUNDED, sale -> RETURNED, `returned` entry: one commit."""
        return self._end(record_id, (ReturnState.SENDING,), ReturnState.REFUNDED, evidence)

    def refund_refused(self, record_id: str, evidence: Evidence) -> Sale:
        """Return -> REFUSED, sale RETURNING -> PAID, `returned` entry that says so: one commit."""
        return self._end(record_id, _OPEN, ReturnState.REFUSED, evidence)

    # Beside returns.

    def answer_late(self, record_id: str, answer: LateAnswer, key: KeyMacs) -> Sale:
        """Keep the first answer about a sale found paid late; later ones change nothing. Raises KeyReused."""
        with self._transaction() as db:
            if self._by_key(db, key) is None:
                self._keep_key(db, key, record_id)
                db.execute(
                    "INSERT INTO late_answer VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (record_id, answer.operator, answer.answer.value, answer.at_ms),
                )
            return read_sale.must(db, record_id)

    def keep_slip(self, record_id: str, no: int, slip: KeyedSlip, key: KeyMacs) -> Sale:
        """Keep a slip keyed in for attempt `no`, once, with its entry for the night. Raises KeyReused."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if self._by_key(db, key) is not None:
                return sale
            self._keep_key(db, key, record_id)
            attempt = sale.attempt(no)
            if attempt.state in UNDECIDED_ATTEMPTS:
                now = self._clock.wall_ms()
                kept = db.execute(
                    "INSERT INTO keyed_slip VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (record_id, no, _json(slip), now),
                )
                if kept.rowcount == 1:
                    self._append(db, entries.keyed_slip_entry(sale, attempt, slip, now))
            return sale

    def take_pin_try(self, supervisor: str) -> int | None:
        """Count a try, before it is looked at; return how many are left after it, None when locked."""
        with self._transaction() as db:
            return pin_tries.take(db, supervisor, self._clock.wall_ms())

    def pin_was_right(self, supervisor: str) -> None:
        """Forget the tries of a supervisor who knew the PIN."""
        with self._transaction() as db:
            pin_tries.forget(db, supervisor)

    # Parts of a move.

    def _begin(self, db: JournalConnection, sale: Sale, wish: Wish) -> None:
        paid = sale.paid_attempt
        assert paid is not None
        back = Return(
            no=len(sale.returns) + 1,
            state=ReturnState.BEGUN,
            refund_no=ids.refund_no(paid.pay_ref),
            refund_fen=paid.approved_fen or paid.amount_fen,
            wish=wish,
            centre_said=None,
            mark=None,
            evidence=Evidence(),
            begun_ms=self._clock.wall_ms(),
            ended_ms=None,
        )
        self._append(db, entries.returning_entry(sale, back))
        db.execute(
            "INSERT INTO goods_return (record_id, no, state, refund_no, refund_fen, wish, entry_seq, "
            "evidence, begun_ms) VALUES (?, ?, 'BEGUN', ?, ?, ?, ?, '{}', ?)",
            (
                sale.record_id,
                back.no,
                back.refund_no,
                back.refund_fen,
                _json(wish),
                outbox.number(db, "seq"),
                back.begun_ms,
            ),
        )
        db.execute("UPDATE sale SET state = 'RETURNING' WHERE record_id = ?", (sale.record_id,))

    def _end(
        self, record_id: str, before: tuple[ReturnState, ...], after: ReturnState, evidence: Evidence
    ) -> Sale:
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.state is not SaleState.RETURNING or sale.returns[-1].state not in before:
                return sale
            self._end_one(db, sale, after, evidence)
            return read_sale.must(db, record_id)

    def _end_one(self, db: JournalConnection, sale: Sale, after: ReturnState, evidence: Evidence) -> None:
        now = self._clock.wall_ms()
        back = replace(
            sale.returns[-1],
            state=after,
            evidence=evidence if evidence != Evidence() else sale.returns[-1].evidence,
        )
        db.execute(
            "UPDATE goods_return SET state = ?, evidence = ?, ended_ms = ? WHERE record_id = ? AND no = ?",
            (after.value, _json(back.evidence), now, sale.record_id, back.no),
        )
        to = SaleState.RETURNED if after is ReturnState.REFUNDED else SaleState.PAID
        db.execute("UPDATE sale SET state = ? WHERE record_id = ?", (to.value, sale.record_id))
        self._append(db, entries.returned_entry(sale, back, now))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
