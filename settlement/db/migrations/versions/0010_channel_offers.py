"""What a channel's own coupon bore of a payment stands in its row: nothing in all that came before."""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import number

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("channel_line", sa.Column("offer_fen", number(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
