"""The operators' ways out: what people have frozen, goods freed before the money, devices replaced.

A device that is frozen already keeps an empty `frozen_by`: it counts as one that contradicted itself.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import never_emptied, number, refuse, words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBER = number()
WORDS = words()


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
    op.add_column("device", sa.Column("frozen_by", WORDS, nullable=False, server_default=""))
    op.add_column("device", sa.Column("replaced", NUMBER, nullable=False, server_default="0"))
    _make_triggers()


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _make_triggers() -> None:
    """What was frozen is lifted, never forgotten; a device that was replaced stays so."""
    refuse("freezing_no_delete", "DELETE", "freezing", "freezings are lifted, never deleted")
    never_emptied("freezing", "freezings are lifted, never deleted")
    refuse(
        "device_replaced_for_good",
        "UPDATE",
        "device",
        "a device that was replaced stays frozen",
        when="OLD.replaced = 1 AND (NEW.replaced <> 1 OR NEW.frozen IS NULL)",
    )


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, WORDS, nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, NUMBER, nullable=False)
