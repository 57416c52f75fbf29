"""Which commands save the books, put them back, prove that they could be, and move them?"""

from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from sqlalchemy import Engine

from settlement.app import Centre, centre_on, open_centre
from settlement.cli_audited import audited
from settlement.cli_people import said
from settlement.cli_rebuild import place_of
from settlement.config import Settings, read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.copies import manifest as manifests
from settlement.copies.backup import back_up, name_of, refuse_written
from settlement.copies.drill import Drill, Drilling
from settlement.copies.drill import drill as drill_newest
from settlement.copies.manifest import Manifest, ManifestWrong, mark_of
from settlement.copies.move import move as move_books
from settlement.copies.restore import Restoring, refuse_unfit
from settlement.copies.restore import restore as restore_backup
from settlement.copies.restored import SettleRestore
from settlement.copies.target import CopyRefused, refuse_books
from settlement.db.connection import engine_on, reading
from settlement.db.place import DatabaseDown, Place, Postgres
from settlement.db.serving import BooksTaken
from settlement.people.audit import note
from settlement.people.credentials import name_of_account
from settlement.people.may_act import MayAct, may_act
from settlement.sources.key_files import read_keys
from settlement.system import clock_us, random_bytes, wall_ms
from settlement.words import words
from settlement.writer.apply import Command
from settlement.writer.step import Answer, Denied
from subsidy import calendar

_REFUSALS = (CopyRefused, ManifestWrong, BooksTaken)
_CHECK = (
    "Who was disabled since the backup, or has lost a role, a password or a phone, is here as before, and a "
    "token that was revoked since counts. Take it away again (`settlement users`, `token revoke`), then say "
    "so with --people-checked"
)
KEYS = "the keys are not in it: save their folder apart, or no promise can be checked after a restore"


