"""Returns, claims and closed years; why a line is blocked; which payment of a record counts.

Records that are here already are told which payment counts, from the entry that was taken, and a
blocked one why. Besides the tables: a claim and its payments are never changed, a line of a claim ends
once, a record is never in two open claims, and a tombstone becomes payable only out of the late grants.
"""

import json

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import allow_again, number, only_grows, refuse, words

revision = "0002"
down_revision = "0001"
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
    "RELEASED>PAYABLE",
)


def upgrade() -> None:
    """Add the columns, the tables and their triggers."""
    _add("record", _text("blocks", "[]"), _number("recovered"), _text("pay_ref"))
    _add(
        "difference",
        _text("day"),
        _number("fen"),
        _text("pay_ref"),
        _text("next_step"),
        sa.Column("closed_ms", NUMBER, nullable=True),
    )
    op.execute("UPDATE record SET blocks = '[\"decision_differs\"]' WHERE state = 'BLOCKED'")
    _note_payments(op.get_bind())
    _make_tables()
    _make_triggers()


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _add(table: str, *columns: sa.Column[object]) -> None:
    for column in columns:
        op.add_column(table, column)


def _text(name: str, default: str = "") -> sa.Column[object]:
    return sa.Column(name, WORDS, nullable=False, server_default=default)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, NUMBER, nullable=False, server_default="0")


def _note_payments(connection: sa.Connection) -> None:
    """Write into each record that was paid which of its payments counts."""
    paid = connection.exec_driver_sql(
        "SELECT record_id, body FROM entry_row WHERE kind = 'paid' AND answer = 'accepted'"
    ).all()
    for record_id, body in paid:
        attempts = json.loads(body)["attempts"]
        refs = [one["pay_ref"] for one in attempts if one["state"] == "PAID"]
        if len(refs) == 1:
            connection.execute(
                sa.text("UPDATE record SET pay_ref = :ref WHERE record_id = :id AND pay_ref = ''"),
                {"ref": refs[0], "id": record_id},
            )


def _make_tables() -> None:
    op.create_index(
        "record_unclaimed",
        "record",
        ["merchant", "placed_at_ms"],
        unique=False,
        sqlite_where=sa.text("state IN ('PAYABLE', 'BLOCKED')"),
        postgresql_where=sa.text("state IN ('PAYABLE', 'BLOCKED')"),
    )
    op.create_table(
        "goods_return",
        sa.Column("record_id", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("refund_no", WORDS, nullable=False),
        sa.Column("refund_fen", NUMBER, nullable=False),
        sa.Column("heard_ms", NUMBER, nullable=False),
        sa.Column("operator", WORDS, nullable=False),
        sa.Column("supervisor", WORDS, nullable=False),
        sa.Column("reason", WORDS, nullable=False),
        sa.Column("begun_ms", NUMBER, nullable=True),
        sa.Column("begun_seq", NUMBER, nullable=False),
        sa.Column("ended_ms", NUMBER, nullable=True),
        sa.Column("ended_seq", NUMBER, nullable=False),
        sa.Column("money", WORDS, nullable=False),
        sa.Column("freed", NUMBER, nullable=False),
        sa.Column("repaid_by", WORDS, nullable=False),
        sa.Column("repaid_ms", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("record_id"),
        sqlite_strict=True,
    )
    op.create_index(
        "return_open",
        "goods_return",
        ["record_id"],
        unique=False,
        sqlite_where=sa.text("state = 'RETURNING'"),
        postgresql_where=sa.text("state = 'RETURNING'"),
    )
    op.create_table(
        "claim",
        sa.Column("claim", WORDS, nullable=False),
        sa.Column("merchant", WORDS, nullable=False),
        sa.Column("day", WORDS, nullable=False),
        sa.Column("lines", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("built_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("claim"),
        sqlite_strict=True,
    )
    op.create_index("claim_of_merchant", "claim", ["merchant", "day"], unique=False)
    op.create_table(
        "claim_line",
        sa.Column("claim", WORDS, nullable=False),
        sa.Column("record_id", WORDS, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("reference", WORDS, nullable=False),
        sa.Column("why", WORDS, nullable=False),
        sa.Column("ended_ms", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("claim", "record_id"),
        sqlite_strict=True,
    )
    op.create_index("claim_line_of_record", "claim_line", ["record_id"], unique=False)
    op.create_index(
        "claim_line_open",
        "claim_line",
        ["record_id"],
        unique=True,
        sqlite_where=sa.text("state = 'SUBMITTED'"),
        postgresql_where=sa.text("state = 'SUBMITTED'"),
    )
    op.create_table(
        "claim_payment",
        sa.Column("claim", WORDS, nullable=False),
        sa.Column("reference", WORDS, nullable=False),
        sa.Column("lines", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("withheld_lines", NUMBER, nullable=False),
        sa.Column("withheld_fen", NUMBER, nullable=False),
        sa.Column("paid_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("claim", "reference"),
        sqlite_strict=True,
    )
    op.create_table(
        "closed_year",
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("closed_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("year"),
        sqlite_strict=True,
    )


def _make_triggers() -> None:
    moves = ", ".join(f"'{move}'" for move in RECORD_MOVES)
    allow_again("record_moves", "record")
    refuse(
        "record_moves",
        "UPDATE",
        "record",
        "a record may not make this move",
        when=f"NEW.state <> OLD.state AND OLD.state || '>' || NEW.state NOT IN ({moves})",
        column="state",
    )
    refuse(
        "record_late_grant",
        "UPDATE",
        "record",
        "a tombstone becomes payable only as a late grant",
        when="OLD.state = 'RELEASED' AND NEW.state = 'PAYABLE' AND NOT "
        "(OLD.money IS NOT DISTINCT FROM 'late_grants_claimed' AND NEW.money IS NOT DISTINCT FROM 'payable')",
        column="state",
    )
    for table in ("claim", "claim_payment", "closed_year"):
        only_grows(table)
    for table in ("claim_line", "goods_return"):
        only_grows(table, ("DELETE",))
    refuse(
        "claim_line_ends_once",
        "UPDATE",
        "claim_line",
        "a line of a claim ends once",
        when="OLD.state <> 'SUBMITTED' OR NEW.fen <> OLD.fen",
    )
    refuse(
        "refunded_stays",
        "UPDATE",
        "goods_return",
        "what was refunded stays so",
        when="OLD.state = 'REFUNDED' AND NEW.state <> 'REFUNDED'",
        column="state",
    )
