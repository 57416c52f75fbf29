"""Which commands does the centre have, and where is each? They parse and call; `console.py` answers."""

from typing import Annotated

import typer

from catalog_sync.commands import commands_at
from subsidy import __version__

# In the order of the help.
_COMMANDS = commands_at(
    {
        "top-up": "settlement.cli_funds:top_up",
        "transfer": "settlement.cli_funds:transfer",
        "propose": "settlement.cli_proposals:propose",
        "approve": "settlement.cli_proposals:approve",
        "alarms": "settlement.cli_alarms:alarms",
        "backup": "settlement.cli_copies:backup",
        "restore": "settlement.cli_copies:restore",
        "restored": "settlement.cli_copies:restored",
        "drill": "settlement.cli_copies:drill",
        "move": "settlement.cli_copies:move",
        "init": "settlement.cli_init:init",
        "serve": "settlement.cli_serve:serve",
        "enrol-code": "settlement.cli_enrol_code:enrol_code",
        "import": "settlement.cli_imports:imports",
        "night": "settlement.cli_night:night",
        "ledger": "settlement.cli_ledger:ledger",
        "config": "settlement.cli_config:config_group",
        "claims": "settlement.cli_claims:claims",
        "year": "settlement.cli_claims:year",
        "register": "settlement.cli_registers:registers",
        "users": "settlement.cli_passwords:users",
        "token": "settlement.cli_tokens:tokens",
        "proposals": "settlement.cli_proposals:proposals",
        "audit": "settlement.cli_tokens:audit_log",
        "holds": "settlement.cli_holds:holds",
        "devices": "settlement.cli_devices:devices",
        "returns": "settlement.cli_returns:returns",
        "invoices": "settlement.cli_invoices:invoices",
        "offers": "settlement.cli_offers:offers",
        "records": "settlement.cli_records:records",
        "entries": "settlement.cli_entries:entries",
        "freeze": "settlement.cli_freeze:freeze",
    }
)

app = typer.Typer(
    name="settlement",
    cls=_COMMANDS,
    help="The centre: the fund's promises, its books, and everything the shops report.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"settlement {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and stop."),
    ] = False,
) -> None:
    """The centre: the fund's promises, its books, and everything the shops report."""


def main() -> None:
    """Run the command line."""
    app(prog_name="settlement")
