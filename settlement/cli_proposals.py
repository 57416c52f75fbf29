"""Which commands propose, approve, decline and show what needs two people?"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec.structs import replace

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.proposals import make, read_proposals
from settlement.proposals import shown as shown_text
from settlement.proposals.approve import Approve, unknown
from settlement.proposals.make import Desk
from settlement.proposals.read_proposals import ProposalShown
from settlement.proposals.turn_down import Decline, Withdraw
from settlement.proposals.two_people import NeedsTwo, OfBooks, is_about_people, kind_of
from settlement.sources.csv_rows import read_bytes
from settlement.system import random_bytes
from settlement.words import words
from settlement.writer.apply import Direct
from settlement.writer.step import Answer, Claimed, Denied
from subsidy import calendar
from subsidy.money import yuan
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.strict.yaml_text import FileError

proposals = typer.Typer(help="What one person proposes and another approves.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PROPOSAL", help="The proposal's name, as in P-7KQ2M4XA.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a line.")]
MOST = 1000


class More(msgspec.Struct, frozen=True):
    """What a command says besides its proposal. `look` is whether there is something to look at."""

    document: dict[str, Any]
    lines: list[str]
    look: bool = False


def propose(
    file: Annotated[Path, typer.Argument(help="The command as JSON, as a proposal shows it.")],
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose a command that is written in a file; most have a command of their own that proposes it.

    Example:

        settlement propose close-2026.json --config settlement.yaml --dry-run
    """

    def of_file(_centre: Centre) -> OfBooks:
        try:
            command: OfBooks = json_bytes.decode(read_bytes(file), OfBooks)  # type: ignore[arg-type]
        except NotStrict as wrong:
            raise FileError(str(file), 1, "", f"{wrong.where}: {wrong.problem}", wrong.remedy) from None
        return command

    propose_it(of_file, f"propose {file.name}", config, token_file, set_, json, dry_run)


def approve(
    proposal: Name,
    config: Config,
    shown_hash: Annotated[
        str | None, typer.Option("--shown-hash", help="Only if this is what it says; else what is printed.")
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Carry out what another person has proposed. Look first, with --dry-run: it prints all that it does.

    Exit 4 when a payment has left something out.

    Example:

        settlement approve P-7KQ2M4XA --config settlement.yaml --token-file my.token
    """

    def work() -> Shown:
        centre = _open(config, set_)
        task = Task(_needed(centre, proposal, Permission.APPROVE), "approve", proposal, dry_run)
        with centre.acting(task, token_file) as actor:
            found = _find(centre, proposal)
            command = Approve(proposal, actor.name, shown_hash or found.shown_hash)
            answer = ask(centre, command, dry_run)
            found = _find(centre, proposal)
        claimed = answer if isinstance(answer, Claimed) else None
        document = {
            "dry_run": dry_run,
            "proposal": msgspec.to_builtins(found),
            "claimed": msgspec.to_builtins(claimed),
        }
        done = "dry run, nothing was changed; it would be done:" if dry_run else "done:"
        lines = [f"{done} {found.shown.says}", *_lines(found.shown)]
        return Shown(document, lines, 4 if claimed is not None and claimed.left_out else 0)

    run(work, json)


@proposals.command("ls")
def list_all(
    config: Config,
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided or too old.")] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """List what waits for another person.

    Example:

        settlement proposals ls --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_PROPOSALS, "proposals ls"), token_file),
            reading(centre.engine) as connection,
        ):
            found = read_proposals.proposals(connection, not every, "", MOST, centre.now_ms())
        lines = [f"{one.proposal}  {one.state:<9}  {one.proposed_by}: {one.shown.says}" for one in found]
        return Shown({"proposals": msgspec.to_builtins(found)}, lines or ["nothing waits for another person"])

    run(work, json)


@proposals.command("show")
def show(
    proposal: Name, config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False
) -> None:
    """Print all that a proposal would do, and the hash that stands for it.

    Example:

        settlement proposals show P-7KQ2M4XA --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with centre.acting(Task(Permission.READ_PROPOSALS, "proposals show", proposal), token_file):
            found = _find(centre, proposal)
        until = calendar.from_ms(found.expires_ms).isoformat(timespec="minutes")
        decided = f" by {found.decided_by}" if found.decided_by else f" until {until}"
        lines = [
            f"{found.proposal}  {found.state}{decided}" + (f": {found.why}" if found.why else ""),
            f"proposed by {found.proposed_by}",
            found.shown.says,
            *_lines(found.shown),
            f"shown hash {found.shown_hash}",
        ]
        return Shown(msgspec.to_builtins(found), lines)

    run(work, json)


@proposals.command("decline")
def decline(
    proposal: Name,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Say no to what another person has proposed.

    Example:

        settlement proposals decline P-7KQ2M4XA --reason "not our bank" --config settlement.yaml
    """
    why = words(reason, "--reason")
    task = Task(Permission.APPROVE, "proposals decline", proposal, dry_run)
    _end(task, lambda by: Decline(proposal, by, why), config, token_file, set_, json)


