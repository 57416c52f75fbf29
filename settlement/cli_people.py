"""Which commands make users, and say what each may do?

What gives power or takes it from an administrator is proposed by one administrator and approved by another;
`people/standing.py` says when one is enough.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from settlement.app import Centre, open_centre
from settlement.cli_agreed import (
    ALONE,
    is_administrator,
    propose_to_administrators,
    refuse_administrator,
    refuse_unless_alone,
    refuse_unless_needed,
    takes_two,
)
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading, writing
from settlement.people import audit, permits, standing, totp
from settlement.people import users as known
from settlement.people.acting import Task
from settlement.people.agreed import AddUser, ChangeRoles, DisableUser
from settlement.people.credentials import name_of_account, token_given
from settlement.people.roles import Grant, Permission, Role, read_grant
from settlement.people.users import UserRefused
from settlement.system import random_bytes

users = typer.Typer(help="Who may do what here.", no_args_is_help=True)

User = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
Roles = Annotated[
    list[str] | None,
    typer.Option("--role", help="As in operations, or reviewer@county:320102, merchant@merchant:M001."),
]


@users.command("add")
def add(
    name: User,
    config: Config,
    role: Roles = None,
    service: Annotated[
        bool, typer.Option("--service", help="A program: tokens only, and it never approves.")
    ] = False,
    first: Annotated[
        bool, typer.Option("--first", help="An administrator, on the server, while there are not two.")
    ] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose a new user, or add one where nobody else could agree: --first, or as the one administrator.

    Another administrator approves, then lets the person in with `settlement users password --proposal`. Who
    is added at once types a password, or it is piped in; the second factor is shown once.

    Example:

        settlement users add wang --first --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        given = _grants(role)
        if not first and takes_two(centre, token_file):
            code = "" if service else permits.new_code(random_bytes)
            code_hash = permits.hash_of_code(code) if code else ""
            command = AddUser(name, tuple(map(str, given)), service, code_hash)
            roles = " ".join(command.roles)
            return propose_to_administrators(
                centre, command, "users add", token_file, dry_run, code, subject=roles
            )
        (password,) = ("",) if service else typed("Password", confirm=True)

        def make(connection: Connection, by: str) -> bytes:
            at_ms = centre.now_ms()
            if service:
                known.add_service(connection, name, by, at_ms)
                secret = b""
            else:
                secret = known.add_human(connection, name, password, centre.keys, random_bytes, by, at_ms)
            known.change_roles(connection, name, given, [], by, at_ms)
            return secret

        if first:
            secret = _add_first(centre, name, make, given, dry_run)
        else:
            task = Task(Permission.MANAGE_PEOPLE, "users add", " ".join([name, *map(str, given)]), dry_run)
            with centre.acting(task, token_file) as actor, writing(centre.engine) as connection:
                refuse_unless_alone(connection)
                secret = make(connection, actor.name)
                if dry_run:
                    connection.rollback()
        shown = None if dry_run or service else totp.address(secret, name, centre.pack.programme)
        document = {
            "name": name,
            "dry_run": dry_run,
            "roles": [str(one) for one in given] or ([Role.ADMINISTRATOR.value] if first else []),
            "second_factor": shown,
        }
        alone = [] if first else [ALONE]
        return Shown(document, [*said(f"{name} is added", dry_run), *factor_lines(shown), *alone])

    run(work, json)


@users.command("disable")
def disable(
    name: User,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let a user do nothing from now on, sessions and tokens included. It is for good.

    That an administrator is disabled is proposed to another one; on the server, without a token, it is done
    where no two others could agree.

    Example:

        settlement users disable wang --config settlement.yaml --token-file my.token
    """

    def work() -> Shown:
        centre = _open(config, set_)
        under_token, weighty = token_given(token_file) is not None, is_administrator(centre, name)
        if under_token and weighty:
            command = DisableUser(name)
            return propose_to_administrators(centre, command, "users disable", token_file, dry_run)
        permission = Permission.RUN if weighty else Permission.MANAGE_PEOPLE
        task = Task(permission, "users disable", name, dry_run)
        with centre.acting(task, token_file) as actor, writing(centre.engine) as connection:
            if under_token:
                refuse_administrator(connection, name)
            else:
                refuse_unless_needed(connection, name)
            known.disable(connection, name, actor.name, centre.now_ms())
            if dry_run:
                connection.rollback()
        return Shown({"name": name, "dry_run": dry_run}, said(f"{name} may do nothing any more", dry_run))

    run(work, json)


