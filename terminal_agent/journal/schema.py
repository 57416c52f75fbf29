"""Which tables does the journal have, and how did they come to be?

Each migration and the row that records it commit together. Moves that a state table does not have
are refused by triggers, and every move is kept in `move`: a night's question is answered there.
"""

import zlib

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("terminal_agent.journal")

_OPEN_SALES = "('ASKING', 'HELD', 'PAYING', 'PARKED')"
_OPEN_ATTEMPTS = "('INTENDED', 'UNKNOWN', 'REVERSING', 'GIVING_BACK')"

_SALE_MOVES = (
    "NEW>REFUSED",
    "NEW>ASKING",
    "ASKING>HELD",
    "ASKING>REFUSED",
    "ASKING>CLOSING",
    "HELD>PAYING",
    "HELD>CLOSING",
    "PAYING>PAID",
    "PAYING>HELD",
    "PAYING>CLOSING",
    "PAYING>PARKED",
    "PARKED>PAID",
    "PARKED>HELD",
    "PARKED>CLOSING",
    "CLOSING>CLOSED",
    "PAID>RETURNING",
    "RETURNING>RETURNED",
    "RETURNING>PAID",
)
_ATTEMPT_MOVES = (
    "INTENDED>PAID",
    "INTENDED>NOT_PAID",
    "INTENDED>UNKNOWN",
    "UNKNOWN>PAID",
    "UNKNOWN>NOT_PAID",
    "UNKNOWN>REVERSING",
    "REVERSING>NOT_PAID",
    "REVERSING>GIVING_BACK",
    "GIVING_BACK>GIVEN_BACK",
)
_RETURN_MOVES = (
    "BEGUN>SENDING",
    "BEGUN>REFUSED",
    "SENDING>REFUNDED",
    "SENDING>REFUSED",
)

_TABLES = (
    """
    CREATE TABLE device (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        enrolled TEXT NOT NULL,
        centre_url TEXT NOT NULL
    ) STRICT
    """,
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (value >= 0)) STRICT",
    """
    CREATE TABLE sale (
        record_id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        request TEXT NOT NULL,
        till_no TEXT NOT NULL,
        serial_no TEXT,
        qualification TEXT NOT NULL,
        reasons TEXT NOT NULL,
        same_as TEXT,
        hold_no INTEGER UNIQUE,
        asked_wall_ms INTEGER NOT NULL,
        asked_steady_ms INTEGER NOT NULL,
        boot TEXT NOT NULL,
        held TEXT,
        stop INTEGER NOT NULL CHECK (stop IN (0, 1)),
        why TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        paid_ms INTEGER
    ) STRICT
    """,
    f"CREATE UNIQUE INDEX one_open_sale_of_serial ON sale (serial_no) WHERE state IN {_OPEN_SALES}",
    f"CREATE UNIQUE INDEX one_open_sale_of_code ON sale (qualification) WHERE state IN {_OPEN_SALES}",
    "CREATE INDEX sale_of_state ON sale (state)",
    "CREATE INDEX sale_of_serial ON sale (serial_no, state)",
    "CREATE INDEX sale_of_opening ON sale (opened_ms)",
    """
    CREATE TABLE attempt (
        record_id TEXT NOT NULL REFERENCES sale (record_id),
        no INTEGER NOT NULL CHECK (no BETWEEN 1 AND 99),
        pay_ref TEXT NOT NULL UNIQUE,
        tender TEXT NOT NULL,
        terminal_no TEXT NOT NULL,
        operator TEXT NOT NULL,
        amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
        state TEXT NOT NULL,
        mark TEXT,
        approved_fen INTEGER,
        evidence TEXT NOT NULL,
        begun_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        PRIMARY KEY (record_id, no)
    ) STRICT
    """,
    "CREATE UNIQUE INDEX one_paid_attempt ON attempt (record_id) WHERE state = 'PAID'",
    """
    CREATE TABLE idempotency_key (
        key_mac TEXT PRIMARY KEY,
        body_mac TEXT NOT NULL,
        record_id TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY,
        record_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        prev TEXT NOT NULL,
        hash TEXT NOT NULL,
        body BLOB NOT NULL,
        made_ms INTEGER NOT NULL,
        answer TEXT,
        ack TEXT
    ) STRICT
    """,
    "CREATE INDEX outbox_waiting ON outbox (seq) WHERE answer IS NULL",
    "CREATE INDEX outbox_of_record ON outbox (record_id)",
    """
    CREATE TABLE move (
        no INTEGER PRIMARY KEY,
        what TEXT NOT NULL,
        record_id TEXT NOT NULL,
        attempt_no INTEGER,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT
    """,
)

