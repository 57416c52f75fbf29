"""How is the agent run from the command line?

The commands `run` and `resume`, which alone put a whole agent together.
"""

from contextlib import suppress
from typing import Annotated

import typer

from terminal_agent.console import (
    DEFAULT,
    DOWN,
    LOOK_AT_IT,
    ConfigOption,
    JsonOption,
    address_of,
    explained,
    fail,
    show,
)
from terminal_agent.till.local import port_problem


def run(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Serve the tills until told to stop. Example: terminal-agent run --config agent.yaml"""
    # Loaded here: help that lists all commands loads this one too, and need not wait for a whole agent.
    from terminal_agent.trusted_agent import trusted_agent

    with explained(as_json):
        agent = trusted_agent(config)
        if (why := port_problem(*address_of(config))) is not None:
            fail(why, DOWN)
        agent.start()
        host, port = address_of(config)
        with suppress(OSError):  # a full disk below standard output stops no agent
            show({"till_api": f"http://{host}:{port}"}, as_json, f"the till API is at http://{host}:{port}")
        agent.serve()


def resume(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is open.")] = False,
) -> None:
    """Finish what a power cut left open, then end. Example: terminal-agent resume --config agent.yaml"""
    # Here for the same reason.
    from terminal_agent.trusted_agent import trusted_agent

    with explained(as_json):
        agent = trusted_agent(config)
        if not dry_run:
            agent.resume()
        still_open = [sale.record_id for sale in agent.journal.unfinished()]
        show(
            {"open": still_open, "outbox": agent.journal.numbers()["depth"]},
            as_json,
            f"open sales: {', '.join(still_open) or 'none'}",
        )
        raise typer.Exit(LOOK_AT_IT if still_open else 0)
