"""The night: channels' and acquirers' files with their rows, its reports, and which days were run.

Files, rows and reports are append-only: a corrected file is a new version beside the old one.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import number, only_grows, words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = number()
WORDS = words()


def upgrade() -> None:
    """Make the tables, their triggers, and the indexes by which the night finds a day's sales."""
    op.create_table(
        "channel_file",
        _text("source"),
        _text("day"),
        _number("version"),
        _text("layout"),
        _text("sha256"),
        _number("rows"),
        _number("sale_fen"),
        _number("back_fen"),
        _number("is_none"),
        _number("registered_ms"),
        _number("whole"),
        sa.PrimaryKeyConstraint("source", "day", "version"),
        sqlite_strict=True,
    )
    op.create_table(
        "channel_line",
        _text("source"),
        _text("day"),
        _number("version"),
        _number("line_no"),
        _text("kind"),
        _number("fen"),
        _text("pay_ref"),
        _text("sale"),
        _text("refund_no"),
        _text("merchant_no"),
        _text("ref"),
        _text("own_day"),
        _text("raw"),
        sa.PrimaryKeyConstraint("source", "day", "version", "line_no"),
        sqlite_strict=True,
    )
    op.create_index("channel_line_of_day", "channel_line", ["day"], unique=False)
    op.create_index("channel_line_of_sale", "channel_line", ["sale"], unique=False)
    op.create_table(
        "night_report",
        _text("day"),
        _number("version"),
        _text("sha256"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        _number("made_ms"),
        sa.PrimaryKeyConstraint("day", "version"),
        sqlite_strict=True,
    )
    op.create_table(
        "night_run",
        _text("day"),
        _number("exit_code"),
        _number("complete"),
        _number("ended_ms"),
        sa.PrimaryKeyConstraint("day"),
        sqlite_strict=True,
    )
    op.create_index("record_placed", "record", ["placed_at_ms"], unique=False)
    op.create_index("record_ended", "record", ["ended_ms"], unique=False)
    op.create_index("return_ended", "goods_return", ["ended_ms"], unique=False)
    for table in ("channel_file", "channel_line", "night_report"):
        only_grows(table)


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, WORDS, nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, NUMBER, nullable=False)
