"""What waits for the centre, in which order was it written, and what has been acknowledged?

Entries are chained and numbered as they are written, in the transaction of the outcome that they
report. Nothing is ever taken out: an acknowledged entry is marked with its signed ack.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import pysqlite3.dbapi2 as sqlite

from subsidy.wire import v1
from subsidy.wire.chain import GENESIS, entry_hash
from terminal_agent.journal.connection import JournalConnection

# The centre takes a mebibyte. In an upload a body takes 16 bytes for 9, a stated hold a hundred.
_MOST_BODY_BYTES = 300 << 10
_MOST_STATED = 2000


class Waiting(msgspec.Struct, frozen=True):
    """An entry that is not acknowledged."""

    seq: int
    record_id: str
    kind: str
    prev: str
    hash: str
    body: bytes
    made_ms: int


class Batch(msgspec.Struct, frozen=True):
    """One numbered upload: its entries, the head they lead to, and the statement cut with them."""

    upload_no: int
    entries: tuple[Waiting, ...]
    head_seq: int
    head_hash: str
    statement: v1.Statement


def next_number(connection: sqlite.Connection, name: str) -> int:
    """Count `name` up by one and return it."""
    row = connection.execute(
        "INSERT INTO counter (name, value) VALUES (?, 1) "
        "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
        (name,),
    ).fetchone()
    return int(row[0])


def number(connection: sqlite.Connection, name: str) -> int:
    """Return how far `name` has been counted."""
    row = connection.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def append(connection: sqlite.Connection, device: str, epoch: int, entry: v1.Entry, at_ms: int) -> None:
    """Write `entry` at the head of the chain, in the caller's transaction."""
    seq = next_number(connection, "seq")
    before = connection.execute("SELECT hash FROM outbox WHERE seq = ?", (seq - 1,)).fetchone()
    prev = before[0] if before else GENESIS
    body = msgspec.json.encode(entry)
    connection.execute(
        "INSERT INTO outbox (seq, record_id, kind, prev, hash, body, made_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            seq,
            entry.record_id,
            str(entry.__struct_config__.tag),
            prev,
            entry_hash(device, epoch, seq, prev, body),
            body,
            at_ms,
        ),
    )


def waiting(connection: JournalConnection, most: int) -> tuple[Waiting, ...]:
    """Return the oldest entries that are not acknowledged."""
    found = connection.execute(
        "SELECT seq, record_id, kind, prev, hash, body, made_ms FROM outbox "
        "WHERE answer IS NULL ORDER BY seq LIMIT ?",
        (most,),
    )
    return tuple(_trusted(connection, row) for row in found)


def listed(connection: JournalConnection, most: int) -> dict[str, list[dict[str, Any]]]:
    """Return for people what waits and what the centre has put into quarantine, the oldest `most` of each."""
    quarantined = connection.execute(
        "SELECT seq, record_id, kind, prev, hash, body, made_ms FROM outbox "
        "WHERE answer = 'quarantined' ORDER BY seq LIMIT ?",
        (most,),
    )
    found = {
        "waiting": waiting(connection, most),
        "quarantined": tuple(_trusted(connection, row) for row in quarantined),
    }
    return {
        name: [
            {"seq": one.seq, "record_id": one.record_id, "kind": one.kind, "made_ms": one.made_ms}
            for one in entries
        ]
        for name, entries in found.items()
    }


def depth(connection: sqlite.Connection) -> int:
    """Return how many entries are not acknowledged."""
    return int(connection.execute("SELECT count(*) FROM outbox WHERE answer IS NULL").fetchone()[0])


