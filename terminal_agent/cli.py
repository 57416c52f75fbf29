"""What can shop IT do from the command line?

Exit codes: 0 done, 1 a bug of ours, 2 usage, 3 configuration or data file invalid, 4 done with
something to look at, 5 something needed is down, 6 refused by a rule or a lock.
"""

from typing import Annotated

import typer

from catalog_sync.commands import commands_at
from subsidy import __version__

# In the order of the help.
_COMMANDS = commands_at(
    {
        "certify": "terminal_agent.certify.cli:certify",
        "run": "terminal_agent.cli_run:run",
        "resume": "terminal_agent.cli_run:resume",
        "settle": "terminal_agent.cli_settle:settle",
        "enrol": "terminal_agent.cli_enrol:enrol",
        "pin-hash": "terminal_agent.cli_enrol:pin_hash",
        "status": "terminal_agent.cli_status:status",
        "doctor": "terminal_agent.cli_doctor:doctor",
        "mend": "terminal_agent.cli_doctor:mend",
        "outbox": "terminal_agent.cli_outbox:app",
        "emulate": "terminal_agent.emulators.cli:app",
        "iso8583": "terminal_agent.iso8583_cli:app",
        "trace": "terminal_agent.cli_trace:app",
    }
)

app = typer.Typer(
    cls=_COMMANDS, no_args_is_help=True, pretty_exceptions_enable=False, help="The shop's agent."
)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"terminal-agent {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and stop."),
    ] = False,
) -> None:
    """The shop's agent."""


def main() -> None:
    """Run the command line."""
    app()
