"""What waits for the centre? The sub-command `terminal-agent outbox`."""

from collections.abc import Mapping
from typing import Annotated

import typer

from terminal_agent.config import read_config
from terminal_agent.console import DEFAULT, ConfigOption, JsonOption, explained, show
from terminal_agent.journal.by_hand import journal_at
from terminal_agent.till.local import AgentOutbox, ask_agent

app = typer.Typer(no_args_is_help=True, help="What waits for the centre.")


@app.command("ls")
def outbox_ls(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List what waits for the centre or is in quarantine there. Example: terminal-agent outbox ls"""
    with explained(as_json):
        settings = read_config(config)
        found = ask_agent(settings.host, settings.port, "/v1/outbox", AgentOutbox)
        if found is None:
            found = journal_at(settings.journal).listed_outbox()
        lines = [_line_of(one) for one in found["waiting"]]
        # An agent of before this version does not list these.
        lines += [f"{_line_of(one)}  quarantined" for one in found.get("quarantined", [])]
        show(found, as_json, "\n".join(lines) or "nothing waits")


@app.command("again")
def outbox_again(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    after: Annotated[
        int,
        typer.Option("--after", min=0, help="Only entries after this one, up to which the centre has all."),
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Report again what was acknowledged, after the centre was restored. What it has changes nothing there.

    Up to which entry the restored centre has all of this shop's, `settlement devices gaps` says there.

    Example: terminal-agent outbox again --after 1200 --config agent.yaml
    """
    with explained(as_json):
        journal = journal_at(read_config(config).journal)
        last = journal.last_seq()
        if after > last:
            raise typer.BadParameter(
                f"this shop has made {last} entries so far. Ask the centre for this device's number",
                param_hint="--after",
            )
        count = journal.acknowledged_after(after)
        if not dry_run:
            journal.wait_again(after)
        words = f"{count} entries {'would wait' if dry_run else 'wait'} again: start the agent"
        show({"again": count, "dry_run": dry_run}, as_json, words)


def _line_of(entry: Mapping[str, object]) -> str:
    return f"{entry['seq']:>6}  {entry['kind']:<10}  {entry['record_id']}"
