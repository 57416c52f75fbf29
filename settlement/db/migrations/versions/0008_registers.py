"""What a register is still to be told: the records that have given back what they had taken there.

Rows go once the register has heard of them. Programmes that share no register have none.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import words

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WORDS = words()


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "freed",
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("record_id", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("kind", "record_id"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
