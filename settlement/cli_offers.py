"""Which command says who bore a part of a payment?"""

from typing import Annotated

import typer

from settlement.app import Centre
from settlement.cli_proposals import propose_it
from settlement.console import Config, DryRun, Json, Refused, Set, TokenFile
from settlement.offers.bearers import BorneBy
from settlement.offers.explain import ExplainOffer
from settlement.reconcile.lines import is_our_shape
from settlement.words import words
from subsidy.money import fen_from_yuan

offers = typer.Typer(help="What banks, channels and shops bore of payments.", no_args_is_help=True)


@offers.command("explain")
def explain(
    pay_ref: Annotated[str, typer.Argument(help="The payment, as the difference names it.")],
    config: Config,
    borne_by: Annotated[BorneBy, typer.Option("--borne-by", help="Who it was, as the channel has said.")],
    amount: Annotated[str, typer.Option("--amount", metavar="YUAN", help='As the difference says: "5.00".')],
    reference: Annotated[
        str, typer.Option("--reference", help="What shows it, as the number of the channel's answer.")
    ],
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose who bore a part of a payment. Another person approves it.

    It closes the night's difference (channel_discount), and later nights find none. A bank or channel owes
    its part to the shop; what the shop or the shopper bore is owed by nobody. With "subsidy" the line stays
    held back: the channel has taken the subsidy off itself, and nobody pays it twice.

    Example:

        settlement offers explain PAY_REF --config settlement.yaml --borne-by alipay --amount 5.00 \\
            --reference "Alipay's answer 2026-03-04/12"
    """

    def checked(_centre: Centre) -> ExplainOffer:
        if not is_our_shape(pay_ref):
            raise Refused("no payment is called so. Copy its order number from the difference", 2)
        try:
            fen = fen_from_yuan(amount)
        except ValueError:
            raise typer.BadParameter(
                "write yuan with two decimals, as in 5.00", param_hint="--amount"
            ) from None
        return ExplainOffer(pay_ref, borne_by, fen, words(reference, "--reference"))

    propose_it(checked, f"offers explain {pay_ref}", config, token_file, set_, json, dry_run)
