"""How is a return read from its row, and which returns are open?"""

from typing import Any

import msgspec
import pysqlite3.dbapi2 as sqlite

from subsidy.records.payment import Evidence
from terminal_agent.checkout.goods_return import Goods, LateAnswer, Return, Wish
from terminal_agent.checkout.states import ReturnState
from terminal_agent.journal.connection import JournalConnection
from terminal_agent.journal.outbox import Waiting

_COLUMNS = (
    "no, state, refund_no, refund_fen, wish, (SELECT answer FROM outbox WHERE seq = entry_seq), mark, "
    "evidence, begun_ms, ended_ms"
)


def of_sale(db: sqlite.Connection, record_id: str) -> tuple[Return, ...]:
    """Return the tries to return the goods of a sale, oldest first."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM goods_return WHERE record_id = ? ORDER BY no",  # noqa: S608
        (record_id,),
    )
    return tuple(_return(row) for row in found)


def late_answer(db: sqlite.Connection, record_id: str) -> LateAnswer | None:
    """Return what was said about a sale found paid late, or None."""
    row = db.execute(
        "SELECT operator, answer, at_ms FROM late_answer WHERE record_id = ?", (record_id,)
    ).fetchone()
    return LateAnswer(row[0], Goods(row[1]), row[2]) if row else None


def is_reported(db: sqlite.Connection, record_id: str) -> bool:
    """Return whether the centre has acknowledged the `paid` entry of a sale."""
    row = db.execute(
        "SELECT answer FROM outbox WHERE record_id = ? AND kind = 'paid' AND answer IS NOT NULL", (record_id,)
    ).fetchone()
    return row is not None


def open_on(db: sqlite.Connection, terminal_no: str) -> list[str]:
    """Return the sales that are RETURNING and were paid on a link, the oldest return first."""
    found = db.execute(
        "SELECT goods_return.record_id FROM goods_return JOIN attempt USING (record_id) "
        "WHERE goods_return.state IN ('BEGUN', 'SENDING') AND attempt.state = 'PAID' AND terminal_no = ? "
        "ORDER BY goods_return.begun_ms, goods_return.record_id",
        (terminal_no,),
    )
    return [row[0] for row in found]


def has_moved_on(db: JournalConnection, record_id: str) -> bool:
    """Return whether the link of a return that is SENDING was used for another sale since it began to."""
    found = db.execute(
        "SELECT EXISTS (SELECT 1 FROM move JOIN attempt USING (record_id) WHERE move.record_id <> ?1 "
        "AND move.what IN ('attempt', 'goods_return') "
        "AND terminal_no = (SELECT terminal_no FROM attempt WHERE record_id = ?1 AND state = 'PAID') "
        "AND move.no > (SELECT max(no) FROM move WHERE record_id = ?1 AND after = 'SENDING'))",
        (record_id,),
    ).fetchone()
    return bool(found[0])


def moved_in_batch(
    db: JournalConnection, terminal_no: str, batch: str, merchant_no: str
) -> tuple[int, int, int, int]:
    """Return (fen, count) of the sales of a terminal's batch that stood, and (fen, count) of what went back.

    By what the terminal said of each: one of which nothing was ever heard has no batch, and what was said for
    another merchant is in another merchant's.
    """
    sold = db.execute(
        "SELECT coalesce(sum(coalesce(approved_fen, amount_fen)), 0), count(*) FROM attempt "
        "WHERE terminal_no = ? AND state IN ('PAID', 'GIVEN_BACK') AND json_extract(evidence, '$.batch') = ? "
        "AND coalesce(json_extract(evidence, '$.merchant_no'), '') IN ('', ?)",
        (terminal_no, batch, merchant_no),
    ).fetchone()
    back = db.execute(
        "SELECT coalesce(sum(refund_fen), 0), count(*) FROM goods_return JOIN attempt USING (record_id) "
        "WHERE goods_return.state = 'REFUNDED' AND attempt.state = 'PAID' AND terminal_no = ? "
        "AND json_extract(goods_return.evidence, '$.batch') = ? "
        "AND coalesce(json_extract(goods_return.evidence, '$.merchant_no'), '') IN ('', ?)",
        (terminal_no, batch, merchant_no),
    ).fetchone()
    undone = db.execute(
        "SELECT coalesce(sum(coalesce(approved_fen, amount_fen)), 0), count(*) FROM attempt "
        "WHERE terminal_no = ? AND state = 'GIVEN_BACK' AND json_extract(back_evidence, '$.batch') = ? "
        "AND coalesce(json_extract(back_evidence, '$.merchant_no'), '') IN ('', ?)",
        (terminal_no, batch, merchant_no),
    ).fetchone()
    return sold[0], sold[1], back[0] + undone[0], back[1] + undone[1]


def entry_waiting(db: JournalConnection, record_id: str) -> Waiting | None:
    """Return the `returning` entry of a sale's last return when it is not acknowledged."""
    row = db.execute(
        "SELECT seq, outbox.record_id, kind, prev, hash, body, made_ms FROM outbox "
        "JOIN goods_return ON seq = entry_seq "
        "WHERE outbox.record_id = ? AND answer IS NULL ORDER BY seq DESC LIMIT 1",
        (record_id,),
    ).fetchone()
    if row is None:
        return None
    db.trust(record_id)
    return Waiting(*row)


def _return(row: tuple[Any, ...]) -> Return:
    return Return(
        no=row[0],
        state=ReturnState(row[1]),
        refund_no=row[2],
        refund_fen=row[3],
        wish=msgspec.json.decode(row[4], type=Wish),
        centre_said=row[5],
        mark=row[6],
        evidence=msgspec.json.decode(row[7], type=Evidence),
        begun_ms=row[8],
        ended_ms=row[9],
    )
