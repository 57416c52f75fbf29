"""Which commands make tokens, and read the audit?"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from settlement.app import Centre, open_centre
from settlement.cli_people import said, typed
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading, writing
from settlement.people import audit, login
from settlement.people import tokens as kept_tokens
from settlement.people import users as known
from settlement.people.acting import Task
from settlement.people.credentials import token_given
from settlement.people.login import Door, LoginWrong
from settlement.people.roles import Permission
from settlement.people.rules import SERVICE
from settlement.people.users import UserRefused
from settlement.system import Lock, random_bytes
from subsidy import calendar

tokens = typer.Typer(help="Tokens by which programs and commands act for a user.", no_args_is_help=True)
audit_log = typer.Typer(help="Who did what.", no_args_is_help=True)

_DAY_MS = 86_400_000


@tokens.command("new")
def new_token(
    label: Annotated[str, typer.Argument(help="What it is for, as in till-report.")],
    config: Config,
    user: Annotated[
        str | None,
        typer.Option("--user", help="Log in as this person, or, for a service, the service."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, max=3660, help="How long it counts; without it, for good.")
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make a token; it is shown once. Without a token of your own, log in with --user.

    A person's token is made by that person alone; a service's by an administrator. Whoever makes one
    types password and code, also under a token.

    Example:

        settlement token new laptop --user wang --days 30 --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        ends_ms = None if days is None else centre.now_ms() + days * _DAY_MS

        def make(connection: Connection, name: str, by: str) -> str:
            made = kept_tokens.make(connection, name, label, random_bytes, by, centre.now_ms(), ends_ms)
            if dry_run:
                connection.rollback()
            return made

        if token_given(token_file) is not None:
            made = _token_under_token(centre, user, label, token_file, dry_run, make)
        elif user is None:
            raise Refused("whose? Name the person with --user, or give a token with --token-file", 2)
        else:
            made = _token_by_login(centre, user, label, dry_run, make)
        document = {"label": label, "dry_run": dry_run, "token": None if dry_run else made}
        return Shown(document, said(f"token  {'' if dry_run else made} (shown this once)", dry_run))

    run(work, json)


@tokens.command("revoke")
def revoke(
    label: Annotated[str, typer.Argument(help="The token's label.")],
    config: Config,
    user: Annotated[str | None, typer.Option("--user", help="Whose; without it, your own.")] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let a token count no more: your own, or as an administrator anybody's.

    Example:

        settlement token revoke laptop --config settlement.yaml --token-file my.token
    """

    def work() -> Shown:
        centre = _open(config, set_)
        permission = Permission.LEAVE if user is None else Permission.MANAGE_PEOPLE
        task = Task(permission, "token revoke", f"{user or ''} {label}".strip(), dry_run)
        with centre.acting(task, token_file) as actor, writing(centre.engine) as connection:
            kept_tokens.revoke(connection, user or actor.name, label, centre.now_ms())
            if dry_run:
                connection.rollback()
        return Shown({"label": label, "dry_run": dry_run}, said(f"{label} counts no more", dry_run))

    run(work, json)


@tokens.command("ls")
def list_tokens(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """List every token by label, never the token itself.

    Example:

        settlement token ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_AUDIT, "token ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = kept_tokens.of(connection, None)
            disabled = {one.name for one in known.everybody(connection) if one.disabled_ms is not None}
        now_ms = centre.now_ms()
        lines = [
            f"{one.name:<16}{one.label:<24}"
            + ("its user is disabled" if one.name in disabled else _standing(one, now_ms))
            for one in found
        ]
        return Shown({"tokens": msgspec.to_builtins(found)}, lines or ["no token was ever made"])

    run(work, json)


@audit_log.command("ls")
def list_audit(
    config: Config,
    after: Annotated[int, typer.Option("--after", min=0, help="Only entries behind this number.")] = 0,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Print who did what, oldest first, 1000 entries at a time.

    Example:

        settlement audit ls --config settlement.yaml --after 2000
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_AUDIT, "audit ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = audit.entries(connection, after, 1000)
        lines = [
            f"{one.entry_no:>7}  {calendar.from_ms(one.at_ms).isoformat(timespec='seconds')}  {one.who} "
            f"({one.via})  {one.what}  {one.subject}  {one.outcome}"
            for one in found
        ]
        return Shown({"entries": msgspec.to_builtins(found)}, lines or [f"nothing behind entry {after}"])

    run(work, json)


@audit_log.command("verify")
def verify_audit(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Check that no entry of the audit was changed, and none taken out before the newest. Exit 0 or 1.

    Note number and hash of the newest entry: at the next look it must still be there. `settlement drill`
    holds the newest one of the last backup against the audit.

    Example:

        settlement audit verify --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_AUDIT, "audit verify"), token_file),
            reading(centre.engine) as connection,
        ):
            found = list(audit.faults(connection))
            newest_no, newest_hash = audit.newest(connection)
        lines = found or [
            "the audit is whole: every entry follows the one before it",
            f"newest    entry {newest_no}, {newest_hash}",
        ]
        document = {"whole": not found, "faults": found, "newest": newest_no, "newest_hash": newest_hash}
        return Shown(document, lines, 1 if found else 0)

    run(work, json)


def _token_under_token(
    centre: Centre,
    user: str | None,
    label: str,
    token_file: Path | None,
    dry_run: bool,
    make: Callable[[Connection, str, str], str],
) -> str:
    """Make a token of one's own, or, as an administrator, a service's.

    Whoever has the token shows password and second factor again: nothing that ends or is revoked may leave
    behind what counts for good.
    """
    permission = Permission.LEAVE if user is None else Permission.MANAGE_PEOPLE
    task = Task(permission, "token new", f"{user or ''} {label}".strip(), dry_run)
    with centre.acting(task, token_file) as actor:
        if not actor.is_human:
            raise UserRefused(f"{actor.name} is a service: an administrator makes its tokens")
        with reading(centre.engine) as connection:
            found = None if user is None else known.find(connection, user)
        if found is not None and found.kind != SERVICE:
            raise UserRefused(f"{user} is a person, who alone makes tokens: without a token, by logging in")
        return _logged_in(
            centre, actor.name, lambda connection, _: make(connection, user or actor.name, actor.name)
        )


def _token_by_login(
    centre: Centre, user: str, label: str, dry_run: bool, make: Callable[[Connection, str, str], str]
) -> str:
    """Make a token of a person who has none at hand."""

    def then(connection: Connection, at_ms: int) -> str:
        made = make(connection, user, user)
        if not dry_run:
            audit.write(connection, at_ms, user, "login", "token new", label, "done")
        return made

    return _logged_in(centre, user, then)


def _logged_in(centre: Centre, name: str, then: Callable[[Connection, int], str]) -> str:
    """Do `then` once the person has typed password and second factor, and return what it returns."""
    password, code = typed(f"Password of {name}", "Code of the second factor")
    door = Door(centre.engine, centre.keys, centre.now_ms, random_bytes, Lock())
    try:
        return login.check(door, name, password, code, then)
    except LoginWrong as wrong:
        raise Refused(str(wrong), 6) from None


def _standing(one: kept_tokens.Token, now_ms: int) -> str:
    if one.revoked_ms is not None:
        return "revoked"
    if one.ends_ms is None:
        return "counts"
    day = calendar.from_ms(one.ends_ms).date().isoformat()
    return f"{'ended' if one.ends_ms <= now_ms else 'counts until'} {day}"


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)
