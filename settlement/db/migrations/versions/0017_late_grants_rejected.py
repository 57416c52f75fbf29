"""A late grant may be rejected by two people: its tombstone ends only out of what is claimed beside it."""

from settlement.db.refusals import allow_again, refuse

revision = "0017"
down_revision = "0016"
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
    "RELEASED>AVAILABLE_AGAIN",
)


def upgrade() -> None:
    """Let the record make the move, and only as a late grant."""
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
    refuse(
        "record_late_grant_rejected",
        "UPDATE",
        "record",
        "a tombstone is rejected only as a late grant",
        when="OLD.state = 'RELEASED' AND NEW.state = 'AVAILABLE_AGAIN' AND NOT "
        "(OLD.money IS NOT DISTINCT FROM 'late_grants_claimed' AND NEW.money IS NULL)",
        column="state",
    )


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")
