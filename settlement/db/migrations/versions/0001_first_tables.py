"""The first tables: reference data, registers, records, entries, the event log and the books.

Besides the tables: events, postings and entries are append-only, a record moves only as its state
table says, and no account that may not be overdrawn can be. The application sees to all of it;
these are the net under the application.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import never_emptied, number, only_grows, refuse, words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = number()
WORDS = words()

RECORD_MOVES = (
    "HELD>PAYABLE",
    "HELD>RELEASED",
    "HELD>KEPT",
    "PAYABLE>BLOCKED",
    "BLOCKED>PAYABLE",
    "PAYABLE>IN_CLAIM",
    "IN_CLAIM>PAID_OUT",
    "IN_CLAIM>PAYABLE",
    "IN_CLAIM>AVAILABLE_AGAIN",
    "PAYABLE>RETURNED",
    "BLOCKED>RETURNED",
    "IN_CLAIM>RETURNED",
    "PAID_OUT>RETURNED",
)

NEVER_OVERDRAWN = (
    "available",
    "held",
    "payable",
    "in_claim",
    "paid",
    "suspense",
    "late_grants_claimed",
    "merchant_receivable",
    "bank_offer_receivable",
    "paid_out",
)


def upgrade() -> None:
    """Make the tables and their triggers."""
    op.create_table(
        "api_token",
        sa.Column("token_hash", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("made_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "balance",
        sa.Column("funder", WORDS, nullable=False),
        sa.Column("account", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("funder", "account", "year"),
        sqlite_strict=True,
    )
    op.create_table(
        "device",
        sa.Column("device", WORDS, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("public_key", WORDS, nullable=False),
        sa.Column("shop", WORDS, nullable=False),
        sa.Column("host", WORDS, nullable=False),
        sa.Column("enrolled_ms", NUMBER, nullable=False),
        sa.Column("frozen", WORDS, nullable=True),
        sa.Column("upload_no", NUMBER, nullable=False),
        sa.Column("stated_hold_no", NUMBER, nullable=False),
        sa.Column("stated_ms", NUMBER, nullable=False),
        sa.Column("last_seq", NUMBER, nullable=False),
        sa.Column("entries", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("device"),
        sqlite_strict=True,
    )
    op.create_table(
        "difference",
        sa.Column("subject", WORDS, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("owner", WORDS, nullable=False),
        sa.Column("detail", WORDS, nullable=False),
        sa.Column("opened_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("subject", "kind"),
        sqlite_strict=True,
    )
    op.create_table(
        "enrol_code",
        sa.Column("code_hash", WORDS, nullable=False),
        sa.Column("shop", WORDS, nullable=False),
        sa.Column("expires_ms", NUMBER, nullable=False),
        sa.Column("used_by", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("code_hash"),
        sqlite_strict=True,
    )
    op.create_table(
        "entry_at",
        sa.Column("device", WORDS, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("hash", WORDS, nullable=False),
        sa.Column("prev", WORDS, nullable=False),
        sa.Column("answer", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", "seq"),
        sqlite_strict=True,
    )
    op.create_table(
        "entry_row",
        sa.Column("device", WORDS, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("hash", WORDS, nullable=False),
        sa.Column("prev", WORDS, nullable=False),
        sa.Column("record_id", WORDS, nullable=True),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("answer", WORDS, nullable=False),
        sa.Column("problem", WORDS, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("taken_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", "seq", "hash"),
        sqlite_strict=True,
    )
    op.create_index("entry_of_record", "entry_row", ["record_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("event_no", NUMBER, nullable=False),
        sa.Column("at_ms", NUMBER, nullable=False),
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("body", WORDS, nullable=False),
        sa.Column("record_id", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("event_no"),
        sqlite_strict=True,
    )
    op.create_index("event_of_record", "event", ["record_id"], unique=False)
    op.create_table(
        "filed_price",
        sa.Column("merchant", WORDS, nullable=False),
        sa.Column("gtin", WORDS, nullable=False),
        sa.Column("price_fen", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("merchant", "gtin"),
        sqlite_strict=True,
    )
    op.create_table(
        "funding",
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("reference", WORDS, nullable=False),
        sa.Column("parts", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("year", "reference"),
        sqlite_strict=True,
    )
    op.create_table(
        "hold_number",
        sa.Column("device", WORDS, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("hold_no", NUMBER, nullable=False),
        sa.Column("record_id", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("device", "epoch", "hold_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "merchant",
        sa.Column("merchant", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("uscc", WORDS, nullable=False),
        sa.Column("active", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("merchant"),
        sqlite_strict=True,
    )
    op.create_table(
        "meta",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("value", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_strict=True,
    )
    op.create_table(
        "open_count",
        sa.Column("scope", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("open", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("scope", "name"),
        sqlite_strict=True,
    )
    op.create_table(
        "product",
        sa.Column("gtin", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("brand", WORDS, nullable=False),
        sa.Column("category", WORDS, nullable=False),
        sa.Column("energy_level", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("gtin"),
        sqlite_strict=True,
    )
    op.create_table(
        "qualification",
        sa.Column("qualification", WORDS, nullable=False),
        sa.Column("person", WORDS, nullable=False),
        sa.Column("category", WORDS, nullable=False),
        sa.Column("valid_from_ms", NUMBER, nullable=False),
        sa.Column("valid_until_ms", NUMBER, nullable=False),
        sa.Column("used_by", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("qualification"),
        sqlite_strict=True,
    )
    op.create_table(
        "quota",
        sa.Column("person", WORDS, nullable=False),
        sa.Column("category", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("used", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("person", "category", "year"),
        sqlite_strict=True,
    )
    op.create_table(
        "record",
        sa.Column("record_id", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("device", WORDS, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("hold_no", NUMBER, nullable=False),
        sa.Column("request_mac", WORDS, nullable=False),
        sa.Column("merchant", WORDS, nullable=False),
        sa.Column("shop", WORDS, nullable=False),
        sa.Column("terminal_no", WORDS, nullable=False),
        sa.Column("person", WORDS, nullable=False),
        sa.Column("qualification", WORDS, nullable=False),
        sa.Column("category", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("brand", WORDS, nullable=False),
        sa.Column("gtin", WORDS, nullable=False),
        sa.Column("serial_no", WORDS, nullable=True),
        sa.Column("subsidy_fen", NUMBER, nullable=False),
        sa.Column("to_pay_fen", NUMBER, nullable=False),
        sa.Column("paid_fen", NUMBER, nullable=False),
        sa.Column("parts", WORDS, nullable=False),
        sa.Column("money", WORDS, nullable=True),
        sa.Column("promise", sa.LargeBinary(), nullable=False),
        sa.Column("promise_kid", WORDS, nullable=False),
        sa.Column("placed_at_ms", NUMBER, nullable=False),
        sa.Column("held_for_s", NUMBER, nullable=False),
        sa.Column("ended_ms", NUMBER, nullable=True),
        sa.Column("why", WORDS, nullable=False),
        sa.Column("owner", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
        sqlite_strict=True,
    )
    op.create_index("record_of_device", "record", ["device", "epoch", "state"], unique=False)
    op.create_index("record_of_serial", "record", ["serial_no"], unique=False)
    op.create_table(
        "refused_on_day",
        sa.Column("device", WORDS, nullable=False),
        sa.Column("day", WORDS, nullable=False),
        sa.Column("code", WORDS, nullable=False),
        sa.Column("count", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("device", "day", "code"),
        sqlite_strict=True,
    )
    op.create_table(
        "serial",
        sa.Column("brand", WORDS, nullable=False),
        sa.Column("serial_no", WORDS, nullable=False),
        sa.Column("taken_by", WORDS, nullable=True),
        sa.PrimaryKeyConstraint("brand", "serial_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "shop",
        sa.Column("shop", WORDS, nullable=False),
        sa.Column("merchant", WORDS, nullable=False),
        sa.Column("name", WORDS, nullable=False),
        sa.Column("region", WORDS, nullable=False),
        sa.Column("active", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("shop"),
        sqlite_strict=True,
    )
    op.create_table(
        "terminal",
        sa.Column("terminal_no", WORDS, nullable=False),
        sa.Column("shop", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("terminal_no"),
        sqlite_strict=True,
    )
    op.create_table(
        "posting",
        sa.Column("event_no", NUMBER, nullable=False),
        sa.Column("line", NUMBER, nullable=False),
        sa.Column("happening", WORDS, nullable=False),
        sa.Column("funder", WORDS, nullable=False),
        sa.Column("account", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_no"],
            ["event.event_no"],
        ),
        sa.PrimaryKeyConstraint("event_no", "line"),
        sqlite_strict=True,
    )
    op.create_index("posting_of_account", "posting", ["funder", "account", "year"], unique=False)

    op.create_index(
        "record_open",
        "record",
        ["record_id"],
        unique=False,
        sqlite_where=sa.text("state = 'HELD'"),
        postgresql_where=sa.text("state = 'HELD'"),
    )
    op.create_index(
        "entry_not_taken",
        "entry_row",
        ["answer"],
        unique=False,
        sqlite_where=sa.text("answer IN ('quarantined', 'forked')"),
        postgresql_where=sa.text("answer IN ('quarantined', 'forked')"),
    )

    for table in ("event", "posting", "entry_row"):
        only_grows(table)
    moves = ", ".join(f"'{move}'" for move in RECORD_MOVES)
    refuse(
        "record_moves",
        "UPDATE",
        "record",
        "a record may not make this move",
        when=f"NEW.state <> OLD.state AND OLD.state || '>' || NEW.state NOT IN ({moves})",
        column="state",
    )
    refuse("record_no_delete", "DELETE", "record", "records are never deleted")
    never_emptied("record", "records are never deleted")
    accounts = ", ".join(f"'{account}'" for account in NEVER_OVERDRAWN)
    for verb in ("INSERT", "UPDATE"):
        refuse(
            f"balance_{verb.lower()}",
            verb,
            "balance",
            "the account would be overdrawn",
            when=f"NEW.fen < 0 AND NEW.account IN ({accounts})",
        )


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
