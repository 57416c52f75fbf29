"""What is about people takes two administrators, and neither is the one it is about.

The database refuses an approval by anybody else; a role, or a person with a password, that nobody has agreed
on once there are two administrators; and another password than the person's own, the one agreed on, or an
administrator's whom no two others can help. Of passwords that are here already nobody knows who gave them.
"""

# ruff: noqa: S608  # every word of these conditions is ours

import sqlalchemy as sa
from alembic import op

from settlement.db.refusals import is_postgres, number, refuse, words

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_KINDS = "('add_user', 'change_roles', 'disable_user', 'reset_credentials')"


def upgrade() -> None:
    """Add who gave a person the password and when, and the refusals."""
    op.add_column("centre_user", sa.Column("credentials_by", words(), nullable=False, server_default=""))
    op.add_column("centre_user", sa.Column("credentials_ms", number(), nullable=False, server_default="0"))
    refuse(
        "user_disabled_for_good",
        "UPDATE",
        "centre_user",
        "a user stays who it is, and stays disabled",
        when="NEW.name <> OLD.name OR NEW.kind <> OLD.kind "
        "OR OLD.disabled_ms IS NOT NULL AND NEW.disabled_ms IS NULL",
    )
    refuse("user_role_stays", "UPDATE", "user_role", "a role is given and taken, never changed")
    _refuse_approvals()
    _refuse_roles()
    _refuse_passwords()


def downgrade() -> None:
    """Refuse: the books are never taken apart."""
    raise RuntimeError("the books are never taken apart: restore a backup instead")


def _refuse_approvals() -> None:
    about = _name_in("NEW.command")
    condition = (
        f"NEW.state = 'APPROVED' AND NEW.kind IN {_KINDS} AND ({about} IN (NEW.proposed_by, NEW.decided_by) "
        f"OR {_administrators('u.name IN (NEW.proposed_by, NEW.decided_by)')} <> 2)"
    )
    says = "two administrators decide it, neither of them the one it is about"
    for verb in ("INSERT", "UPDATE"):
        _refuse_when(f"proposal_about_people_{verb.lower()}", verb, "proposal", says, condition)


def _refuse_roles() -> None:
    role = (
        "NEW.role || CASE NEW.scope_kind WHEN 'everything' THEN '' "
        "ELSE '@' || NEW.scope_kind || ':' || NEW.scope END"
    )
    agreed = (
        "EXISTS (SELECT 1 FROM proposal p WHERE p.state = 'APPROVED' "
        "AND p.kind IN ('add_user', 'change_roles') AND p.decided_ms = NEW.granted_ms "
        f"AND {_name_in('p.command')} = NEW.name AND {_position('p.command', _quoted(role))} > 0)"
    )
    says = "nobody has agreed that this role is given"
    _refuse_when(
        "user_role_agreed", "INSERT", "user_role", says, f"NOT ({agreed} OR {_administrators()} < 2)"
    )


def _refuse_passwords() -> None:
    says = "nobody has agreed that this password is set"
    _refuse_when(
        "user_password_first",
        "INSERT",
        "centre_user",
        says,
        f"NEW.password <> '' AND {_administrators()} >= 2",
    )
    agreed = (
        "EXISTS (SELECT 1 FROM proposal p WHERE p.proposal = NEW.credentials_by AND p.state = 'APPROVED' "
        f"AND p.kind IN ('add_user', 'reset_credentials') AND {_name_in('p.command')} = NEW.name "
        "AND p.decided_ms > OLD.credentials_ms AND NEW.credentials_ms >= p.decided_ms)"
    )
    rescued = (
        f"NEW.credentials_by LIKE 'os:%' AND {_administrators('u.name = NEW.name')} = 1 "
        f"AND {_administrators('u.name <> NEW.name')} < 2"
    )
    condition = (
        "(NEW.password <> OLD.password OR NEW.totp <> OLD.totp) "
        f"AND NOT (NEW.credentials_by = NEW.name OR {agreed} OR {rescued})"
    )
    _refuse_when("user_password_agreed", "UPDATE", "centre_user", says, condition)


def _administrators(which: str = "TRUE") -> str:
    """Return SQL for how many administrators there are who can log in, of those that meet `which`."""
    return (
        "(SELECT COUNT(*) FROM centre_user u JOIN user_role r ON r.name = u.name "
        "WHERE u.kind = 'human' AND u.disabled_ms IS NULL AND u.password <> '' AND r.role = 'administrator' "
        f"AND r.scope_kind = 'everything' AND {which})"
    )


def _name_in(command: str) -> str:
    """Return SQL for whom a command is about."""
    return f"({command}::json ->> 'name')" if is_postgres() else f"json_extract({command}, '$.name')"


def _position(text: str, part: str) -> str:
    return f"strpos({text}, {part})" if is_postgres() else f"instr({text}, {part})"


def _quoted(text: str) -> str:
    return f"""'"' || {text} || '"'"""


def _refuse_when(name: str, verb: str, table: str, says: str, condition: str) -> None:
    """Refuse what meets a condition that looks at other rows. PostgreSQL looks them up in a function."""
    if not is_postgres():
        refuse(name, verb, table, says, when=condition)
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
        f"RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = '{says}'; END IF; RETURN NEW; END $$"
    )
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