_LOOK_TABLES = (
    # Of no sale, as the journal keeps its sums: what is seen need not be about one.
    """
    CREATE TABLE look (
        no INTEGER PRIMARY KEY,
        terminal_no TEXT NOT NULL,
        what TEXT NOT NULL,
        sale TEXT REFERENCES sale (record_id),
        fen INTEGER,
        batch TEXT NOT NULL,
        trace TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        ended_by TEXT CHECK ((ended_by IS NULL) = (ended_ms IS NULL))
    ) STRICT
    """,
    "CREATE INDEX look_open ON look (sale) WHERE ended_ms IS NULL",
)

_RETURN_TABLES = (
    """
    CREATE TABLE goods_return (
        record_id TEXT NOT NULL REFERENCES sale (record_id),
        no INTEGER NOT NULL CHECK (no > 0),
        state TEXT NOT NULL,
        refund_no TEXT NOT NULL,
        refund_fen INTEGER NOT NULL CHECK (refund_fen > 0),
        wish TEXT NOT NULL,
        entry_seq INTEGER NOT NULL REFERENCES outbox (seq),
        mark TEXT,
        evidence TEXT NOT NULL,
        begun_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        PRIMARY KEY (record_id, no),
        CHECK (state IN ('BEGUN', 'REFUSED') OR mark IS NOT NULL)
    ) STRICT
    """,
    # How a till finds what it owes an answer about, however many sales it has had.
    "CREATE INDEX sale_found_late ON sale (till_no) WHERE state = 'PAID' AND paid_ms - opened_ms > 300000",
    "CREATE UNIQUE INDEX one_open_return ON goods_return (record_id) WHERE state IN ('BEGUN', 'SENDING')",
    # One refund at most, whatever is tried: the money of a sale goes back once.
    "CREATE UNIQUE INDEX one_refund ON goods_return (record_id) WHERE state = 'REFUNDED'",
    """
    CREATE TABLE late_answer (
        record_id TEXT PRIMARY KEY REFERENCES sale (record_id),
        operator TEXT NOT NULL,
        answer TEXT NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE keyed_slip (
        record_id TEXT NOT NULL,
        attempt_no INTEGER NOT NULL,
        slip TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (record_id, attempt_no, slip),
        FOREIGN KEY (record_id, attempt_no) REFERENCES attempt (record_id, no)
    ) STRICT
    """,
    """
    CREATE TABLE pin_try (
        supervisor TEXT PRIMARY KEY,
        tries INTEGER NOT NULL CHECK (tries >= 0),
        locked_ms INTEGER
    ) STRICT
    """,
)


def _triggers(what: str, moves: tuple[str, ...], attempt_no: str) -> tuple[str, ...]:
    allowed = ", ".join(f"'{move}'" for move in moves)
    return (
        f"CREATE TRIGGER {what}_moves BEFORE UPDATE OF state ON {what} "
        f"WHEN OLD.state || '>' || NEW.state NOT IN ({allowed}) "
        f"BEGIN SELECT RAISE(ABORT, 'this {what} may not make this move'); END",
        f"CREATE TRIGGER {what}_moved AFTER UPDATE OF state ON {what} BEGIN "  # noqa: S608
        "INSERT INTO move (what, record_id, attempt_no, before, after) "
        f"VALUES ('{what}', NEW.record_id, {attempt_no}, OLD.state, NEW.state); END",
        f"CREATE TRIGGER {what}_no_delete BEFORE DELETE ON {what} "
        f"BEGIN SELECT RAISE(ABORT, 'a {what} is never deleted'); END",
    )


@migrations()
def first_tables(database: Database) -> None:
    """Make the tables, the net under the state machine, and the outbox that only grows."""
    statements = (
        *_TABLES,
        *_triggers("sale", _SALE_MOVES, "NULL"),
        *_triggers("attempt", _ATTEMPT_MOVES, "NEW.no"),
        "CREATE TRIGGER outbox_entry_stays BEFORE UPDATE OF seq, prev, hash, body ON outbox "
        "BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END",
        "CREATE TRIGGER outbox_no_delete BEFORE DELETE ON outbox "
        "BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END",
    )
    for statement in statements:
        database.execute(statement)  # one by one: executescript would commit halfway


