"""Who bore a part of a payment: what a file itself says of the shop's share, and what two people found out.

Of rows that are here already nothing is known of the share.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import never_emptied, number, refuse, words

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NOT_ANOTHERS = "NEW.pay_ref <> OLD.pay_ref OR NEW.record_id <> OLD.record_id"


def upgrade() -> None:
    """Add the column, and the table: what was said of a payment may be said anew."""
    op.add_column("channel_line", sa.Column("shop_offer_fen", number(), nullable=True))
    op.create_table(
        "offer_explanation",
        sa.Column("pay_ref", words(), nullable=False, primary_key=True),
        sa.Column("record_id", words(), nullable=False),
        sa.Column("fen", number(), nullable=False),
        sa.Column("borne_by", words(), nullable=False),
        sa.Column("reference", words(), nullable=False),
        sa.Column("decided_by", words(), nullable=False),
        sa.Column("decided_ms", number(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("offer_explanation_of_record", "offer_explanation", ["record_id"])
    says = "what was said of a payment is never deleted"
    refuse("offer_explanation_no_delete", "DELETE", "offer_explanation", says)
    refuse(
        "offer_explanation_keeps_its_payment",
        "UPDATE",
        "offer_explanation",
        "what was said of a payment stays with it",
        _NOT_ANOTHERS,
    )
    never_emptied("offer_explanation", says)


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
