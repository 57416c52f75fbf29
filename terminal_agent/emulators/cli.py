"""Which emulators can be started from the command line?

The sub-command `terminal-agent emulate`.
"""

import typer

from catalog_sync.commands import commands_at

# In the order of the help.
_EMULATORS = commands_at(
    {
        "terminal": "terminal_agent.emulators.cli_cards:terminal",
        "acquirer": "terminal_agent.emulators.cli_cards:acquirer",
        "wechat": "terminal_agent.emulators.cli_wallets:wechat",
        "line-terminal": "terminal_agent.emulators.cli_cards:line_terminal",
        "alipay": "terminal_agent.emulators.cli_wallets:alipay",
        "unionpay": "terminal_agent.emulators.cli_wallets:unionpay",
    }
)

app = typer.Typer(
    name="emulate",
    cls=_EMULATORS,
    help="Play the other side of a payment link, with faults on demand.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def emulate() -> None:
    """Play the other side of a payment link, with faults on demand. No money moves anywhere."""


if __name__ == "__main__":
    app()
