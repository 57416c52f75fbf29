"""Which commands serve a return when the host that sold is gone?"""

from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.cli_proposals import More, ask, propose_it
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.returns.serve import BeginReturn, EndReturn
from settlement.web.what_goes_back import GoesBack, goes_back
from settlement.words import words
from subsidy.ids import is_record_id
from subsidy.money import yuan

returns = typer.Typer(help="Returns whose selling host is gone.", no_args_is_help=True)

RecordId = Annotated[str, typer.Argument(help="The sale's record id; it stands on the receipt.")]


@returns.command("begin")
def begin(
    record_id: RecordId,
    config: Config,
    reason: Annotated[str, typer.Option("--reason", help="Why the goods come back, in a line.")],
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Hold the sale's line back, at once, and print what the merchant gives back, and how.

    Only once the host that sold it is replaced: until then its own till returns the goods.

    Example:

        settlement returns begin RECORD_ID --config settlement.yaml --reason "does not cool"
    """
    why = words(reason, "--reason")

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        task = Task(Permission.FREEZE, "returns begin", record_id, dry_run)
        with centre.acting(task, token_file) as actor:
            _check(record_id)
            ask(centre, BeginReturn(record_id, why, actor.name), dry_run)
            found = _back(centre, record_id)
        document = {"dry_run": dry_run, **msgspec.to_builtins(found)}
        begun = "dry run, nothing was changed; it would be begun:" if dry_run else "begun:"
        return Shown(document, [f"{begun} the return of {record_id}", *_told(found)])

    run(work, json)


@returns.command("end")
def end(
    record_id: RecordId,
    config: Config,
    reference: Annotated[
        str, typer.Option("--reference", help="The document that shows it, as in the channel's own pages.")
    ],
    refunded: Annotated[
        bool, typer.Option("--refunded/--not-refunded", help="Whether the shopper has the money back.")
    ],
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to book what came of a return that the centre serves. Another person approves it.

    With the money back, quota and serial number are free and the grant goes back to where it came from.

    Example:

        settlement returns end RECORD_ID --config settlement.yaml --refunded --reference "refund 5030..."
    """
    command = EndReturn(record_id, refunded, words(reference, "--reference"))

    def told(centre: Centre) -> More:
        found = _back(centre, record_id)
        return More(msgspec.to_builtins(found), _told(found))

    def checked(_centre: Centre) -> EndReturn:
        _check(record_id)
        return command

    propose_it(checked, f"returns end {record_id}", config, token_file, set_, json, dry_run, told)


def _check(record_id: str) -> None:
    if not is_record_id(record_id):
        raise Refused("no record with this id is here. Check the id", 2)


def _back(centre: Centre, record_id: str) -> GoesBack:
    with reading(centre.engine) as connection:
        found = goes_back(connection, record_id)
    assert found is not None, "the writer has found it a moment ago, and records stay"
    return found


def _told(found: GoesBack) -> list[str]:
    traces = "  ".join(f"{name} {value}" for name, value in found.payment.items())
    return [
        f"give back {yuan(found.refund_fen)} by {found.tender or 'the way it was paid'}, and nothing else",
        f"payment   order {found.pay_ref}  {traces}".rstrip(),
        f"number    {found.refund_no}, where the channel lets you name the refund",
        f"then      settlement returns end {found.record_id} --refunded --reference ...",
    ]
