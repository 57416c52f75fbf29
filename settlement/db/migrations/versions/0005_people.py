"""People: users, roles with their scope, sessions, tokens; what one proposes and another approves; the audit.

Tokens made before become tokens of a first service user, `operator`, who may read and propose. The database
itself refuses an approval by the one who proposed, by somebody disabled, or of anything but what was shown.
"""

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import is_postgres, number, only_grows, refuse, words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NUMBER = number()
WORDS = words()


def upgrade() -> None:
    """Make the tables and their triggers, and take the tokens over."""
    op.create_table(
        "centre_user",
        _text("name"),
        _text("kind"),
        _text("password"),
        sa.Column("totp", sa.LargeBinary(), nullable=False),
        _number("totp_step"),
        _number("tries"),
        _number("not_before_ms"),
        _number("made_ms"),
        _text("made_by"),
        sa.Column("disabled_ms", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("name"),
        sa.CheckConstraint("kind IN ('human', 'service')", name="centre_user_kind"),
        # A service has nothing to log in with.
        sa.CheckConstraint("kind = 'human' OR password = ''", name="centre_user_password"),
        sqlite_strict=True,
    )
    op.create_table(
        "user_role",
        _text("name"),
        _text("role"),
        _text("scope_kind"),
        _text("scope"),
        _number("granted_ms"),
        _text("granted_by"),
        sa.PrimaryKeyConstraint("name", "role", "scope_kind", "scope"),
        sa.CheckConstraint(
            "scope_kind = 'everything' AND scope = '' "
            "OR scope_kind IN ('county', 'merchant') AND scope <> ''",
            name="user_role_scope",
        ),
        sqlite_strict=True,
    )
    op.create_table(
        "user_session",
        _text("token_hash"),
        _text("name"),
        _number("made_ms"),
        _number("seen_ms"),
        _number("ends_ms"),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_strict=True,
    )
    op.create_index("session_of_user", "user_session", ["name"], unique=False)
    op.create_table(
        "user_token",
        _text("token_hash"),
        _text("name"),
        _text("label"),
        _number("made_ms"),
        _text("made_by"),
        sa.Column("ends_ms", NUMBER, nullable=True),
        sa.Column("revoked_ms", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("token_hash"),
        sqlite_strict=True,
    )
    op.create_index("token_of_user", "user_token", ["name", "label"], unique=True)
    op.create_table(
        "proposal",
        _text("proposal"),
        _text("state"),
        _text("kind"),
        _text("command"),
        _text("shown"),
        _text("shown_hash"),
        _text("proposed_by"),
        _number("proposed_ms"),
        _text("decided_by"),
        _text("decided_hash"),
        sa.Column("decided_ms", NUMBER, nullable=True),
        _text("why"),
        sa.PrimaryKeyConstraint("proposal"),
        sa.CheckConstraint("state IN ('OPEN', 'APPROVED', 'DECLINED', 'WITHDRAWN')", name="proposal_state"),
        sa.CheckConstraint(
            "state <> 'APPROVED' OR decided_by <> '' AND decided_by <> proposed_by "
            "AND decided_hash = shown_hash AND decided_ms IS NOT NULL",
            name="proposal_needs_two_people",
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "proposal_open",
        "proposal",
        ["proposal"],
        unique=False,
        sqlite_where=sa.text("state = 'OPEN'"),
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("entry_no", NUMBER, nullable=False, autoincrement=False),
        _number("at_ms"),
        _text("who"),
        _text("via"),
        _text("what"),
        _text("subject"),
        _text("outcome"),
        _text("prev"),
        _text("hash"),
        sa.PrimaryKeyConstraint("entry_no"),
        sqlite_strict=True,
    )
    _take_over_tokens()
    _make_triggers()


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _take_over_tokens() -> None:
    """Give the tokens made before to a service user, each under a label of its own."""
    op.get_bind().execute(
        sa.text(
            "INSERT INTO centre_user "
            "(name, kind, password, totp, totp_step, tries, not_before_ms, made_ms, made_by) "
            "SELECT 'operator', 'service', '', :nothing, 0, 0, 0, MIN(made_ms), 'migration' FROM api_token "
            "HAVING COUNT(*) > 0"
        ),
        {"nothing": b""},
    )
    op.execute(
        "INSERT INTO user_role (name, role, scope_kind, scope, granted_ms, granted_by) "
        "SELECT name, 'operations', 'everything', '', made_ms, 'migration' FROM centre_user"
    )
    op.execute(
        "INSERT INTO user_token (token_hash, name, label, made_ms, made_by) "
        "SELECT token_hash, 'operator', 'before-' || substr(token_hash, 1, 16), made_ms, 'migration' "
        "FROM api_token"
    )
    op.drop_table("api_token")


def _make_triggers() -> None:
    """Hold the audit, tokens and proposals against whoever reaches the database past the application."""
    only_grows("audit_entry")
    for table in ("proposal", "centre_user", "user_token"):
        only_grows(table, ("DELETE",))
    refuse(
        "proposal_ends_once",
        "UPDATE",
        "proposal",
        "a proposal is decided once",
        when="OLD.state <> 'OPEN'",
    )
    refuse(
        "proposal_stays",
        "UPDATE",
        "proposal",
        "what was proposed stays as it was shown",
        when="NEW.kind <> OLD.kind OR NEW.command <> OLD.command OR NEW.shown <> OLD.shown "
        "OR NEW.shown_hash <> OLD.shown_hash OR NEW.proposed_by <> OLD.proposed_by "
        "OR NEW.proposed_ms <> OLD.proposed_ms OR NEW.proposal <> OLD.proposal",
    )
    _refuse_approvals_by_nobody()
    refuse(
        "token_stays_revoked",
        "UPDATE",
        "user_token",
        "a token is revoked once and belongs to one user",
        when="OLD.revoked_ms IS NOT NULL OR NEW.token_hash <> OLD.token_hash OR NEW.name <> OLD.name",
    )


def _refuse_approvals_by_nobody() -> None:
    """Refuse an approval by who is no person, or no user any more. PostgreSQL looks it up in a function."""
    says = "nobody who may approve has approved this"
    nobody = (
        "NOT EXISTS (SELECT 1 FROM centre_user "
        "WHERE name = NEW.decided_by AND kind = 'human' AND disabled_ms IS NULL)"
    )
    if not is_postgres():
        for verb in ("INSERT", "UPDATE"):
            when = f"NEW.state = 'APPROVED' AND {nobody}"
            refuse(f"proposal_approver_{verb.lower()}", verb, "proposal", says, when=when)
        return
    op.execute(
        "CREATE FUNCTION refuse_approval_by_nobody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {nobody} THEN RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = '{says}'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER proposal_approver BEFORE INSERT OR UPDATE ON proposal FOR EACH ROW "
        "WHEN (NEW.state = 'APPROVED') EXECUTE FUNCTION refuse_approval_by_nobody()"
    )


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, WORDS, nullable=False)


def _number(name: str) -> sa.Column[object]:
    return sa.Column(name, NUMBER, nullable=False)
