"""Which commands run the night and show its reports?"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, TokenFile, run
from settlement.db.connection import reading
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.reconcile.config import read_day
from settlement.reconcile.lock import NightUnderWay
from settlement.reconcile.register import OtherBytes
from settlement.reconcile.report import Report, text
from settlement.reconcile.run import NightRefused, run_night, stored
from settlement.writer.apply import Direct
from settlement.writer.step import Answer

night = typer.Typer(help="The nightly reconciliation.", no_args_is_help=True)

Date = Annotated[str, typer.Option("--date", help="The day, as 2026-03-01.")]


@night.command("run")
def run_command(
    date: Date,
    config: Config,
    files: Annotated[
        Path | None, typer.Option("--files", help="Look here, not in the configured folder.")
    ] = None,
    sources: Annotated[
        Path | None, typer.Option("--sources", help="Use these sources, not the configured ones.")
    ] = None,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace", help="Let another file of this source count than the one on record; repeatable."
        ),
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Hold the day's files against the records: 0 all is well, 4 with what to look at. Safe to repeat.

    Example:

        settlement night run --config settlement.yaml --date 2026-03-01 --dry-run
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        parts, day = centre.night_parts(_submit(centre), sources), _day(date)
        try:
            with centre.acting(Task(Permission.RUN, "night run", day, dry_run), token_file):
                done = run_night(parts, day, files, replace or (), dry_run)
        except (NightUnderWay, OtherBytes) as wrong:
            raise Refused(str(wrong), 6) from None
        except NightRefused as wrong:
            raise Refused(str(wrong), 2) from None
        lines = text(done.report)
        if dry_run:
            lines.append("dry run: nothing was changed")
        return Shown(done.report, lines, done.exit_code)

    run(work, json)


@night.command("report")
def report_command(
    date: Date,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Print the newest report of a day, as it was when its night was run.

    Example:

        settlement night report --config settlement.yaml --date 2026-03-01
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        day = _day(date)
        with (
            centre.acting(Task(Permission.READ_NIGHT, "night report", day), token_file),
            reading(centre.engine) as connection,
        ):
            content = stored(connection, day)
        if content is None:
            raise Refused(f"no night of {day} was run. Run `settlement night run --date {day}`", 2)
        report = msgspec.json.decode(content, type=Report)
        return Shown(report, text(report))

    run(work, json)


def _submit(centre: Centre) -> Callable[[Direct], Answer]:
    """Write in this process: a service that runs beside it waits its turn at the database."""
    writer = centre.writer(_raise)
    return lambda command: writer.write_now([command])[0]


def _raise(wrong: BaseException) -> None:
    raise wrong


def _day(date: str) -> str:
    day = read_day(date)
    if day is None:
        raise Refused("--date: not a day. Write it as in --date 2026-03-01", 2)
    return day
