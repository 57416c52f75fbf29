"""Returns, claims and closed years; why a line is blocked; which payment of a record counts.

Records that are here already are told which payment counts, from the entry that was taken, and a
blocked one why. Besides the tables: a claim and its payments are never changed, a line of a claim ends
once, a record is never in two open claims, and a tombstone becomes payable only out of the late grants.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

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
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


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
            connection.exec_driver_sql(
                "UPDATE record SET pay_ref = ? WHERE record_id = ? AND pay_ref = ''", (refs[0], record_id)
            )


def _make_tables() -> None:
    op.create_index(
        "record_unclaimed",
        "record",
        ["merchant", "placed_at_ms"],
        unique=False,
        sqlite_where=sa.text("state IN ('PAYABLE', 'BLOCKED')"),
    )
    op.create_table(
        "goods_return",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("refund_no", sa.Text(), nullable=False),
        sa.Column("refund_fen", NUMBER, nullable=False),
        sa.Column("heard_ms", NUMBER, nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("supervisor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_ms", NUMBER, nullable=True),
        sa.Column("begun_seq", NUMBER, nullable=False),
        sa.Column("ended_ms", NUMBER, nullable=True),
        sa.Column("ended_seq", NUMBER, nullable=False),
        sa.Column("money", sa.Text(), nullable=False),
        sa.Column("freed", NUMBER, nullable=False),
        sa.Column("repaid_by", sa.Text(), nullable=False),
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
    )
    op.create_table(
        "claim",
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("lines", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("built_ms", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("claim"),
        sqlite_strict=True,
    )
    op.create_index("claim_of_merchant", "claim", ["merchant", "day"], unique=False)
    op.create_table(
        "claim_line",
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
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
    )
    op.create_table(
        "claim_payment",
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
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
    op.execute("DROP TRIGGER record_moves")
    op.execute(
        "CREATE TRIGGER record_moves BEFORE UPDATE OF state ON record "
        f"WHEN NEW.state <> OLD.state AND OLD.state || '>' || NEW.state NOT IN ({moves}) "
        "BEGIN SELECT RAISE(ABORT, 'a record may not make this move'); END"
    )
    op.execute(
        "CREATE TRIGGER record_late_grant BEFORE UPDATE OF state ON record "
        "WHEN OLD.state = 'RELEASED' AND NEW.state = 'PAYABLE' "
        "AND NOT (OLD.money IS 'late_grants_claimed' AND NEW.money IS 'payable') "
        "BEGIN SELECT RAISE(ABORT, 'a tombstone becomes payable only as a late grant'); END"
    )
    for table, verbs in (
        ("claim", ("UPDATE", "DELETE")),
        ("claim_payment", ("UPDATE", "DELETE")),
        ("closed_year", ("UPDATE", "DELETE")),
        ("claim_line", ("DELETE",)),
        ("goods_return", ("DELETE",)),
    ):
        for verb in verbs:
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    op.execute(
        "CREATE TRIGGER claim_line_ends_once BEFORE UPDATE ON claim_line "
        "WHEN OLD.state <> 'SUBMITTED' OR NEW.fen <> OLD.fen "
        "BEGIN SELECT RAISE(ABORT, 'a line of a claim ends once'); END"
    )
    op.execute(
        "CREATE TRIGGER refunded_stays BEFORE UPDATE OF state ON goods_return "
        "WHEN OLD.state = 'REFUNDED' AND NEW.state <> 'REFUNDED' "
        "BEGIN SELECT RAISE(ABORT, 'what was refunded stays so'); END"
    )
