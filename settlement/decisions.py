"""How does a decision by people reach the books, and who made it?

Freezing is for one person, at once. What frees money, goods or what was frozen is for two. Every such
decision of the command line goes through here and nowhere else.
"""

from settlement.app import Centre
from settlement.console import Refused
from settlement.system import account_name
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Denied


def who() -> str:
    """Return who decides: the account that runs the command."""
    return account_name()


def at_once(centre: Centre, command: Command, dry_run: bool) -> Answer:
    """Let what one person may decide happen, and return its answer. Raises Refused."""
    (answer,) = centre.writer(_raise).write_now([command], dry_run)
    if isinstance(answer, Denied):
        raise Refused(answer.detail, 2 if answer.status == 404 else 6)
    return answer


def by_two(centre: Centre, command: Command, dry_run: bool) -> Answer:
    """Let what two people must decide happen, and return its answer. Raises Refused."""
    return at_once(centre, command, dry_run)


def _raise(wrong: BaseException) -> None:
    raise wrong
