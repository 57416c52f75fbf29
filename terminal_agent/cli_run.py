"""How is the agent run from the command line?

The commands `run` and `resume`, which alone put a whole agent together.
"""

from pathlib import Path
from typing import Annotated

import typer

from subsidy.strict.yaml_text import FileError
from terminal_agent.app import Agent, NotEnrolled
from terminal_agent.config import read_config
from terminal_agent.console import (
    DEFAULT,
    DOWN,
    LOOK_AT_IT,
    REFUSED,
    ConfigOption,
    JsonOption,
    address_of,
    explained,
    fail,
    refuse_training,
    show,
)
from terminal_agent.log import make_log
from terminal_agent.till.local import port_problem


def run(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Serve the tills until told to stop. Example: terminal-agent run --config agent.yaml"""
    with explained(as_json):
        agent = _trusted_agent(config)
        if (why := port_problem(*address_of(config))) is not None:
            fail(why, DOWN)
        agent.start()
        host, port = address_of(config)
        show({"till_api": f"http://{host}:{port}"}, as_json, f"the till API is at http://{host}:{port}")
        agent.serve()


def resume(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is open.")] = False,
) -> None:
    """Finish what a power cut left open, then end. Example: terminal-agent resume --config agent.yaml"""
    with explained(as_json):
        agent = _trusted_agent(config)
        if not dry_run:
            agent.resume()
        still_open = [sale.record_id for sale in agent.journal.unfinished()]
        show(
            {"open": still_open, "outbox": agent.journal.numbers()["depth"]},
            as_json,
            f"open sales: {', '.join(still_open) or 'none'}",
        )
        raise typer.Exit(LOOK_AT_IT if still_open else 0)


def _trusted_agent(config: Path) -> Agent:
    """Return the agent once its enrolment fits its configuration: a training device stays one."""
    settings = read_config(config)
    # Opened once: a journal with much in it takes its time to be checked.
    try:
        agent = Agent(settings, make_log())
    except NotEnrolled as wrong:
        fail(str(wrong), REFUSED)
    try:
        refuse_training(settings, training=agent.device.training)
        if agent.enrolled_at != settings.centre:
            raise FileError(
                str(config),
                1,
                "centre",
                "is not the centre this host enrolled at",
                f"Write {agent.enrolled_at}",
            )
    except Exception:
        agent.journal.shut()
        raise
    return agent
