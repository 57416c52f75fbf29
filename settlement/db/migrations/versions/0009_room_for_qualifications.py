"""Room beside qualifications: every hold changes one, and the new version should lie on the same page.

Where it does not, PostgreSQL has to put it into the index too, and looks through its neighbours for room.
Pages that are full already stay as they are until they are written anew.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FILLED_PERCENT = 80


def upgrade() -> None:
    """Keep the room, on PostgreSQL."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE qualification SET (fillfactor = {FILLED_PERCENT})")


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