@migrations()
def give_back_marks(database: Database) -> None:
    """Keep what a link needs stored before money is given back."""
    database.execute("ALTER TABLE attempt ADD COLUMN back_mark TEXT")


@migrations()
def goods_returns(database: Database) -> None:
    """Make room for returns, answers about sales found paid late, keyed slips and tries of PINs."""
    for statement in (*_RETURN_TABLES, *_triggers("goods_return", _RETURN_MOVES, "NEW.no")):
        database.execute(statement)


@migrations()
def black_box(database: Database) -> None:
    """Say which black box belongs to this journal, how far it goes, and what all rows come to.

    Without a head there is none yet, and one is begun at the next start. `own` is a CRC-32 over the rest.
    """
    database.execute(
        "CREATE TABLE black_box (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, "
        "size INTEGER NOT NULL, head TEXT, total INTEGER NOT NULL, own INTEGER NOT NULL) STRICT"
    )
    database.execute("INSERT INTO black_box VALUES (1, 0, 0, NULL, 0, ?)", (zlib.crc32(b"0 0 None 0"),))


@migrations()
def what_is_open_by_index(database: Database) -> None:
    """Let each start, status and upload be answered from what is open, not from all there was."""
    for statement in (
        "DROP INDEX outbox_waiting",
        # With the answer, NULL as it is, so that SQLite does not look for it in the row.
        "CREATE INDEX outbox_waiting ON outbox (seq, made_ms, answer) WHERE answer IS NULL",
        "CREATE INDEX outbox_open ON outbox (kind, record_id, answer) WHERE answer IS NULL",
        "CREATE INDEX outbox_quarantined ON outbox (seq) WHERE answer = 'quarantined'",
        f"CREATE INDEX attempt_open ON attempt (terminal_no, record_id) WHERE state IN {_OPEN_ATTEMPTS}",
        "CREATE INDEX hold_of_sale ON sale (record_id, hold_no) WHERE hold_no IS NOT NULL",
    ):
        database.execute(statement)


@migrations()
def sums_by_sale(database: Database) -> None:
    """Keep what the rows of each sale come to, so that a sale is looked at when it is used.

    `_kept_sum` is filled when the next black box is begun. A journal that was found damaged is doubted: its
    next start looks at all of it.
    """
    for statement in (
        "CREATE TABLE _kept_sum (whose TEXT PRIMARY KEY, total INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE INDEX key_of_record ON idempotency_key (record_id)",
        "ALTER TABLE black_box ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0",
    ):
        database.execute(statement)


@migrations()
def what_was_said_of_giving_back(database: Database) -> None:
    """Keep what was said of the refund of an attempt that could not be reversed; NULL in all before."""
    database.execute("ALTER TABLE attempt ADD COLUMN back_evidence TEXT")


@migrations()
def words_on_cash(database: Database) -> None:
    """Make room for what cashiers say of cash: where the money under a mark is, by their last word."""
    for statement in (
        "CREATE TABLE cash_word (record_id TEXT NOT NULL REFERENCES sale (record_id), mark TEXT PRIMARY KEY, "
        "place TEXT NOT NULL CHECK (place IN ('in_till', 'with_shopper')), operator TEXT NOT NULL, "
        "at_ms INTEGER NOT NULL) STRICT",
        "CREATE INDEX cash_word_of_record ON cash_word (record_id)",
    ):
        database.execute(statement)


@migrations()
def closings(database: Database) -> None:
    """Make room for the closing of batches: begun before a host is asked, and told to a person."""
    database.execute(
        "CREATE TABLE closing (terminal_no TEXT NOT NULL, batch TEXT NOT NULL, begun_ms INTEGER NOT NULL, "
        "told_ms INTEGER, PRIMARY KEY (terminal_no, batch)) STRICT"
    )


@migrations()
def what_to_look_at(database: Database) -> None:
    """Make room for what was seen at a watched terminal that a person has to look at."""
    for statement in _LOOK_TABLES:
        database.execute(statement)
