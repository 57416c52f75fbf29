"""What the last night said of each record's payment: a claim takes only what one has matched.

Of records that are here already no night has said anything, but of those that were booked from the files. The
next night looks at all that may still be claimed or paid.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import words

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_UNMATCHED = sa.text("night <> 'matched' AND state IN ('PAYABLE', 'BLOCKED', 'IN_CLAIM')")


def upgrade() -> None:
    """Add the column, and the index by which a night finds what is not matched."""
    op.add_column("record", sa.Column("night", words(), nullable=False, server_default=""))
    op.execute("UPDATE record SET night = 'matched' WHERE recovered = 1")
    op.create_index(
        "record_unmatched",
        "record",
        ["placed_at_ms"],
        sqlite_where=_UNMATCHED,
        postgresql_where=_UNMATCHED,
    )


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
