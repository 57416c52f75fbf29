"""Which commands look at devices, freeze them, let them go and replace them?"""

from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.cli_proposals import More, ask, propose_it
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.devices import read_devices
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.devices.read_devices import DeviceShown
from settlement.funds import read_holds
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.words import words
from subsidy import calendar
from subsidy.money import yuan

devices = typer.Typer(help="The shops' installations.", no_args_is_help=True)

Device = Annotated[str, typer.Argument(help="The device's name, as `devices ls` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a line. It is kept for good.")]


@devices.command("ls")
def ls(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """List the devices, when each was last heard, what it holds open, and what of its chain is missing.

    Example:

        settlement devices ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            centre.acting(Task(Permission.READ_DEVICES, "devices ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_devices.devices(connection, "", None)
        lines = [_line(one) for one in found] or ["no device is enrolled yet"]
        return Shown({"devices": msgspec.to_builtins(found)}, lines)

    run(work, json)


@devices.command("gaps")
def gaps(
    device: Device, config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False
) -> None:
    """Show which entries of a device's chain are missing or kept beside it. Exit 4 when there are any.

    Example:

        settlement devices gaps DEVICE --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            centre.acting(Task(Permission.READ_DEVICES, "devices gaps", device), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_devices.gaps(connection, device)
        if found is None:
            raise _unknown(device)
        missing = [str(one) if one == last else f"{one} to {last}" for one, last in found.missing]
        lines = [
            f"{device}, epoch {found.epoch}: entries 1 to {found.last_seq}, whole up to {found.whole_to}"
        ]
        for word, places in (
            ("missing", missing),
            ("a second content at", found.forked),
            ("in quarantine", found.quarantined),
        ):
            if places:
                lines.append(f"{word}: {', '.join(map(str, places))}")
        look = bool(found.missing or found.forked or found.quarantined)
        return Shown(msgspec.to_builtins(found), lines if look else [*lines, "none is missing"], 4 * look)

    run(work, json)


@devices.command("freeze")
def freeze(
    device: Device,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a device, at once: it gets no hold, and what it has queued stays queued.

    Example:

        settlement devices freeze DEVICE --config settlement.yaml --reason "the host was stolen"
    """
    why = words(reason, "--reason")

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with centre.acting(Task(Permission.FREEZE, "devices freeze", device, dry_run), token_file) as actor:
            ask(centre, FreezeDevice(device, why, actor.name), dry_run)
        prefix = "dry run, nothing was changed; it would be: " if dry_run else ""
        return Shown({"dry_run": dry_run, "frozen": device}, [f"{prefix}{device} frozen"])

    run(work, json)


@devices.command("unfreeze")
def unfreeze(
    device: Device,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to let a device go that people have frozen. One that contradicted itself is replaced.

    Another person approves it.

    Example:

        settlement devices unfreeze DEVICE --config settlement.yaml --reason "the host was found"
    """
    command = UnfreezeDevice(device, words(reason, "--reason"))
    propose_it(lambda _centre: command, f"devices unfreeze {device}", config, token_file, set_, json, dry_run)


@devices.command("replace")
def replace(
    device: Device,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to freeze a device for good, so that another host of its shop takes its place.

    Its open holds are listed: they end by their own proofs. Exit 4 when there are any. Another person
    approves it; then `settlement enrol-code` makes the code for the new host.

    Example:

        settlement devices replace DEVICE --config settlement.yaml --reason "its disk is dead"
    """
    command = ReplaceDevice(device, words(reason, "--reason"))

    def left_behind(centre: Centre) -> More:
        with reading(centre.engine) as connection:
            known = read_devices.device(connection, device)
            held = read_holds.open_holds(connection, centre.now_ms(), device=device)
        assert known is not None, "it was looked at a moment ago, and devices stay"
        lines = [f"{len(held)} open holds of it remain, and end by their own proofs:"]
        lines += [f"  {one.record_id}  {yuan(one.subsidy_fen):>12}" for one in held]
        lines.append(f"then      settlement enrol-code --shop {known.shop}   (once it is approved)")
        document = {"device": device, "shop": known.shop, "open_holds": msgspec.to_builtins(held)}
        return More(document, lines, look=bool(held))

    what = f"devices replace {device}"
    propose_it(lambda _centre: command, what, config, token_file, set_, json, dry_run, left_behind)


def _unknown(device: str) -> Refused:
    return Refused(f"there is no device {device}. `settlement devices ls` lists them", 2)


def _line(one: DeviceShown) -> str:
    heard = calendar.from_ms(one.stated_ms).strftime("%Y-%m-%d %H:%M:%S") if one.upload_no else "never"
    by = f" by {one.frozen_by}" if one.frozen_by else ""
    frozen = f"  frozen{by}: {one.frozen}" if one.frozen is not None else ""
    missing = f"  {one.missing_entries} entries missing" if one.missing_entries else ""
    return f"{one.device}  {one.shop}  last heard {heard}  {one.open_holds} open holds{missing}{frozen}"
