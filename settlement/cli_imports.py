"""Which commands take in reference data from files?"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Set, Shown, TokenFile, run
from settlement.people.acting import Task
from settlement.people.roles import Permission
from settlement.sources.csv_rows import read_bytes
from settlement.sources.prices import read_prices
from settlement.sources.products import read_products
from settlement.sources.qualifications import read_qualifications
from settlement.sources.shops import read_shops
from settlement.sources.take_in import Look, take_in
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
        lambda centre, raw: read_shops(raw, str(file), centre.pack.training),
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
        lambda _centre, raw: read_products(raw, str(file)),
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
        lambda _centre, raw: read_prices(raw, str(file)),
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

    def read(centre: Centre, raw: bytes) -> Look:
        categories = {name for rules in centre.pack.rule_sets for name in rules.categories}
        today = calendar.business_day(calendar.from_ms(centre.now_ms()))
        return read_qualifications(raw, str(file), centre.keys, categories, today)

    _import(read, file, config, token_file, set_, json, dry_run)


def _import(
    read: Callable[[Centre, bytes], Look],
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
        with centre.acting(task, token_file):
            done = take_in(centre.engine, read(centre, raw), dry_run)
        document = {"dry_run": dry_run, "imported": msgspec.to_builtins(done)}
        lines = [
            f"{one.kind}: {one.new} new, {one.changed} changed, {one.unchanged} unchanged"
            + (f", {one.removed} taken off" if one.removed else "")
            for one in done
        ]
        return Shown(document, [*lines, "dry run: nothing was changed"] if dry_run else lines)

    run(work, json)
