"""Which verified invoice is of which sale: one of one, for good."""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import number, only_grows, words

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, which only grows."""
    op.create_table(
        "invoice",
        sa.Column("invoice_no", words(), nullable=False, primary_key=True),
        sa.Column("record_id", words(), nullable=False),
        sa.Column("total_fen", number(), nullable=False),
        sa.Column("reference", words(), nullable=False),
        sa.Column("taken_by", words(), nullable=False),
        sa.Column("taken_ms", number(), nullable=False),
        sqlite_strict=True,
    )
    only_grows("invoice")


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
