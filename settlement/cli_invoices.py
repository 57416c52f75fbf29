"""Which command takes in an invoice that was verified?"""

from typing import Annotated

import typer

from settlement.app import Centre
from settlement.cli_proposals import propose_it
from settlement.console import Config, DryRun, Json, Refused, Set, TokenFile
from settlement.invoices.take import TakeInvoice
from settlement.words import words
from subsidy.ids import is_record_id
from subsidy.money import fen_from_yuan

invoices = typer.Typer(help="Verified invoices of sales that were paid in cash.", no_args_is_help=True)


@invoices.command("take")
def take(
    record_id: Annotated[str, typer.Argument(help="The sale's record id; it stands on the receipt.")],
    config: Config,
    number: Annotated[str, typer.Option("--number", help="The invoice's number: 20 digits, or 8 on paper.")],
    total: Annotated[str, typer.Option("--total", metavar="YUAN", help='With tax, as in "3999.00".')],
    reference: Annotated[
        str, typer.Option("--reference", help="What shows that it was verified, as the query's number.")
    ],
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to take in the verified invoice of a sale paid in cash. Another person approves it.

    Its total is the final price of the sale. Then the line can be claimed like any other.

    Example:

        settlement invoices take RECORD_ID --config settlement.yaml --number 25322000000012345678 \\
            --total 3999.00 --reference "query 2026-03-02/17"
    """

    def checked(_centre: Centre) -> TakeInvoice:
        if not is_record_id(record_id):
            raise Refused("no record with this id is here. Check the id", 2)
        try:
            total_fen = fen_from_yuan(total)
        except ValueError:
            raise typer.BadParameter(
                "write yuan with two decimals, as in 3999.00", param_hint="--total"
            ) from None
        return TakeInvoice(record_id, number, total_fen, words(reference, "--reference"))

    propose_it(checked, f"invoices take {record_id}", config, token_file, set_, json, dry_run)
