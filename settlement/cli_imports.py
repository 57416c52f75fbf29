"""Which commands take in reference data from files?"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Set, Shown, TokenFile, run
from settlement.db.connection import writing
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.sources.csv_rows import read_bytes
from settlement.sources.prices import import_prices
from settlement.sources.products import import_products
from settlement.sources.qualifications import import_qualifications
from settlement.sources.shops import import_shops
from settlement.sources.take_in import Imported
from subsidy import calendar

imports = typer.Typer(help="Take in reference data from files, all or nothing.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The file to take in.")]


@imports.command("shops")
def shops(
    file: File,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take in merchants, shops and terminals (YAML). Layout: docs/reference-data.md.

    Example:

        settlement import shops shops.yaml --config settlement.yaml --dry-run
    """
    _import(
        lambda centre, connection, raw: import_shops(connection, raw, str(file), centre.pack.training),
        file,
        config,
        token_file,
        set_,
        json,
        dry_run,
    )


@imports.command("products")
def products(
    file: File,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take in the product library (CSV). Layout: docs/reference-data.md.

    Example:

        settlement import products products.csv --config settlement.yaml
    """
    _import(
        lambda _centre, connection, raw: import_products(connection, raw, str(file)),
        file,
        config,
        token_file,
        set_,
        json,
        dry_run,
    )


@imports.command("prices")
def prices(
    file: File,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take in price filings (CSV). Layout: docs/reference-data.md.

    Example:

        settlement import prices prices.csv --config settlement.yaml
    """
    _import(
        lambda _centre, connection, raw: import_prices(connection, raw, str(file)),
        file,
        config,
        token_file,
        set_,
        json,
        dry_run,
    )


@imports.command("qualifications")
def qualifications(
    file: File,
    config: Config,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Take in qualifications (CSV); codes and identity numbers are kept as blind indexes only.

    Example:

        settlement import qualifications qualifications.csv --config settlement.yaml
    """

    def take(centre: Centre, connection: Connection, raw: bytes) -> list[Imported]:
        categories = {name for rules in centre.pack.rule_sets for name in rules.categories}
        today = calendar.business_day(calendar.from_ms(centre.now_ms()))
        return import_qualifications(connection, raw, str(file), centre.keys, categories, today)

    _import(take, file, config, token_file, set_, json, dry_run)


def _import(
    take: Callable[[Centre, Connection, bytes], list[Imported]],
    file: Path,
    config: Path,
    token_file: Path | None,
    set_: list[str] | None,
    json: bool,
    dry_run: bool,
) -> None:
    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        raw = read_bytes(file)
        task = Task(Permission.RUN, "import", file.name, dry_run)
        with centre.acting(task, token_file), writing(centre.engine) as connection:
            done = take(centre, connection, raw)
            if dry_run:
                connection.rollback()
        document = {"dry_run": dry_run, "imported": msgspec.to_builtins(done)}
        lines = [
            f"{one.kind}: {one.new} new, {one.changed} changed, {one.unchanged} unchanged"
            + (f", {one.removed} taken off" if one.removed else "")
            for one in done
        ]
        return Shown(document, [*lines, "dry run: nothing was changed"] if dry_run else lines)

    run(work, json)
