"""How does the journal take in what was seen at a terminal that we only watch?

A part of the journal: `SqliteJournal` brings the transaction, the outbox and the moves of attempts and
returns.
"""

import msgspec

from subsidy.records.payment import Evidence
from terminal_agent.checkout.goods_return import Wish
from terminal_agent.checkout.sale import WATCHED, Sale
from terminal_agent.checkout.states import AttemptState, ReturnState, SaleState
from terminal_agent.journal import read_sale
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.write_attempt import AttemptMoves
from terminal_agent.journal.write_return import ReturnMoves

_UNPAID = (AttemptState.INTENDED, AttemptState.UNKNOWN, AttemptState.REVERSING)
_AT_THE_TERMINAL = Wish(
    operator="terminal", supervisor="-", reason="seen at the terminal, not asked for at a till"
)


class SightingMoves(AttemptMoves, ReturnMoves):
    """The moves of sightings. See `checkout.sighting` for what each promises."""

    def sale_sent(self, pay_ref: str, evidence: Evidence) -> None:
        """Keep what was seen of an attempt that is INTENDED or UNKNOWN, before its answer comes."""
        with self._transaction() as db:
            db.execute(
                "UPDATE attempt SET evidence = ? WHERE pay_ref = ? AND state IN ('INTENDED', 'UNKNOWN') "
                "AND COALESCE(json_extract(evidence, '$.code'), 'LAST_CALL') = 'LAST_CALL' "
                "AND (json_extract(evidence, '$.trace') IS NULL OR json_extract(?1, '$.trace') IS NOT NULL)",
                (msgspec.json.encode(evidence).decode(), pay_ref),
            )

    def attempts_called(self, link: str, batch: str, trace: str) -> list[tuple[Sale, int]]:
        """Return the sales and attempt numbers that have had this batch and trace, newest first."""
        with self._looking() as db:
            found = db.execute(
                "SELECT record_id, no FROM attempt WHERE terminal_no = ? "
                "AND json_extract(evidence, '$.trace') = ? AND json_extract(evidence, '$.batch') IS ? "
                "ORDER BY begun_ms DESC, record_id DESC, no DESC",
                (link, trace, batch or None),
            ).fetchall()
            return [(read_sale.must(db, row[0]), row[1]) for row in found]

    def money_back(self, record_id: str, no: int, evidence: Evidence, *, keep_hold: bool) -> Sale:
        """Write down that all money of an attempt is with the shopper again. One commit, repeatable."""
        with self._transaction() as db:
            sale = read_sale.must(db, record_id)
            if sale.attempt(no).state in _UNPAID:
                self._end_unpaid(db, sale, no, AttemptState.NOT_PAID, evidence, keep_hold)
            elif sale.attempt(no).state is AttemptState.PAID:
                self._return_seen(db, sale, evidence)
            return read_sale.must(db, record_id)

    def _return_seen(self, db: JournalConnection, sale: Sale, evidence: Evidence) -> None:
        if sale.state is SaleState.PAID:
            self._begin(db, sale, _AT_THE_TERMINAL)
            sale = read_sale.must(db, sale.record_id)
        if sale.state is SaleState.RETURNING:
            if sale.returns[-1].state is ReturnState.BEGUN:
                db.execute(
                    "UPDATE goods_return SET state = 'SENDING', mark = ? "
                    "WHERE record_id = ? AND state = 'BEGUN'",
                    (WATCHED, sale.record_id),
                )
            self._end_one(db, read_sale.must(db, sale.record_id), ReturnState.REFUNDED, evidence)
