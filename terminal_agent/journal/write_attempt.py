"""How is one try to take money written into its row, in the caller's transaction?"""

import msgspec
import pysqlite3.dbapi2 as sqlite

from subsidy import ids
from subsidy.policy.model import Tender
from subsidy.records.payment import Evidence
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import AttemptState

_ENDED = (AttemptState.PAID, AttemptState.NOT_PAID, AttemptState.GIVEN_BACK)


def insert(
    db: sqlite.Connection, sale: Sale, tender: Tender, terminal_no: str, operator: str, at_ms: int
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


def move(
    db: sqlite.Connection,
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
