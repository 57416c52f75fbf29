"""Pools of a year's money, a shop's channel, and the row by which one writer at a time is known.

What is here already is of the undivided year, whose pool has the empty name, and of shops with a counter.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import is_postgres, number, only_grows, refuse, words

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
    _make_postings()
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
    if is_postgres():
        # A hold's row and event are a little over what PostgreSQL would try to compress, at a cost.
        for table in ("record", "event", "entry_row"):
            op.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 8160)")
        for table, column in (("record", "promise"), ("event", "body"), ("entry_row", "body")):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _make_postings() -> None:
    """Make the postings anew, with their pool, and without what every hold pays for eight times.

    Nobody lists an account's postings by an index, and an event's are written with it.
    """
    op.drop_index("posting_of_account", "posting")
    op.rename_table("posting", "posting_before")
    op.create_table(
        "posting",
        sa.Column("event_no", NUMBER, nullable=False, autoincrement=False),
        sa.Column("line", NUMBER, nullable=False),
        sa.Column("happening", WORDS, nullable=False),
        sa.Column("funder", WORDS, nullable=False),
        sa.Column("account", WORDS, nullable=False),
        sa.Column("year", NUMBER, nullable=False),
        sa.Column("fen", NUMBER, nullable=False),
        sa.Column("pool", WORDS, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("event_no", "line"),
        sqlite_strict=True,
    )
    columns = "event_no, line, happening, funder, account, year, fen"
    op.execute(f"INSERT INTO posting ({columns}) SELECT {columns} FROM posting_before")  # noqa: S608
    op.drop_table("posting_before")
    only_grows("posting")


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
