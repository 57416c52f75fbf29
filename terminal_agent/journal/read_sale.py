"""How is a sale read from its rows, and which sales answer a question?"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed
from subsidy.wire import v1
from terminal_agent.checkout.sale import FOUND_LATE_MS, Attempt, Held, Request, Sale
from terminal_agent.checkout.states import OPEN_ATTEMPTS, OPEN_SALES, AttemptState, SaleState
from terminal_agent.journal import read_return
from terminal_agent.journal.connection import JournalConnection

_COLUMNS = (
    "record_id, state, request, reasons, same_as, hold_no, asked_wall_ms, asked_steady_ms, boot, held, stop, "
    "why, opened_ms, paid_ms"
)
_ATTEMPT_COLUMNS = (
    "no, pay_ref, tender, terminal_no, operator, amount_fen, state, mark, approved_fen, evidence, "
    "begun_ms, ended_ms, back_mark"
)
_ATTEMPTS = f"SELECT {_ATTEMPT_COLUMNS} FROM attempt WHERE record_id = ? ORDER BY no"  # noqa: S608
_SALE_STATES = {str(one.value): one for one in SaleState}
_ATTEMPT_STATES = {str(one.value): one for one in AttemptState}
_TENDERS = {str(one.value): one for one in Tender}
_REASONS, _EVIDENCE = msgspec.json.Decoder(tuple[Refusal, ...]), msgspec.json.Decoder(Evidence)
_OPEN = ", ".join(f"'{state.value}'" for state in OPEN_SALES)


def one(db: JournalConnection, record_id: str) -> Sale | None:
    """Return a sale, or None."""
    found = _select(db, "record_id = ?", (record_id,))
    return found[0] if found else None


def must(db: JournalConnection, record_id: str) -> Sale:
    """Return a sale that exists."""
    sale = one(db, record_id)
    assert sale is not None, f"no sale {record_id}"
    return sale


def of_till(db: JournalConnection, till_no: str) -> list[Sale]:
    """Return the open sales of a till, its returns and those that it owes an answer about, oldest first.

    With them what is to be looked at beside it at its terminal.
    """
    is_open = f"state IN ('NEW', 'RETURNING', {_OPEN})"
    owes_answer = (
        f"state = 'PAID' AND paid_ms - opened_ms > {FOUND_LATE_MS} "  # noqa: S608
        "AND record_id NOT IN (SELECT record_id FROM late_answer) "
        "AND record_id NOT IN (SELECT record_id FROM goods_return)"
    )
    looked_at = "record_id IN (SELECT sale FROM look WHERE ended_ms IS NULL)"
    # Each part by an index of its own: paid sales are never few.
    condition = (
        f"(till_no = ? AND {is_open}) OR (till_no = ? AND {owes_answer}) OR (till_no = ? AND {looked_at})"
    )
    return _select(db, condition, (till_no, till_no, till_no))


def is_last(db: JournalConnection, record_id: str, till_no: str) -> bool:
    """Return whether this is the sale that its till has asked for last, be the clock set back since.

    An item that is scanned again asks for the sale that it has already.
    """
    found = db.execute(
        "SELECT coalesce(same_as, record_id) FROM sale WHERE till_no = ? "
        "AND rowid >= (SELECT rowid FROM sale WHERE record_id = ?) ORDER BY rowid DESC LIMIT 1",
        (till_no, record_id),
    )
    return bool(found.fetchone() == (record_id,))


def in_states(db: JournalConnection, states: Sequence[str]) -> list[Sale]:
    """Return the sales in any of `states`, oldest first."""
    return _select(db, f"state IN ({', '.join('?' for _ in states)})", tuple(states))


def open_attempts(db: JournalConnection, terminal_no: str) -> list[tuple[str, int]]:
    """Return (record_id, number) of the open attempts on a terminal, oldest first."""
    states = ", ".join(f"'{state.value}'" for state in OPEN_ATTEMPTS)
    found = db.execute(
        f"SELECT record_id, no FROM attempt WHERE terminal_no = ? AND state IN ({states}) "  # noqa: S608
        "ORDER BY begun_ms, record_id, no",
        (terminal_no,),
    )
    return [(row[0], row[1]) for row in found]


def links_in_use(db: JournalConnection) -> set[str]:
    """Return the links that money may still move on: an attempt is open there, or a refund is."""
    states = ", ".join(f"'{state.value}'" for state in OPEN_ATTEMPTS)
    found = db.execute(
        f"SELECT terminal_no FROM attempt WHERE state IN ({states}) "  # noqa: S608
        "UNION SELECT terminal_no FROM attempt JOIN sale USING (record_id) "
        "WHERE attempt.state = 'PAID' AND sale.state = 'RETURNING'"
    )
    return {row[0] for row in found}


def binding(db: JournalConnection, serial_no: str | None, qualification: str) -> Sale | None:
    """Return the sale that binds an item or qualification: open, or this serial number's while it is sold."""
    found = _select(
        db,
        f"((serial_no = ? OR qualification = ?) AND state IN ({_OPEN})) "
        "OR (serial_no = ? AND state IN ('PAID', 'RETURNING'))",
        (serial_no, qualification, serial_no),
    )
    return found[0] if found else None


