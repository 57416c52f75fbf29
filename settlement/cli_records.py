"""Which command settles a record that is blocked or kept, or a late grant?"""

from typing import Annotated

import typer

from settlement.claims.settle_record import MAY_BE_ACCEPTED, AcceptDifference, RejectRecord
from settlement.cli_proposals import propose_it
from settlement.console import Config, DryRun, Json, Set, TokenFile
from settlement.words import words

records = typer.Typer(help="Records that are blocked or kept, and late grants.", no_args_is_help=True)


@records.callback()
def about() -> None:
    """Records that are blocked or kept, and late grants."""


@records.command("settle")
def settle(
    record_id: Annotated[str, typer.Argument(help="The sale's record id; it stands on the receipt.")],
    config: Config,
    reason: Annotated[str, typer.Option("--reason", help="What was found out, in a line.")],
    reject: Annotated[bool, typer.Option("--reject", help="The fund does not pay it.")] = False,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="DIFFERENCE", help=f"Lift one of {', '.join(MAY_BE_ACCEPTED)}."),
    ] = None,
    free_person_and_serial: Annotated[
        bool,
        typer.Option("--free-person-and-serial", help="With --reject: nothing was sold, free both."),
    ] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to reject a record for good, or to lift a difference from its line. Another person approves it.

    Rejected, its money is available again; a late grant only stops being claimed. Accepted, its line may be
    claimed when nothing else is against it.

    Example:

        settlement records settle RECORD_ID --config settlement.yaml --reject --reason "no such sale"
    """
    if reject == (accept is not None):
        raise typer.BadParameter("give one of --reject and --accept DIFFERENCE", param_hint="--reject")
    if free_person_and_serial and not reject:
        raise typer.BadParameter("goes with --reject only", param_hint="--free-person-and-serial")
    why = words(reason, "--reason")
    command = (
        RejectRecord(record_id, free_person_and_serial, why)
        if accept is None
        else AcceptDifference(record_id, words(accept, "--accept"), why)
    )
    what = f"records settle {record_id}"
    propose_it(lambda _centre: command, what, config, token_file, set_, json, dry_run)