def backup(
    config: Config,
    to: Annotated[
        Path | None, typer.Argument(help="A file, or a folder; the configured `backups` when left out.")
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Save the books into a file with a manifest, while the service runs. The keys are not in it.

    Example:

        settlement backup /backups --config settlement.yaml
    """

    def work(centre: Centre) -> Shown:
        at_ms, place = centre.now_ms(), centre.settings.database
        file = to or _folder(centre.settings)
        if to is None or file.is_dir():
            file = file / name_of(centre.settings.programme, place, at_ms)
        try:
            if dry_run:
                refuse_written(file)
                return Shown(
                    {"file": str(file), "manifest": None, "dry_run": True}, said(f"saved {file}", dry_run)
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            made = back_up(centre.engine, place, file, centre.settings.programme, mark_of(centre.keys), at_ms)
        except _REFUSALS as wrong:
            raise Refused(str(wrong), 6) from None
        except OSError as wrong:
            raise DatabaseDown(
                f"{file} cannot be written ({wrong.strerror}). Free space, or name another"
            ) from None
        lines = [f"saved     {file}, {made.size} bytes", *_told(made), f"apart     {KEYS}"]
        return Shown({"file": str(file), "manifest": made, "dry_run": False}, lines)

    run(lambda: audited(_open(config, set_), "backup", token_file, work, dry_run), json)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup, its manifest beside it.")],
    config: Config,
    into: Annotated[
        str, typer.Option("--into", help="A file that does not exist, or an empty postgresql:// database.")
    ],
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Make a database out of a backup, prove it, and tell the centre that it was restored.

    Example:

        settlement restore /backups/TRAINING-20260301T040000Z.sqlite3 --into centre.sqlite3
        --config settlement.yaml
    """

    def work() -> Shown:
        settings = read_settings(config, set_ or ()).settings
        place = place_of(into)
        parts = _restoring(settings)
        try:
            if dry_run:
                found = manifests.read(file)
                refuse_unfit(found, parts.programme, parts.keys)
                refuse_books(place)
            else:
                found = restore_backup(file, place, parts)
                _audit(place, "restore")
                again = _may_act_in(place)
        except _REFUSALS as wrong:
            raise Refused(str(wrong), 6) from None
        lines = [f"{'would be restored' if dry_run else 'restored'}  {place}", *_told(found)]
        document: dict[str, Any] = {"into": str(place), "manifest": found, "dry_run": dry_run}
        if not dry_run:
            document |= {"may_act_again": again}
            lines += [
                *_told_of_people(again),
                f"lost      whatever came after event {found.books.events}: an item waits for its owner",
                f"next      {_to_serve(place)}, serve, then docs/for-operations.md, Copies",
            ]
        return Shown(document, lines, 0 if dry_run else 4)

    run(work, json)


def restored(
    config: Config,
    reference: Annotated[str, typer.Option("--reference", help="Who says so: the document it rests on.")],
    gone: Annotated[
        list[str] | None,
        typer.Option("--gone", help="A device that will never report again; for each."),
    ] = None,
    people_checked: Annotated[
        bool,
        typer.Option("--people-checked", help="Whoever may act again has been looked at, and every token."),
    ] = False,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Note that everything that a restore asks for is done; its item is closed.

    Refused, with their names, while devices have not reported again and are not named as gone, and until
    somebody has looked at the people and tokens that may act again as when the backup was made.

    Example:

        settlement restored --reference "minutes of 3 March" --people-checked --config settlement.yaml
    """

    def work(centre: Centre) -> Shown:
        command = SettleRestore(words(reference, "--reference"), tuple(gone or ()))
        is_tried = dry_run or not people_checked
        (answer,) = centre.writer(_raise).write_now([command], is_tried)
        if isinstance(answer, Denied):
            raise Refused(answer.detail, 6)
        with reading(centre.engine) as connection:
            people = may_act(connection, centre.now_ms())
        if not people_checked:
            raise Refused("\n".join([*_told_of_people(people), _CHECK]), 6)
        done = f"{'would be settled' if dry_run else 'settled'} by {reference}"
        document = {"settled": reference, "dry_run": dry_run, "may_act": people}
        return Shown(document, [*_told_of_people(people), done])

    run(lambda: audited(_open(config, set_), "restored", token_file, work), json)


def drill(
    config: Config,
    folder: Annotated[
        Path | None, typer.Argument(help="Where backups lie; the configured `backups` when left out.")
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Restore the newest backup in a place of its own, prove it, and throw it away. Exit 0 or 1.

    Example:

        settlement drill /backups --config settlement.yaml
    """

    def work(centre: Centre) -> Shown:
        parts = Drilling(
            engine=centre.engine,
            place=centre.settings.database,
            programme=centre.settings.programme,
            keys=mark_of(centre.keys),
            now_ms=centre.now_ms,
            clock_us=clock_us,
            unused=random_bytes(6).hex(),
        )
        try:
            done = drill_newest(folder or _folder(centre.settings), parts)
        except (*_REFUSALS, DatabaseDown, PermissionError) as wrong:
            # Whatever stands in the way of a restore is what a drill is there to find.
            raise Refused(f"the drill failed: {wrong}", 1) from None
        return _drilled(done)

    run(lambda: audited(_open(config, set_), "drill", token_file, work), json)


def move(
    config: Config,
    to: Annotated[str, typer.Option("--to", help="A new file, or an empty postgresql:// database.")],
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Move the books to another database, prove that they are the same, and close the old ones.

    Stop the service first. When it is cut off, run it again.

    Example:

        settlement move --to postgresql://settlement@127.0.0.1/settlement --config settlement.yaml
    """

    def work() -> Shown:
        settings = read_settings(config, set_ or ()).settings
        centre = open_centre(settings, even_moved=True)
        place = place_of(to)
        try:
            done = move_books(centre.engine, settings.database, place, dry_run)
        except _REFUSALS as wrong:
            raise Refused(str(wrong), 6) from None
        if not dry_run:
            _audit(place, "move")
        rows = sum(one.rows for one in done.after.tables)
        document = {
            "to": str(place),
            "dry_run": dry_run,
            "rows": rows,
            "balances": done.balances,
            "sha256_before": done.before.sha256,
            "sha256_after": done.after.sha256,
        }
        lines = [
            f"copied    {rows} rows, {done.balances} balances",
            f"before    {done.before.sha256}",
            f"after     {done.after.sha256}",
            f"next      {_to_serve(place)}; nobody can write in the old books any more"
            if not dry_run
            else "dry run: everything was taken back, but empty tables there",
        ]
        return Shown(document, lines)

    run(work, json)


def _audit(place: Place, what: str) -> None:
    """Put a command into the audit of the books that it has brought to `place`: none could take it before."""
    engine = engine_on(place)
    try:
        note(engine, wall_ms(), name_of_account(), "os", what, str(place), "done")
    finally:
        engine.dispose()


def _may_act_in(place: Place) -> MayAct:
    engine = engine_on(place)
    try:
        with reading(engine) as connection:
            return may_act(connection, wall_ms())
    finally:
        engine.dispose()


def _told_of_people(found: MayAct) -> list[str]:
    return [
        *(f"may act   {one.name} ({one.kind}): {', '.join(one.roles) or 'no role'}" for one in found.people),
        *(f"counts    token {one.label} of {one.name}{_until(one.ends_ms)}" for one in found.tokens),
    ]


def _until(ends_ms: int | None) -> str:
    return "" if ends_ms is None else f" until {calendar.from_ms(ends_ms).date().isoformat()}"


def _to_serve(place: Place) -> str:
    """Return what is done before the books at `place` are served."""
    if isinstance(place, Postgres):
        return (
            f"settlement init --database {place} --service-role ROLE, name it under `database:` as that role"
        )
    return f"name {place} under `database:`"


def _told(found: Manifest) -> list[str]:
    books = found.books
    return [
        f"taken     {calendar.from_ms(found.taken_ms).isoformat(timespec='seconds')}",
        f"holds     {books.events} events, tables of version {books.revision}",
        f"hash      {books.content.sha256}",
    ]


def _drilled(done: Drill) -> Shown:
    steps = [f"{one.seconds:8.2f} s  {'no' if one.faults else 'yes'}  {one.name}" for one in done.steps]
    faults = [fault for one in done.steps for fault in one.faults]
    verdict = (
        "the books could be restored today"
        if done.is_good()
        else "this drill proved it NOT, see above: call us"
    )
    document = {"good": done.is_good(), **msgspec.to_builtins(done)}
    lines = [f"drilled   {done.backup}", *_told(done.manifest), *steps, *faults, verdict]
    return Shown(document, lines, 0 if done.is_good() else 1)


def _restoring(settings: Settings) -> Restoring:
    def submit(engine: Engine, command: Command) -> Answer:
        return centre_on(settings, engine).writer(_raise).write_now([command])[0]

    return Restoring(settings.programme, mark_of(read_keys(settings.keys)), submit, wall_ms)


def _folder(settings: Settings) -> Path:
    if settings.backups is None:
        raise Refused("no folder is named. Name one, or set `backups:` in the configuration", 2)
    return settings.backups


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _raise(wrong: BaseException) -> NoReturn:
    raise wrong
