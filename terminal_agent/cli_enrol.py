"""How does a host become a device of its centre, and a person a supervisor?

The commands `enrol` and `pin-hash`.
"""

from pathlib import Path
from typing import Annotated

import typer

from subsidy import __version__
from terminal_agent import system
from terminal_agent.checkout.ports import Secret
from terminal_agent.checkout.supervisor import hash_of
from terminal_agent.config import read_config
from terminal_agent.console import (
    DEFAULT,
    REFUSED,
    ConfigOption,
    JsonOption,
    explained,
    fail,
    refuse_training,
    show,
)
from terminal_agent.journal.by_hand import journal_to_enrol
from terminal_agent.sync import device_key
from terminal_agent.sync.enrol import enrol as enrol_host
from terminal_agent.sync.enrol import is_a_code
from terminal_agent.system import SystemClock


def enrol(
    code: Annotated[str, typer.Argument(help="The one-time code from the service platform.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check configuration and the code's form.")
    ] = False,
) -> None:
    """Make this host a device of its centre. Example: terminal-agent enrol ABCD...-0123456789abcdef"""
    with explained(as_json):
        settings = read_config(config)
        code = code.strip()
        if not is_a_code(code):
            fail(
                "That is no enrolment code: one has capital letters and digits, a dash, and 16 hex digits. "
                "Copy all of it, or ask the platform for a new one",
                REFUSED,
            )
        if dry_run:
            show({"centre": settings.centre, "enrolled": False}, as_json, f"would enrol at {settings.centre}")
            return
        journal = journal_to_enrol(settings.journal)
        if journal.enrolled() is not None:
            fail(
                "This host is enrolled already, and a journal belongs to one device for ever. To begin anew "
                "have the device replaced (docs/for-shop-it.md, A host that is enrolled anew)",
                REFUSED,
            )
        key = device_key.make_key(settings.device_key, system.random_bytes)
        device = enrol_host(
            settings.centre,
            code,
            key,
            system.host_name(),
            __version__,
            SystemClock(),
        )
        refuse_training(settings, training=device.training)
        journal.enrol(device, settings.centre)
        show(
            {"device": device.device, "shop": device.shop, "programme": device.programme},
            as_json,
            f"enrolled as {device.device} of shop {device.shop} ({device.shop_name}), {device.programme}",
        )


def pin_hash(
    config: Annotated[Path | None, typer.Option("--config", help="The agent's YAML file, to check.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for a supervisor's PIN and print what stands for it. Example: terminal-agent pin-hash --json"""
    with explained(as_json):
        if config is not None:
            read_config(config)
        try:
            made = hash_of(_typed_pin(), system.random_bytes)
        except ValueError as wrong:
            fail(str(wrong), REFUSED)
        show({"pin_hash": made}, as_json, made)


def _typed_pin() -> Secret:
    """Return a PIN that is typed twice without being shown, or the first line of what is piped in."""
    piped = typer.get_text_stream("stdin")
    if piped.isatty():
        return Secret(typer.prompt("PIN", hide_input=True, confirmation_prompt=True, err=True))
    return Secret(piped.readline().rstrip("\r\n"))
