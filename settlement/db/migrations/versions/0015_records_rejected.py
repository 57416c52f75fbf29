"""A record that is blocked or kept may be rejected by two people."""

from settlement.db.refusals import allow_again, refuse

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

RECORD_MOVES = (
    "HELD>PAYABLE",
    "HELD>RELEASED",
    "HELD>KEPT",
    "PAYABLE>BLOCKED",
    "BLOCKED>PAYABLE",
    "BLOCKED>AVAILABLE_AGAIN",
    "KEPT>AVAILABLE_AGAIN",
    "PAYABLE>IN_CLAIM",
    "IN_CLAIM>PAID_OUT",
    "IN_CLAIM>PAYABLE",
    "IN_CLAIM>AVAILABLE_AGAIN",
    "PAYABLE>RETURNED",
    "BLOCKED>RETURNED",
    "IN_CLAIM>RETURNED",
    "PAID_OUT>RETURNED",
    "RELEASED>PAYABLE",
)


def upgrade() -> None:
    """Let the record make the two moves."""
    moves = ", ".join(f"'{move}'" for move in RECORD_MOVES)
    allow_again("record_moves", "record")
    refuse(
        "record_moves",
        "UPDATE",
        "record",
        "a record may not make this move",
        when=f"NEW.state <> OLD.state AND OLD.state || '>' || NEW.state NOT IN ({moves})",
        column="state",
    )


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