@proposals.command("withdraw")
def withdraw(
    proposal: Name,
    config: Config,
    reason: Reason,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take back what you have proposed.

    Example:

        settlement proposals withdraw P-7KQ2M4XA --reason "typed twice" --config settlement.yaml
    """
    why = words(reason, "--reason")
    task = Task(Permission.PROPOSE, "proposals withdraw", proposal, dry_run)
    _end(task, lambda by: Withdraw(proposal, by, why), config, token_file, set_, json)


def propose_it(
    make_command: Callable[[Centre], NeedsTwo],
    what: str,
    config: Path,
    token_file: Path | None,
    set_: list[str] | None,
    json: bool,
    dry_run: bool,
    more: Callable[[Centre], More] = lambda _centre: More({}, []),
) -> None:
    """Run a command that proposes: print what it would do and which proposal it is.

    `more` adds to the document and the lines. Exit 4 when there is something to look at.
    """
    run(lambda: propose_on(_open(config, set_), make_command, what, token_file, dry_run, more), json)


def propose_on(
    centre: Centre,
    make_command: Callable[[Centre], NeedsTwo],
    what: str,
    token_file: Path | None,
    dry_run: bool,
    more: Callable[[Centre], More],
    permission: Permission = Permission.PROPOSE,
    subject: str = "",
) -> Shown:
    """Propose a command and return what is printed, as `propose_it` has it."""
    with centre.acting(Task(permission, what, subject, dry_run), token_file) as actor:
        command = make_command(centre)
        desk = Desk(
            centre.engine,
            centre.setting(),
            centre.now_ms(),
            random_bytes,
            lambda one: ask(centre, one, dry_run=False),
            centre.registers,
        )
        looked = make.look(desk, command)
        if isinstance(looked, Denied):
            raise refused(looked)
        made = None if dry_run else make.make(desk, command, actor.name)
        if isinstance(made, Denied):
            raise refused(made)
    document = {
        "dry_run": dry_run,
        "kind": kind_of(command),
        "proposal": made,
        "shown_hash": None if made is None else _find(centre, made).shown_hash,
        "shown": msgspec.to_builtins(shown_text.for_people(looked)),
    }
    added = more(centre)
    said = [f"would {looked.says}", *_lines(looked), *added.lines]
    if made is None:
        said.append("dry run: nothing was proposed")
    else:
        said += [f"proposal  {made}", f"next      settlement approve {made}   (another person)"]
    return Shown(document | added.document, said, 4 if looked.left_out or added.look else 0)


def ask(centre: Centre, command: Direct, dry_run: bool) -> Answer:
    """Write in this process: a service that runs beside it waits its turn at the database."""
    (answer,) = centre.writer(_raise).write_now([command], dry_run)
    if isinstance(answer, Denied):
        raise refused(answer)
    return answer


def refused(denied: Denied) -> Refused:
    """Return what a command says of what the books deny."""
    return Refused(denied.detail, 2 if denied.status in (404, 422) else 6)


def _end(
    task: Task,
    command: Callable[[str], Withdraw | Decline],
    config: Path,
    token_file: Path | None,
    set_: list[str] | None,
    json: bool,
) -> None:
    def work() -> Shown:
        centre = _open(config, set_)
        needed = _needed(centre, task.subject, task.permission)
        with centre.acting(replace(task, permission=needed), token_file) as actor:
            ask(centre, command(actor.name), task.dry_run)
            found = _find(centre, task.subject)
        document = {"dry_run": task.dry_run, "proposal": msgspec.to_builtins(found)}
        done = "dry run, nothing was changed; it would be" if task.dry_run else "it is"
        return Shown(document, [f"{found.proposal}: {done} ended: {found.shown.says}"])

    run(work, json)


def _needed(centre: Centre, name: str, of_books: Permission) -> Permission:
    """Return what deciding on a proposal needs: what is about people is for administrators."""
    with reading(centre.engine) as connection:
        found = read_proposals.proposal(connection, name, centre.now_ms())
    return Permission.MANAGE_PEOPLE if found is not None and is_about_people(found.kind) else of_books


def _lines(shown: shown_text.Shown) -> list[str]:
    moves = [
        f"  {one.year}  {one.funder:<15} {one.account:<22}{yuan(one.fen):>18}  {one.pool}".rstrip()
        for one in shown.moves
    ]
    left_out = [f"  left out {one.record_id}  {yuan(one.fen):>14}  {one.why}" for one in shown.left_out]
    return moves + left_out


def _find(centre: Centre, name: str) -> ProposalShown:
    with reading(centre.engine) as connection:
        found = read_proposals.proposal(connection, name, centre.now_ms())
    if found is None:
        raise Refused(unknown(name).detail, 2)
    return found


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _raise(wrong: BaseException) -> None:
    raise wrong
