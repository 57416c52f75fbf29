"""What banks and channels bore of payments: of each record once, whether it went back or not."""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import never_emptied, number, refuse, words

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table. A row may only come to say that it went back."""
    op.create_table(
        "offer",
        sa.Column("record_id", words(), nullable=False, primary_key=True),
        sa.Column("payer", words(), nullable=False),
        sa.Column("fen", number(), nullable=False),
        sa.Column("year", number(), nullable=False),
        sa.Column("went_back", number(), nullable=False),
        sqlite_strict=True,
    )
    refuse("offer_no_delete", "DELETE", "offer", "an offer is never deleted")
    refuse("offer_goes_back_once", "UPDATE", "offer", "an offer goes back once", "OLD.went_back = 1")
    never_emptied("offer", "an offer is never deleted")


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
