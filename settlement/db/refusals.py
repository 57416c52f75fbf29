"""What does the database itself refuse? Triggers, on SQLite and on PostgreSQL.

Migrations say which change of which table is refused and in which words; the application sees to all of it,
and these are the net under the application.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

_FUNCTION = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_ARGV[0]; END $$"
)


def is_postgres() -> bool:
    """Whether the migration runs on PostgreSQL."""
    return op.get_bind().dialect.name == "postgresql"


def refuse(name: str, verb: str, table: str, says: str, when: str = "", column: str = "") -> None:
    """Refuse every `verb` on `table`, or those that meet `when`, in the words `says`.

    `column` limits an UPDATE to those that name it. `when` is SQL that both databases read alike.
    """
    of = f" OF {column}" if column else ""
    if is_postgres():
        op.execute(_FUNCTION)
        condition = f" WHEN ({when})" if when else ""
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb}{of} ON {table} FOR EACH ROW{condition} "
            f"EXECUTE FUNCTION refuse_change('{says}')"
        )
        return
    condition = f" WHEN {when}" if when else ""
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {verb}{of} ON {table}{condition} "
        f"BEGIN SELECT RAISE(ABORT, '{says}'); END"
    )


def only_grows(table: str, verbs: Iterable[str] = ("UPDATE", "DELETE")) -> None:
    """Refuse these changes of `table` whatever they say; on PostgreSQL emptying it too."""
    for verb in verbs:
        refuse(f"{table}_no_{verb.lower()}", verb, table, f"{table} is append-only")
    never_emptied(table, f"{table} is append-only")


def never_emptied(table: str, says: str) -> None:
    """Refuse PostgreSQL's TRUNCATE of `table`; SQLite has none."""
    if is_postgres():
        op.execute(_FUNCTION)
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION refuse_change('{says}')"
        )


def allow_again(name: str, table: str) -> None:
    """Take a refusal away, to say it anew."""
    op.execute(f"DROP TRIGGER {name} ON {table}" if is_postgres() else f"DROP TRIGGER {name}")


def number() -> sa.types.TypeEngine[int]:
    """Return the type of whole numbers: 64 bits on both."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def words() -> sa.types.TypeEngine[str]:
    """Return the type of texts. PostgreSQL compares them byte by byte, as SQLite and Python do."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
