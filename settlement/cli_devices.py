"""Which commands look at devices, freeze them, let them go and replace them?"""

from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, one_line, run
from settlement.db.connection import reading, writing
from settlement.decisions import at_once, by_two, who
from settlement.devices import read_devices
from settlement.devices.by_people import FreezeDevice, ReplaceDevice, UnfreezeDevice
from settlement.devices.make_code import make_code
from settlement.devices.read_devices import DeviceShown
from settlement.funds import read_holds
from settlement.system import random_bytes
from subsidy import calendar
from subsidy.masking import scrub
from subsidy.money import yuan

devices = typer.Typer(help="The shops' installations.", no_args_is_help=True)

Device = Annotated[str, typer.Argument(help="The device's name, as `devices ls` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a line. It is kept for good.")]


@devices.command("ls")
def ls(config: Config, set_: Set = None, json: Json = False) -> None:
    """List the devices, when each was last heard, what it holds open, and what of its chain is missing.

    Example:

        settlement devices ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with reading(centre.engine) as connection:
            found = read_devices.devices(connection, "", None)
        lines = [_line(one) for one in found] or ["no device is enrolled yet"]
        return Shown({"devices": msgspec.to_builtins(found)}, lines)

    run(work, json)


@devices.command("gaps")
def gaps(device: Device, config: Config, set_: Set = None, json: Json = False) -> None:
    """Show which entries of a device's chain are missing or kept beside it. Exit 4 when there are any.

    Example:

        settlement devices gaps DEVICE --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with reading(centre.engine) as connection:
            found = read_devices.gaps(connection, device)
        if found is None:
            raise _unknown(device)
        missing = [str(one) if one == last else f"{one} to {last}" for one, last in found.missing]
        lines = [f"{device}, epoch {found.epoch}: entries 1 to {found.last_seq}"]
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
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a device, at once: it gets no hold, and what it has queued stays queued.

    Example:

        settlement devices freeze DEVICE --config settlement.yaml --reason "the host was stolen"
    """
    why = scrub(one_line(reason, "--reason"))

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        at_once(centre, FreezeDevice(device, why, who()), dry_run)
        return _done("frozen", device, dry_run)

    run(work, json)


@devices.command("unfreeze")
def unfreeze(
    device: Device,
    config: Config,
    reason: Reason,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Let a device go that people have frozen. One that contradicted itself can only be replaced.

    Example:

        settlement devices unfreeze DEVICE --config settlement.yaml --reason "the host was found"
    """
    why = scrub(one_line(reason, "--reason"))

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        by_two(centre, UnfreezeDevice(device, why, who()), dry_run)
        return _done("unfrozen", device, dry_run)

    run(work, json)


@devices.command("replace")
def replace(
    device: Device,
    config: Config,
    reason: Reason,
    valid_minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long the code counts.")] = 15,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Freeze a device for good and make the one-time code for the host that takes its place.

    Its open holds are listed: they end by their own proofs. Exit 4 when there are any. Run again, it makes
    another code.

    Example:

        settlement devices replace DEVICE --config settlement.yaml --reason "its disk is dead"
    """
    why = scrub(one_line(reason, "--reason"))

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        by_two(centre, ReplaceDevice(device, why, who()), dry_run)
        return _replaced(centre, device, valid_minutes, dry_run)

    run(work, json)


def _replaced(centre: Centre, device: str, valid_minutes: int, dry_run: bool) -> Shown:
    now_ms = centre.now_ms()
    with reading(centre.engine) as connection:
        known = read_devices.device(connection, device)
        held = read_holds.open_holds(connection, now_ms, device=device)
    if known is None:
        raise _unknown(device)
    document = {
        "dry_run": dry_run,
        "replaced": device,
        "shop": known.shop,
        "open_holds": msgspec.to_builtins(held),
        "code": None,
        "expires_at": None,
    }
    lines = [f"{device} {'would be' if dry_run else 'is'} frozen for good; {len(held)} open holds remain:"]
    lines += [f"  {one.record_id}  {yuan(one.subsidy_fen):>12}" for one in held]
    if not dry_run:
        with writing(centre.engine) as connection:
            kid = centre.keys.kid
            made = make_code(connection, known.shop, kid, valid_minutes * 60_000, random_bytes, now_ms)
        assert made is not None, "a device's shop is there"
        until = calendar.from_ms(made.expires_ms).isoformat(timespec="seconds")
        document |= {"code": made.code, "expires_at": until}
        lines += [f"code   {made.code}", f"until  {until}", f"next   terminal-agent enrol {made.code}"]
    return Shown(document, lines, 4 if held else 0)


def _done(word: str, device: str, dry_run: bool) -> Shown:
    prefix = "dry run, nothing was changed; it would be: " if dry_run else ""
    return Shown({"dry_run": dry_run, word: device}, [f"{prefix}{device} {word}"])


def _unknown(device: str) -> Refused:
    return Refused(f"there is no device {device}. `settlement devices ls` lists them", 2)


def _line(one: DeviceShown) -> str:
    heard = calendar.from_ms(one.stated_ms).strftime("%Y-%m-%d %H:%M:%S") if one.upload_no else "never"
    by = f" by {one.frozen_by}" if one.frozen_by else ""
    frozen = f"  frozen{by}: {one.frozen}" if one.frozen is not None else ""
    missing = f"  {one.missing_entries} entries missing" if one.missing_entries else ""
    return f"{one.device}  {one.shop}  last heard {heard}  {one.open_holds} open holds{missing}{frozen}"
