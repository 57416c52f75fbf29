"""A hash that ties each event of the log to the one before; events that are here already get theirs.

It is counted with the code of the day, not with the service's: what it means may never change afterwards.
"""

import hashlib

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import allow_again, refuse, words

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_AT_ONCE = 1000


def upgrade() -> None:
    """Add the column and fill it, in the order of the log."""
    op.add_column("event", sa.Column("hash", words(), nullable=False, server_default=""))
    allow_again("event_no_update", "event")
    _fill(op.get_bind())
    refuse("event_no_update", "UPDATE", "event", "event is append-only")


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _fill(connection: sa.Connection) -> None:
    few = sa.text(
        "SELECT event_no, at_ms, kind, body, record_id FROM event "
        "WHERE event_no > :after ORDER BY event_no LIMIT :most"
    )
    note = sa.text("UPDATE event SET hash = :hash WHERE event_no = :event_no")
    head, after = "0" * 64, 0
    while found := connection.execute(few, {"after": after, "most": _AT_ONCE}).all():
        hashes = []
        for event_no, at_ms, kind, body, record_id in found:
            text = f"{head}\n{event_no}\n{at_ms}\n{kind}\n{body}\n{record_id or ''}"
            head, after = hashlib.sha256(text.encode()).hexdigest(), event_no
            hashes.append({"hash": head, "event_no": event_no})
        connection.execute(note, hashes)
