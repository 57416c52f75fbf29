"""How does a command about people become a proposal to another administrator, and when is one enough?"""

from pathlib import Path

from sqlalchemy import Connection

from settlement.app import Centre
from settlement.cli_proposals import More, propose_on
from settlement.console import Shown
from settlement.db.connection import reading
from settlement.people import standing
from settlement.people.agreed import AddUser, OfPeople
from settlement.people.credentials import token_given
from settlement.people.roles import Permission
from settlement.people.users import UserRefused


def propose_to_administrators(
    centre: Centre,
    command: OfPeople,
    what: str,
    token_file: Path | None,
    dry_run: bool,
    code: str = "",
    subject: str = "",
) -> Shown:
    """Propose what is about people. `code` is what the person will be let in with, shown this once.

    The audit has it as `what`, about the person and `subject`. Raises UserRefused when no two administrators
    could agree on it.
    """

    def looked_at(_centre: Centre) -> OfPeople:
        # Asked once the audit knows who it was.
        _refuse_unless_two(centre, command)
        return command

    more = More({}, [])
    if code and not dry_run:
        more = More({"code": code}, [f"code      {code}   (shown this once: for {command.name} alone)"])
    may, about = Permission.MANAGE_PEOPLE, f"{command.name} {subject}".strip()
    return propose_on(centre, looked_at, what, token_file, dry_run, lambda _centre: more, may, about)


def takes_two(centre: Centre, token_file: Path | None) -> bool:
    """Whether what gives somebody power is proposed; without a token it is refused anyway."""
    if token_given(token_file) is None:
        return False
    with reading(centre.engine) as connection:
        return not standing.is_alone(connection)


ALONE = (
    "warning   there is one administrator, who could be two of these people. Add another, and a third, "
    "on the server: `settlement users add NAME --first`"
)


def is_administrator(centre: Centre, name: str) -> bool:
    """Whether somebody gives roles now."""
    with reading(centre.engine) as connection:
        return name in standing.administrators(connection)


def refuse_unless_alone(connection: Connection) -> None:
    """Raise UserRefused when one administrator is not enough any more."""
    if not standing.is_alone(connection):
        raise UserRefused("another administrator has to agree to it. Try again: it is proposed now")


def refuse_administrator(connection: Connection, name: str) -> None:
    """Raise UserRefused when `name` has become an administrator, about whom two decide."""
    if name in standing.administrators(connection):
        raise UserRefused(f"{name} is an administrator now. Try again: it is proposed then")


def refuse_unless_needed(connection: Connection, name: str) -> None:
    """Raise UserRefused when the server's account has no business with `name`."""
    if name not in standing.administrators(connection):
        raise UserRefused(f"{name} is no administrator: administrators do it, under their tokens")
    if standing.two_can_agree(connection, name):
        raise UserRefused(f"two administrators besides {name} can agree on it, under their tokens")


def _refuse_unless_two(centre: Centre, command: OfPeople) -> None:
    with reading(centre.engine) as connection:
        if standing.two_can_agree(connection, command.name):
            return
    remedy = "add another on the server: `settlement users add NAME --first`"
    if not isinstance(command, AddUser) and is_administrator(centre, command.name):
        remedy = "on the server, without a token: `settlement users password NAME --rescue` or `disable NAME`"
    raise UserRefused(f"it takes two administrators besides {command.name}, and there are none; {remedy}")
