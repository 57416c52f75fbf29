"""Which command gives a person a new password and second factor?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from settlement.app import Centre, open_centre
from settlement.cli_agreed import propose_to_administrators, refuse_unless_needed
from settlement.cli_people import User, factor_lines, said, typed, users
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import writing
from settlement.people import audit, login, permits, totp
from settlement.people import users as known
from settlement.people.acting import Task
from settlement.people.agreed import ResetCredentials
from settlement.people.credentials import token_given
from settlement.people.login import Door, LoginWrong
from settlement.people.roles import Permission
from settlement.people.rules import problem_of_name
from settlement.people.sessions import who_is
from settlement.system import Lock, random_bytes


@users.command("password")
def password(
    name: User,
    config: Config,
    proposal: Annotated[
        str | None,
        typer.Option("--proposal", help="What you have approved: let the person in, who says the code."),
    ] = None,
    rescue: Annotated[
        bool,
        typer.Option("--rescue", help="On the server: an administrator whom no two others can help."),
    ] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Change your password and second factor, or propose it for a person who has lost them.

    Without a token it is your own: type the password, the code of the second factor, and the new password.
    Under an administrator's token it is proposed for another person, and a code is shown for them alone.
    Another administrator approves it, then lets the person in with --proposal: they type the code and the new
    password. The person's sessions and tokens end.

    Example:

        settlement users password wang --config settlement.yaml
    """

    def work() -> Shown:
        under_token = token_given(token_file) is not None
        if rescue and (under_token or proposal is not None):
            raise Refused("--rescue is without a token, on the server, and without --proposal", 2)
        if proposal is not None and not under_token:
            raise Refused("--proposal is under the token of who has approved it", 2)
        if (problem := problem_of_name(name)) is not None:
            raise Refused(problem, 2)
        centre = open_centre(read_settings(config, set_ or ()).settings)
        if under_token and proposal is None:
            _refuse_own(centre, name, token_file)
            code = permits.new_code(random_bytes)
            command = ResetCredentials(name, permits.hash_of_code(code))
            return propose_to_administrators(centre, command, "users password", token_file, dry_run, code)
        if rescue:
            secret = _rescue(centre, name, dry_run)
        elif proposal is not None:
            secret = _let_in(centre, name, proposal, token_file, dry_run)
        else:
            secret = _change_own(centre, name, dry_run)
        shown = None if dry_run else totp.address(secret, name, centre.pack.programme)
        document: dict[str, Any] = {"name": name, "dry_run": dry_run, "second_factor": shown}
        return Shown(document, [*said(f"{name} has a new password", dry_run), *factor_lines(shown)])

    run(work, json)


def _refuse_own(centre: Centre, name: str, token_file: Path | None) -> None:
    token = token_given(token_file)
    actor = None if token is None else who_is(centre.engine, token, centre.now_ms())
    if actor is not None and actor.name == name:
        raise Refused("your own password you change without a token, with the present one and a code", 2)


def _change_own(centre: Centre, name: str, dry_run: bool) -> bytes:
    old, code, new = typed("Password", "Code of the second factor", "New password", confirm=True)
    door = Door(centre.engine, centre.keys, centre.now_ms, random_bytes, Lock())
    made: list[bytes] = []

    def then(connection: Connection, at_ms: int) -> str:
        made.append(_set(centre, connection, name, new, name))
        if dry_run:
            # The code is used up all the same.
            raise _Rehearsed
        audit.write(connection, at_ms, name, "login", "users password", name, "done")
        return ""

    try:
        login.check(door, name, old, code, then)
    except _Rehearsed:
        pass
    except LoginWrong as wrong:
        raise Refused(str(wrong), 6) from None
    return made[0]


class _Rehearsed(Exception):
    """Everything went well, and nothing of it is to stay."""


def _let_in(centre: Centre, name: str, proposal: str, token_file: Path | None, dry_run: bool) -> bytes:
    code, new = typed("Code from who proposed it", "New password", confirm=True)
    task = Task(Permission.MANAGE_PEOPLE, "users password --proposal", f"{name} {proposal}", dry_run)
    with centre.acting(task, token_file) as actor, writing(centre.engine) as connection:
        secret = permits.use(
            connection,
            proposal,
            name,
            actor.name,
            code,
            new,
            centre.keys,
            random_bytes,
            centre.now_ms(),
        )
        if dry_run:
            connection.rollback()
    return secret


def _rescue(centre: Centre, name: str, dry_run: bool) -> bytes:
    (new,) = typed("New password", confirm=True)
    task = Task(Permission.RUN, "users password --rescue", name, dry_run)
    with centre.acting(task) as actor, writing(centre.engine) as connection:
        refuse_unless_needed(connection, name)
        secret = _set(centre, connection, name, new, actor.name)
        if dry_run:
            connection.rollback()
    return secret


def _set(centre: Centre, connection: Connection, name: str, new: str, by: str) -> bytes:
    return known.set_password(connection, name, new, centre.keys, random_bytes, by, centre.now_ms())
