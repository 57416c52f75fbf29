"""The operators' ways out: what people have frozen, goods freed before the money, devices replaced.

A device that is frozen already keeps an empty `frozen_by`: it counts as one that contradicted itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table of freezings with its trigger, and add the columns."""
    op.create_table(
        "freezing",
        _text("kind"),
        _text("name"),
        _text("why"),
        _text("frozen_by"),
        _number("frozen_ms"),
        _text("of_record"),
        _text("lifted_by"),
        _text("lifted_why"),
        sa.Column("lifted_ms", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("kind", "name"),
        sqlite_strict=True,
    )
    op.add_column("record", sa.Column("goods_freed", NUMBER, nullable=False, server_default="0"))
    op.add_column("device", sa.Column("frozen_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("device", sa.Column("replaced", NUMBER, nullable=False, server_default="0"))
    _make_triggers()


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _make_triggers() -> None:
    """What was frozen is lifted, never forgotten; a device that was replaced stays so."""
    op.execute(
        "CREATE TRIGGER freezing_no_delete BEFORE DELETE ON freezing "
        "BEGIN SELECT RAISE(ABORT, 'freezings are lifted, never deleted'); END"
    )
    op.execute(
        "CREATE TRIGGER device_replaced_for_good BEFORE UPDATE ON device "
        "WHEN OLD.replaced = 1 AND (NEW.replaced <> 1 OR NEW.frozen IS NULL) "
        "BEGIN SELECT RAISE(ABORT, 'a device that was replaced stays frozen'); END"
    )


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, NUMBER, nullable=False)
