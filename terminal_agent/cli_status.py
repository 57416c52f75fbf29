"""How is the running agent? The command `status`."""

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
from terminal_agent.till.local import SAY_WHICH, AgentStatus, ask_agent, lines_of, looks_of, put_aside

_OLD_COPY = "the journal is an old copy: the centre has heard more of this device. Enrol this host anew"


def status(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Show how the running agent is. Example: terminal-agent status --config agent.yaml"""
    with explained(as_json):
        found = ask_agent(*address_of(config), "/v1/status", AgentStatus)
        if found is None:
            fail("The agent does not run. Start it with `terminal-agent run`", DOWN)
        lines = (
            f"{'online' if found['online'] else 'offline'}, {found['outbox']['depth']} waiting "
            f"(oldest {found['outbox']['oldest_s']} s), {found['parked']} parked, "
            f"{found['returning']} returning"
        )
        # An agent of before this version does not know of old copies.
        troubles = [_OLD_COPY] if found.get("is_old_copy") else []
        if found.get("refused_by_centre"):
            troubles.append(f"the centre refuses this device: {found['refused_by_centre']}")
        lines += "".join(f"\n{trouble}" for trouble in troubles)
        if quarantined := found["outbox"]["quarantined"]:
            lines += f"\n{put_aside(quarantined)}. {SAY_WHICH}"
        for link in found["links_missing"]:
            lines += f"\n{link} is not in the configuration, and money may still move on it. Put it back"
        troubled = {number: problem for number, problem in lines_of(found).items() if problem}
        for number, problem in troubled.items():
            lines += f"\nterminal {number}: {problem}"
        looks = looks_of(found)
        for look in looks:
            lines += f"\nterminal {look.terminal_no}, {look.in_words}"
        for certificate in found.get("certificates", []):
            lines += f"\n{certificate}. Put the new one into its file; no restart is needed"
        # An agent of before this version says nothing of its disk.
        disk = found.get("disk", {"free_mib": 0, "least_free_mib": 0})
        is_full = disk["free_mib"] < disk["least_free_mib"]
        if is_full:
            lines += f"\n{disk['free_mib']} MiB free on the disk: no subsidised sale begins. Free space"
        show(found, as_json, lines)
        undecided = found["parked"] or found["returning"] or found["links_missing"]
        told = troubles or troubled or looks or found.get("certificates", []) or quarantined or is_full
        worth_a_look = not found["online"] or undecided or told
        raise typer.Exit(LOOK_AT_IT if worth_a_look else 0)