def closing_of(db: JournalConnection, serial_no: str | None, qualification: str) -> list[str]:
    """Return the ids of the sales of an item or qualification that are CLOSING."""
    found = db.execute(
        "SELECT record_id FROM sale WHERE (serial_no = ? OR qualification = ?) AND state = 'CLOSING'",
        (serial_no, qualification),
    )
    return [row[0] for row in found]


def qualification_of(db: JournalConnection, record_id: str) -> str:
    """Return the MAC of the qualification code of a sale."""
    row = db.execute("SELECT qualification FROM sale WHERE record_id = ?", (record_id,)).fetchone()
    return str(row[0])


def refused_since(db: JournalConnection, since_ms: int) -> list[tuple[int, Refusal]]:
    """Return when each sale refused since then was opened, and its headline."""
    found = db.execute(
        "SELECT opened_ms, json_extract(reasons, '$[0]') FROM sale "
        "WHERE state = 'REFUSED' AND opened_ms >= ?",
        (since_ms,),
    )
    return [(row[0], Refusal(row[1])) for row in found]


def numbers(db: JournalConnection) -> dict[str, int]:
    """Return how many entries wait, when the oldest was made, how many sales are parked or come back."""
    depth, oldest = db.execute("SELECT count(*), min(made_ms) FROM outbox WHERE answer IS NULL").fetchone()
    parked = db.execute("SELECT count(*) FROM sale WHERE state = 'PARKED'").fetchone()[0]
    quarantined = db.execute("SELECT count(*) FROM outbox WHERE answer = 'quarantined'").fetchone()[0]
    returning = db.execute("SELECT count(*) FROM sale WHERE state = 'RETURNING'").fetchone()[0]
    return {
        "depth": depth,
        "oldest_ms": oldest or 0,
        "parked": parked,
        "returning": returning,
        "quarantined": quarantined,
    }


def insert(db: JournalConnection, sale: Sale, qualification: str) -> None:
    """Store a NEW sale."""
    assert sale.state is SaleState.NEW
    db.execute(
        "INSERT INTO sale (record_id, state, request, till_no, serial_no, qualification, reasons, "
        "asked_wall_ms, asked_steady_ms, boot, stop, why, opened_ms) "
        "VALUES (?, 'NEW', ?, ?, ?, ?, '[]', 0, 0, ?, 0, '', ?)",
        (
            sale.record_id,
            msgspec.json.encode(sale.request).decode(),
            sale.request.till_no,
            sale.request.item.serial_no,
            qualification,
            sale.boot,
            sale.opened_ms,
        ),
    )


# What never changes in a row is kept: a sale is read many times while it is under way.
@lru_cache(256)
def _request(text: str) -> Request:
    return msgspec.json.decode(text, type=Request)


@lru_cache(256)
def _held(text: str) -> Held:
    """Return a promise that was verified when it came, read again from its own bytes."""
    sealed = msgspec.json.decode(text, type=Sealed)
    return Held(sealed, msgspec.json.decode(sealed.payload_bytes(), type=v1.Promise))


def _select(db: JournalConnection, condition: str, values: tuple[Any, ...]) -> list[Sale]:
    return [_sale(db, row) for row in db.execute(_query(condition), values).fetchall()]


@lru_cache(64)
def _query(condition: str) -> str:
    return f"SELECT {_COLUMNS} FROM sale WHERE {condition} ORDER BY opened_ms, record_id"  # noqa: S608


def _sale(db: JournalConnection, row: tuple[Any, ...]) -> Sale:
    db.trust(row[0])
    attempts = db.execute(_ATTEMPTS, (row[0],))
    return Sale(
        record_id=row[0],
        state=_SALE_STATES[row[1]],
        request=_request(row[2]),
        reasons=_REASONS.decode(row[3]) if row[3] != "[]" else (),
        same_as=row[4],
        hold_no=row[5],
        asked_wall_ms=row[6],
        asked_steady_ms=row[7],
        boot=row[8],
        held=_held(row[9]) if row[9] is not None else None,
        stop=bool(row[10]),
        why=row[11],
        opened_ms=row[12],
        paid_ms=row[13],
        attempts=tuple(_attempt(one) for one in attempts),
        returns=read_return.of_sale(db, row[0]) if row[13] is not None else (),
        answered=read_return.late_answer(db, row[0]) if row[13] is not None else None,
    )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    return Attempt(
        no=row[0],
        pay_ref=row[1],
        tender=_TENDERS[row[2]],
        terminal_no=row[3],
        operator=row[4],
        amount_fen=row[5],
        state=_ATTEMPT_STATES[row[6]],
        mark=row[7],
        approved_fen=row[8],
        evidence=_EVIDENCE.decode(row[9]),
        begun_ms=row[10],
        ended_ms=row[11],
        back_mark=row[12],
    )
