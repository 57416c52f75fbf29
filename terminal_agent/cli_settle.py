"""How is a terminal's batch closed at its acquirer's host? The command `settle`."""

from typing import Annotated

import msgspec
import typer

from terminal_agent.config import read_config
from terminal_agent.console import (
    DEFAULT,
    DOWN,
    LOOK_AT_IT,
    REFUSED,
    ConfigOption,
    JsonOption,
    explained,
    fail,
    show,
)
from terminal_agent.journal.by_hand import journal_at
from terminal_agent.system import SystemClock
from terminal_agent.terminals.direct.closing import NotConfirmed, close_batches, may_still_move, words_on
from terminal_agent.terminals.direct.driver import DirectTerminal
from terminal_agent.till.local import AgentStatus, ask_agent


def settle(
    terminal: Annotated[str, typer.Argument(help="The terminal's number, as in the agent's YAML file.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the open batch.")] = False,
) -> None:
    """Close a terminal's batch at its acquirer's host. Example: terminal-agent settle 12345678"""
    with explained(as_json):
        settings = read_config(config)
        if terminal not in settings.terminals:
            fail(f"{terminal} is not in the configuration. Name one of its terminals", REFUSED)
        payment = settings.terminals[terminal].payment(SystemClock())
        if not isinstance(payment, DirectTerminal):
            fail(f"{terminal} closes its batches itself. Settle it at the terminal", REFUSED)
        if ask_agent(settings.host, settings.port, "/v1/status", AgentStatus) is not None:
            fail("The agent runs. Stop it first", REFUSED)
        journal = journal_at(settings.journal)
        if may_still_move(terminal, payment, journal):
            fail(f"Money may still move on {terminal}. Run `terminal-agent resume` first", REFUSED)
        try:
            settled = close_batches(terminal, payment, journal, dry_run=dry_run)
        except NotConfirmed as wrong:
            fail(str(wrong), DOWN)
        *earlier, now = [msgspec.to_builtins(one) for one in settled]
        document = now | {"dry_run": dry_run, "earlier": earlier}
        show(document, as_json, "\n".join(words_on(one) for one in settled))
        if dry_run:
            return
        for one in settled:
            journal.closing_told(terminal, one.batch)
        raise typer.Exit(0 if all(one.balanced for one in settled) else LOOK_AT_IT)