def last_seq(connection: sqlite.Connection) -> int:
    """Return the number of the newest entry, 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])


def acknowledged_after(connection: sqlite.Connection, seq: int) -> int:
    """Return how many entries after `seq` are acknowledged."""
    row = connection.execute(
        "SELECT count(*) FROM outbox WHERE answer IS NOT NULL AND seq > ?", (seq,)
    ).fetchone()
    return int(row[0])


def wait_again(connection: sqlite.Connection, after_seq: int) -> None:
    """Let every entry after `after_seq` wait, as if it had not been acknowledged.

    Only when the centre's books were restored to before its acks: what it has is a repeat there. By number,
    for this host's clock may be wrong, and an entry may have waited long before it was acknowledged.
    """
    connection.execute("UPDATE outbox SET answer = NULL, ack = NULL WHERE seq > ?", (after_seq,))


def close_waiting(connection: JournalConnection, record_id: str) -> Waiting | None:
    """Return the `closed` entry of a sale when it is not acknowledged."""
    row = connection.execute(
        "SELECT seq, record_id, kind, prev, hash, body, made_ms FROM outbox "
        "WHERE record_id = ? AND kind = 'closed' AND answer IS NULL",
        (record_id,),
    ).fetchone()
    return _trusted(connection, row) if row else None


def cut_batch(connection: JournalConnection, most: int) -> Batch:
    """Number an upload and cut its entries and statement from one state of the journal.

    A hold is open from the moment its number exists until its `paid` or `closed` entry is
    acknowledged; a refused sale's hold never was. Of very many open holds the first are stated, up to
    the number at which they end; never up to a lower one than before, as only a restored backup would. Those
    of sales that are open here come before those that are only to be reported again: of the latter the centre
    frees none before it has all reports, and then it has theirs.
    """
    upload_no = next_number(connection, "upload_no")
    entries = _that_fit(waiting(connection, most))
    head = (entries[-1].seq, entries[-1].hash) if entries else (0, GENESIS)
    return Batch(
        upload_no=upload_no,
        entries=entries,
        head_seq=head[0],
        head_hash=head[1],
        statement=_statement(connection, upload_no),
    )


def _trusted(connection: JournalConnection, row: tuple[Any, ...]) -> Waiting:
    found = Waiting(*row)
    connection.trust(found.record_id)
    return found


def _that_fit(entries: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
    """Return as many entries, from the oldest on, as an upload has room for; one in any case."""
    room = _MOST_BODY_BYTES
    for number, one in enumerate(entries):
        room -= len(one.body)
        if room < 0:
            return entries[: max(number, 1)]
    return entries


def _statement(connection: sqlite.Connection, upload_no: int) -> v1.Statement:
    still_open = connection.execute(
        "SELECT record_id, hold_no FROM ("
        "SELECT record_id, 0 AS is_reported FROM sale "
        "WHERE state IN ('ASKING', 'HELD', 'PAYING', 'PARKED') UNION ALL "
        "SELECT record_id, 1 FROM outbox WHERE answer IS NULL AND kind IN ('paid', 'closed')) "
        "CROSS JOIN sale USING (record_id) WHERE hold_no IS NOT NULL ORDER BY is_reported, hold_no LIMIT ?",
        (_MOST_STATED + 1,),
    ).fetchall()
    upto = number(connection, "hold_no")
    stated = connection.execute("SELECT value FROM counter WHERE name = 'stated_hold_no'").fetchone()
    if len(still_open) > _MOST_STATED and (stated or upload_no == 1):
        # An agent that uploaded before it kept count has stated all it had.
        upto = max(still_open[_MOST_STATED][1] - 1, stated[0] if stated else 0)
    connection.execute(
        "INSERT INTO counter (name, value) VALUES ('stated_hold_no', ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (upto,),
    )
    return v1.Statement(
        upto_hold_no=upto,
        open=tuple(v1.OpenHold(record_id=row[0], hold_no=row[1]) for row in still_open if row[1] <= upto),
        last_seq=last_seq(connection),
    )


def acknowledge(connection: sqlite.Connection, acks: Iterable[tuple[v1.Ack, str]]) -> None:
    """Mark entries with their verified acks (and the sealed text of each), and close their sales.

    An ack whose hash is not the entry's changes nothing.
    """
    for ack, sealed in acks:
        done = connection.execute(
            "UPDATE outbox SET answer = ?, ack = ? WHERE seq = ? AND hash = ? AND answer IS NULL "
            "RETURNING record_id, kind",
            (ack.answer, sealed, ack.seq, ack.hash),
        ).fetchone()
        if done is not None and done[1] == "closed":
            connection.execute(
                "UPDATE sale SET state = 'CLOSED' WHERE record_id = ? AND state = 'CLOSING'", (done[0],)
            )
