"""Is this host fit to sell, and its journal whole? The commands `doctor` and `mend`."""

from typing import Annotated

import typer

from terminal_agent import doctor as doctor_checks
from terminal_agent.config import read_config
from terminal_agent.console import (
    DEFAULT,
    LOOK_AT_IT,
    REFUSED,
    ConfigOption,
    JsonOption,
    explained,
    fail,
    show,
)
from terminal_agent.journal.mend import look as look_at_journal
from terminal_agent.journal.mend import mend as mend_journal
from terminal_agent.till.local import AgentStatus, ask_agent


def doctor(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Check whether this host is fit to sell. Example: terminal-agent doctor --config agent.yaml"""
    with explained(as_json):
        settings = read_config(config)
        said = ask_agent(settings.host, settings.port, "/v1/status", AgentStatus)
        runs = said is not None
        findings = doctor_checks.examine(settings, agent_runs=runs, said=said)
        shown = [
            f"{'ok ' if one.well else 'NOT'} {one.check}: {one.found}"
            + ("" if one.well else f". {one.remedy}")
            for one in findings
        ]
        document = [
            {"check": o.check, "well": o.well, "found": o.found, "remedy": o.remedy} for o in findings
        ]
        show({"agent_runs": runs, "checks": document}, as_json, "\n".join(shown))
        raise typer.Exit(0 if all(one.well for one in findings) else LOOK_AT_IT)


def mend(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look.")] = False,
) -> None:
    """Make a damaged journal anew from its black box, or the other way round. Example: terminal-agent mend"""
    with explained(as_json):
        settings = read_config(config)
        if ask_agent(settings.host, settings.port, "/v1/status", AgentStatus) is not None:
            fail("The agent runs. Stop it first", REFUSED)
        found = look_at_journal(settings.journal) if dry_run else mend_journal(settings.journal)
        document = {"database": found.database, "black_box": found.black_box, "rows": found.rows}
        text = f"database: {found.database}\nblack box: {found.black_box}, {found.rows} rows"
        show(document | {"dry_run": dry_run}, as_json, text)
        raise typer.Exit(0 if found.is_well else LOOK_AT_IT)
