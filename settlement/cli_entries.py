"""Which command settles an entry that could not be taken?"""

from typing import Annotated

import typer

from settlement.cli_proposals import propose_it
from settlement.console import Config, DryRun, Json, Set, TokenFile
from settlement.intake.settle_entry import SettleEntry
from settlement.words import words

entries = typer.Typer(help="What shops have reported and could not be taken.", no_args_is_help=True)


@entries.callback()
def about() -> None:
    """What shops have reported and could not be taken."""


@entries.command("settle")
def settle(
    entry: Annotated[
        str,
        typer.Argument(
            metavar="DEVICE/EPOCH/SEQ",
            help="The entry, as `settlement alarms` and GET /v1/differences name it.",
        ),
    ],
    config: Config,
    reason: Annotated[str, typer.Option("--reason", help="What was found out, in a line.")],
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose that nothing waits about an entry in quarantine any more. Another person approves it.

    No money moves, and the entry stays as it came. One that comes again and can be taken then is taken.

    Example:

        settlement entries settle DEVICE/1/17 --config settlement.yaml --reason "sent twice, paid once"
    """
    command = SettleEntry(words(entry, "DEVICE/EPOCH/SEQ"), words(reason, "--reason"))
    what = f"entries settle {entry}"
    propose_it(lambda _centre: command, what, config, token_file, set_, json, dry_run)
