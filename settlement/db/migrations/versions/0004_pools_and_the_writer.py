"""Pools of a year's money, a shop's channel, and the row by which one writer at a time is known.

What is here already is of the undivided year, whose pool has the empty name, and of shops with a counter.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import number, only_grows, refuse, words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = number()
WORDS = words()

NEVER_OVERDRAWN = (
    "available",
    "held",
    "payable",
    "in_claim",
    "paid",
    "suspense",
    "late_grants_claimed",
    "merchant_receivable",
    "bank_offer_receivable",
    "paid_out",
)


def upgrade() -> None:
    """Add the columns, make the balances anew with the pool in their key, and the writer's row."""
    op.add_column("record", sa.Column("pool", WORDS, nullable=False, server_default=""))
    op.add_column("funding", sa.Column("pool", WORDS, nullable=False, server_default=""))
    op.add_column("shop", sa.Column("channel", WORDS, nullable=False, server_default="offline"))
    op.add_column("posting", sa.Column("pool", WORDS, nullable=False, server_default=""))
    # Nobody lists an account's postings by an index, and each costs every hold eight entries in it.
    op.drop_index("posting_of_account", "posting")
    _make_balances()
    op.create_table(
        "writer",
        sa.Column("one", NUMBER, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("batch_no", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("one"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO writer VALUES (1, 0, 0)")
    only_grows("writer", ("DELETE",))


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _make_balances() -> None:
    op.rename_table("balance", "balance_before")
    op.create_table(
        "balance",
        sa.Column("funder", WORDS, nullable=False),
        sa.Column("account", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("pool", WORDS, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("funder", "account", "year", "pool"),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO balance (funder, account, year, pool, fen) "
        "SELECT funder, account, year, '', fen FROM balance_before"
    )
    op.drop_table("balance_before")
    accounts = ", ".join(f"'{account}'" for account in NEVER_OVERDRAWN)
    for verb in ("INSERT", "UPDATE"):
        refuse(
            f"balance_{verb.lower()}",
            verb,
            "balance",
            "the account would be overdrawn",
            when=f"NEW.fen < 0 AND NEW.account IN ({accounts})",
        )
