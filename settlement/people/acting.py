"""Who runs this command, may they, and how does it get into the audit?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from settlement.people import audit
from settlement.people.credentials import TOKEN_VARIABLE, name_of_account, token_given
from settlement.people.roles import EVERYTHING, OF_THE_SERVER, Permission, Reach, reach
from settlement.people.sessions import Actor, who_is


class NotAllowed(Exception):
    """Whoever runs the command may not. The message says what to do."""


class Task(msgspec.Struct, frozen=True):
    """What is done, as the audit has it: `what` is the command's words, `subject` what it is about."""

    permission: Permission
    what: str
    subject: str = ""
    dry_run: bool = False


@contextmanager
def acting(
    engine: Engine, now_ms: Callable[[], int], task: Task, token_file: Path | None = None
) -> Iterator[Actor]:
    """Find out who acts and let them; it is audited, and how it ended. Raises NotAllowed and FileError."""
    token = token_given(token_file)

    def note(actor: Actor, outcome: str) -> None:
        audit.note(engine, now_ms(), actor.name, actor.via, task.what, task.subject, outcome)

    actor = Actor(name_of_account(), "os", (), False) if token is None else who_is(engine, token, now_ms())
    if actor is None:
        raise NotAllowed("the token does not count: it has ended, was revoked, or its user is disabled")
    if _reach(actor, task.permission) is None:
        note(actor, "denied")
        raise NotAllowed(_why(actor, task))
    try:
        yield actor
    except BaseException:
        note(actor, "refused")
        raise
    note(actor, "dry run" if task.dry_run else "done")


def _reach(actor: Actor, permission: Permission) -> Reach | None:
    """Commands show and change the whole programme: a role for a part of it is not enough."""
    if actor.via == "os":
        return EVERYTHING if permission in OF_THE_SERVER else None
    found = reach(actor.grants, permission)
    return found if found is not None and found.everything else None


def _why(actor: Actor, task: Task) -> str:
    if actor.via == "os":
        return (
            f"`settlement {task.what}` needs a user, not only this account. Put a user's token into "
            f"{TOKEN_VARIABLE} or name its file with --token-file; `settlement token new` makes one"
        )
    return (
        f"{actor.name} may not {task.permission} everywhere. An administrator gives roles: "
        "`settlement users roles`"
    )