@users.command("roles")
def roles(
    name: User,
    config: Config,
    give: Annotated[list[str] | None, typer.Option("--give", help="A role, as in --role of `add`.")] = None,
    take: Annotated[list[str] | None, typer.Option("--take", help="A role to take away.")] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Give and take a user's roles; without either, show them.

    Roles other than administrator are taken at once; everything else another administrator approves.

    Example:

        settlement users roles li --give approver --config settlement.yaml --token-file my.token
    """

    def work() -> Shown:
        centre = _open(config, set_)
        giving, taking = _grants(give), _grants(take)
        weighty = bool(giving) or any(one.role is Role.ADMINISTRATOR for one in taking)
        changes = " ".join([*(f"+{one}" for one in giving), *(f"-{one}" for one in taking)])
        if weighty and takes_two(centre, token_file):
            command = ChangeRoles(name, tuple(map(str, giving)), tuple(map(str, taking)))
            return propose_to_administrators(
                centre, command, "users roles", token_file, dry_run, subject=changes
            )
        task = Task(Permission.MANAGE_PEOPLE, "users roles", f"{name} {changes}".strip(), dry_run)
        with centre.acting(task, token_file) as actor, writing(centre.engine) as connection:
            if weighty:
                refuse_unless_alone(connection)
            if giving or taking:
                known.change_roles(connection, name, giving, taking, actor.name, centre.now_ms())
            user = known.find(connection, name)
            if dry_run:
                connection.rollback()
        if user is None:
            raise Refused(f"there is no user {name}. `settlement users ls` lists them", 2)
        alone = [ALONE] if weighty else []
        return Shown({"dry_run": dry_run, **_document(user)}, [*said(_line(user), dry_run), *alone])

    run(work, json)


@users.command("ls")
def list_users(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """List every user with the roles.

    Example:

        settlement users ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_AUDIT, "users ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = known.everybody(connection)
        return Shown({"users": [_document(one) for one in found]}, [_line(one) for one in found])

    run(work, json)


def said(done: str, dry_run: bool) -> list[str]:
    """Return the line that says what was done, or would be."""
    return [f"dry run, nothing was changed; it would be: {done}" if dry_run else done]


def typed(*what: str, confirm: bool = False) -> list[str]:
    """Return what somebody types without its being shown, or pipes in, a line each.

    With `confirm` the last one is typed twice.
    """
    piped = typer.get_text_stream("stdin")
    if piped.isatty():
        twice = {what[-1]} if confirm else set()
        return [
            str(typer.prompt(one, hide_input=True, confirmation_prompt=one in twice, err=True))
            for one in what
        ]
    return [piped.readline().rstrip("\r\n") for _ in what]


def _add_first(
    centre: Centre,
    name: str,
    make: Callable[[Connection, str], bytes],
    given: list[Grant],
    dry_run: bool,
) -> bytes:
    """Add an administrator, under the account that owns the database, while there are not two."""
    if given:
        raise Refused("the first people are administrators. They give others the other roles", 2)
    account = name_of_account()
    with writing(centre.engine) as connection:
        if standing.two_can_agree(connection, name):
            raise UserRefused("there are two administrators already: they add others, under their tokens")
        secret = make(connection, account)
        first = [Grant(Role.ADMINISTRATOR)]
        known.change_roles(connection, name, first, [], account, centre.now_ms())
        if dry_run:
            connection.rollback()
    outcome = "dry run" if dry_run else "done"
    audit.note(centre.engine, centre.now_ms(), account, "os", "users add --first", name, outcome)
    return secret


def _grants(texts: list[str] | None) -> list[Grant]:
    found = []
    for text in texts or ():
        grant = read_grant(text)
        if grant is None:
            known_roles = ", ".join(Role)
            raise Refused(f"not a role. Known: {known_roles}; with a part as in reviewer@county:320102", 2)
        found.append(grant)
    return found


def _document(user: known.User) -> dict[str, Any]:
    return {
        "name": user.name,
        "kind": user.kind,
        "roles": [str(one) for one in user.grants],
        "made_by": user.made_by,
        "disabled_ms": user.disabled_ms,
    }


def _line(user: known.User) -> str:
    roles = ", ".join(map(str, user.grants)) or "no role"
    return f"{user.name:<16}{user.kind:<9}{roles}" + ("" if user.disabled_ms is None else "  (disabled)")


def factor_lines(shown: str | None) -> list[str]:
    """Return the line that shows a second factor."""
    return [] if shown is None else [f"second factor, shown this once: {shown}"]


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)
