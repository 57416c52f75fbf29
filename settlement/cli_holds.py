"""Which commands list, explain and release open holds?"""

from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.cli_proposals import More, propose_it
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.funds import read_holds
from settlement.funds.release_hold import FreeGoods, ReleaseHold
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.web.explained_hold import HoldExplained, explained
from settlement.words import words
from subsidy import calendar
from subsidy.ids import is_record_id
from subsidy.money import yuan

holds = typer.Typer(help="Open holds: money that the fund has promised.", no_args_is_help=True)

RecordId = Annotated[str, typer.Argument(help="The sale's record id.")]


@holds.command("ls")
def ls(
    config: Config,
    shop: Annotated[str | None, typer.Option(help="Only this shop's.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device's.")] = None,
    older_than_minutes: Annotated[
        int | None, typer.Option(min=0, max=10_000_000, help="Only those placed longer ago.")
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """List open holds, oldest first.

    Example:

        settlement holds ls --config settlement.yaml --shop S0031 --older-than-minutes 60
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        now_ms = centre.now_ms()
        before_ms = None if older_than_minutes is None else now_ms - older_than_minutes * 60_000
        with (
            centre.acting(Task(Permission.READ_RECORDS, "holds ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_holds.open_holds(
                connection, now_ms, shop=shop, device=device, placed_before_ms=before_ms
            )
        lines = [
            f"{one.record_id}  {_at(one.placed_at_ms)}  {yuan(one.subsidy_fen):>12}  {one.shop}  "
            f"{one.device}/{one.hold_no}{'  time over' if one.over else ''}"
            f"{'  person and serial number free' if one.goods_freed else ''}"
            for one in found
        ]
        total = sum(one.subsidy_fen for one in found)
        lines.append(f"{len(found)} open holds, {yuan(total)}")
        return Shown({"holds": msgspec.to_builtins(found), "held_fen": total}, lines)

    run(work, json)


@holds.command("explain")
def explain(
    record_id: RecordId, config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False
) -> None:
    """Say of a hold what it takes, why it is still open, which proof is missing, and what to do next.

    Example:

        settlement holds explain RECORD_ID --config settlement.yaml
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with centre.acting(Task(Permission.READ_RECORDS, "holds explain", record_id), token_file):
            found = _explained(centre, record_id)
        return Shown(msgspec.to_builtins(found), _told(found))

    run(work, json)


@holds.command("release")
def release(
    record_id: RecordId,
    config: Config,
    reason: Annotated[str, typer.Option("--reason", help="What was found out, in a line.")],
    only_person_and_serial: Annotated[
        bool,
        typer.Option(
            "--only-person-and-serial",
            help="Free person and serial number; the money stays held until a proof comes.",
        ),
    ] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to end a hold by decision, when nothing else will. Another person approves it.

    A paid record that still comes is a late grant. Exit 4 when the hold's time is not over: its shop may be
    taking the money at this moment.

    Example:

        settlement holds release RECORD_ID --config settlement.yaml --reason "the shop burnt down"
    """
    kind = FreeGoods if only_person_and_serial else ReleaseHold
    command = kind(record_id, words(reason, "--reason"))

    def its_time(centre: Centre) -> More:
        found = _explained(centre, record_id)
        until = f"its time is not over until {_at(found.held_until_ms)}: its shop may still take the money"
        document = {"record_id": record_id, "over": found.over}
        return More(document, [] if found.over else [f"{until}. Tell it first"], look=not found.over)

    what = f"holds release {record_id}"
    propose_it(lambda _centre: command, what, config, token_file, set_, json, dry_run, its_time)


def _explained(centre: Centre, record_id: str) -> HoldExplained:
    now_ms = centre.now_ms()
    with reading(centre.engine) as connection:
        found = (
            explained(
                connection,
                record_id,
                centre.sources(),
                centre.setting().lag_target_s(now_ms),
                now_ms,
            )
            if is_record_id(record_id)
            else None
        )
    if found is None:
        raise Refused("no record with this id is here. Check the id", 2)
    return found


def _told(one: HoldExplained) -> list[str]:
    split = "  ".join(f"{part.funder} {yuan(part.fen)}" for part in one.split)
    taken = [one.serial_no] if one.serial_no is not None else []
    taken += ["a person's quota and code"] if one.takes_person else []
    if one.goods_freed:
        taken = ["no person and no serial number any more"]
    lines = [
        f"{one.record_id}  {one.state}  {one.why}".rstrip(),
        f"placed   {_at(one.placed_at_ms)}, shop {one.shop}, terminal {one.terminal_no}, no. {one.hold_no}",
        f"holds    {yuan(one.subsidy_fen)} ({split}); {', '.join(taken)}",
        f"its time {'was over' if one.over else 'is over'} at {_at(one.held_until_ms)}",
    ]
    if one.device is not None:
        frozen = f"; frozen: {one.device.frozen}" if one.device.frozen is not None else ""
        heard = _at(one.device.stated_ms) if one.device.upload_no else "never"
        lines.append(
            f"device   {one.device.device}, last heard {heard}, stated up to number "
            f"{one.device.stated_hold_no}, {one.device.missing_entries} entries missing{frozen}"
        )
    lines += one.frozen
    lines += [f"missing  {proof.proof:<10} {proof.zh} {proof.en}" for proof in one.proofs]
    lines += [f"entry    {entry.seq} {entry.kind} {entry.answer} {entry.problem}" for entry in one.entries]
    lines += [f"differs  {item.kind}: {item.detail}" for item in one.differences]
    return [*lines, f"next     {one.next_step.zh} {one.next_step.en}"]


def _at(at_ms: int) -> str:
    return calendar.from_ms(at_ms).strftime("%Y-%m-%d %H:%M:%S")
