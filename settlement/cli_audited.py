"""How does a command that works on a whole centre run as somebody, and into the audit?"""

from collections.abc import Callable
from pathlib import Path

from settlement.app import Centre
from settlement.console import Shown
from settlement.people.acting import Task
from settlement.people.roles import Permission


def audited(
    centre: Centre, what: str, token_file: Path | None, work: Callable[[Centre], Shown], dry_run: bool = False
) -> Shown:
    """Let whoever runs the command do it; it is audited, and how it ended."""
    with centre.acting(Task(Permission.RUN, what, dry_run=dry_run), token_file):
        return work(centre)
