"""How does an operator look at the books of the fund?"""

import typer

from catalog_sync.commands import commands_at
from settlement.app import open_centre
from settlement.config import read_settings
from settlement.console import Config, Json, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.ledger import read_books
from settlement.people.acting import Task
from settlement.people.roles import Permission
from subsidy.money import yuan

_COMMANDS = commands_at(
    {
        "rebuild": "settlement.cli_rebuild:rebuild",
        "verify": "settlement.cli_ledger:verify",
        "balances": "settlement.cli_ledger:balances",
    }
)

ledger = typer.Typer(cls=_COMMANDS, help="The books of the fund.", no_args_is_help=True)


def verify(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Check that every posting set sums to zero and balances equal their fold. Exit 0 or 1.

    Example:

        settlement ledger verify --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "ledger verify"), token_file),
            reading(centre.engine) as connection,
        ):
            found = list(read_books.faults(connection))
        lines = found or ["the books are true: postings sum to zero, balances equal their fold"]
        return Shown({"true": not found, "faults": found}, lines, 1 if found else 0)

    run(work, json)


def balances(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Print every balance, in yuan; with --json in fen.

    Example:

        settlement ledger balances --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "ledger balances"), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_books.balances(connection)
        ordered = sorted(found.items(), key=lambda one: (one[0][2:], *one[0]))
        rows = [
            {"year": year, "pool": pool, "funder": funder, "account": account.value, "fen": fen}
            for (funder, account, year, pool), fen in ordered
        ]
        lines = [
            f"{year}  {funder:<15} {account.value:<24}{yuan(fen):>18}  {pool}".rstrip()
            for (funder, account, year, pool), fen in ordered
        ]
        return Shown({"balances": rows}, lines or ["no money has moved yet"])

    run(work, json)
