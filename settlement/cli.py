"""Which commands does the centre have? They parse and call; `console.py` answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from settlement import api_tokens
from settlement.app import Centre, open_centre, set_up
from settlement.cli_claims import claims, year
from settlement.cli_copies import backup, drill, move, restore, restored
from settlement.cli_imports import imports
from settlement.cli_night import night
from settlement.cli_rebuild import rebuild
from settlement.cli_transfer import Pool, parts_of, refuse_foreign_parts, transfer
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, print_now, run
from settlement.db.connection import reading, writing
from settlement.db.serving import BooksTaken, serving
from settlement.devices.make_code import make_code
from settlement.funds import top_up as top_up_step
from settlement.funds.top_up import TopUp
from settlement.ledger import balances as balances_of
from settlement.ledger import read_books
from settlement.system import random_bytes
from settlement.web.serve import bind, run_until_stopped
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Funding
from settlement.writer.step import Denied
from subsidy import calendar
from subsidy.money import yuan

app = typer.Typer(
    name="settlement",
    help="The centre: the fund's promises, its books, and everything the shops report.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
ledger = typer.Typer(help="The books of the fund.", no_args_is_help=True)
config = typer.Typer(help="The configuration.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.add_typer(night, name="night")
app.add_typer(ledger, name="ledger")
app.add_typer(config, name="config")
app.add_typer(claims, name="claims")
app.add_typer(year, name="year")
app.command("transfer")(transfer)
for command in (backup, restore, restored, drill, move):
    app.command(command.__name__)(command)
ledger.command("rebuild")(rebuild)


@app.command("init")
def init(
    config: Config,
    set_: Set = None,
    json: Json = False,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make another API token.")] = False,
    database: Annotated[
        str | None, typer.Option("--database", help="A file or postgresql:// URL over the configured one.")
    ] = None,
) -> None:
    """Make the database, the keys and the first API token, which is shown once. Safe to repeat.

    Example:

        settlement init --config settlement.yaml
    """

    def work() -> Shown:
        overrides = [*(set_ or ()), *([f"database={database}"] if database is not None else [])]
        centre = set_up(read_settings(config, overrides).settings)
        with writing(centre.engine) as connection:
            token = None
            if new_token or not api_tokens.has_any(connection):
                token = api_tokens.make_token(connection, "operator", random_bytes, centre.now_ms())
        settings = centre.settings
        document = {
            "programme": settings.programme,
            "database": str(settings.database),
            "keys": str(settings.keys),
            "key_id": centre.keys.kid,
            "api_token": token,
        }
        lines = [
            f"programme  {settings.programme}",
            f"database   {settings.database}",
            f"keys       {settings.keys} (current {centre.keys.kid}); back them up apart from the database",
            f"API token  {token} (shown this once)"
            if token
            else "API token  made before; --new-token makes one",
            "next       settlement import shops FILE, then settlement serve",
        ]
        return Shown(document, lines)

    run(work, json)


@app.command("serve")
def serve(config: Config, set_: Set = None, json: Json = False) -> None:
    """Serve shops, operators and monitors until SIGTERM or Ctrl-C. Logs are JSON lines on stderr.

    Example:

        settlement serve --config settlement.yaml --set listen=127.0.0.1:8600
    """

    def work() -> Shown:
        centre = open_centre(read_settings(config, set_ or ()).settings)
        with _serving(centre), bind(centre.settings.listen) as bound:
            address = "{}:{}".format(*bound.getsockname()[:2])
            web = centre.web()
            document: dict[str, Any] = {
                "programme": centre.pack.programme,
                "listening": address,
                "training": centre.pack.training,
            }
            lines = [f"serving {centre.pack.programme} on {address}"]
            if (item := centre.restored()) is not None:
                document["restored"] = item.detail
                lines += [item.detail, item.next_step]
            print_now(Shown(document, lines), json)
            run_until_stopped(web, bound)
        return Shown(None, [])

    run(work, json)


@app.command("enrol-code")
def enrol_code(
    config: Config,
    shop: Annotated[str, typer.Option(help="The shop's id.")],
    valid_minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long it counts.")] = 15,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Make a one-time code that enrols one host of a shop. It is shown once.

    Example:

        settlement enrol-code --config settlement.yaml --shop S0031
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with writing(centre.engine) as connection:
            made = make_code(
                connection, shop, centre.keys.kid, valid_minutes * 60_000, random_bytes, centre.now_ms()
            )
        if made is None:
            raise Refused(f"there is no shop {shop}. Import it with `settlement import shops FILE`", 2)
        until = calendar.from_ms(made.expires_ms).isoformat(timespec="seconds")
        document = {"code": made.code, "shop": made.shop, "expires_at": until}
        next_step = f"next   terminal-agent enrol {made.code}"
        return Shown(
            document,
            [f"code   {made.code}", f"shop   {made.shop} {made.shop_name}", f"until  {until}", next_step],
        )

    run(work, json)


@app.command("top-up")
def top_up(
    config: Config,
    year: Annotated[int, typer.Option(min=2024, max=2099, help="The programme year.")],
    part: Annotated[list[str], typer.Option(help="funder=yuan, as in central=1000000.00; repeatable.")],
    reference: Annotated[str, typer.Option(help="The document that gives the money.")],
    pool: Pool = "",
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Add money that funders have given to a programme year. One reference counts once.

    Example:

        settlement top-up --config settlement.yaml --year 2026 --part central=850000.00
        --part county=150000.00 --reference "示例财建〔2026〕1号"
    """
    parts = parts_of(part)

    def work() -> Shown:
        centre = _open(config, set_)
        refuse_foreign_parts(centre, parts)
        after = _book_top_up(centre, TopUp(year, parts, reference, pool), dry_run)
        document = {"year": year, "dry_run": dry_run, "available_fen": after}
        lines = [f"{'would be' if dry_run else 'is now'} available in {year}:"]
        return Shown(document, lines + [f"  {funder:<12}{yuan(fen):>16}" for funder, fen in after.items()])

    run(work, json)


@ledger.command("verify")
def verify(config: Config, set_: Set = None, json: Json = False) -> None:
    """Check that every posting set sums to zero and balances equal their fold. Exit 0 or 1.

    Example:

        settlement ledger verify --config settlement.yaml
    """

    def work() -> Shown:
        with reading(_open(config, set_).engine) as connection:
            found = list(read_books.faults(connection))
        lines = found or ["the books are true: postings sum to zero, balances equal their fold"]
        return Shown({"true": not found, "faults": found}, lines, 1 if found else 0)

    run(work, json)


@ledger.command("balances")
def balances(config: Config, set_: Set = None, json: Json = False) -> None:
    """Print every balance, in yuan; with --json in fen.

    Example:

        settlement ledger balances --config settlement.yaml
    """

    def work() -> Shown:
        with reading(_open(config, set_).engine) as connection:
            found = read_books.balances(connection)
        ordered = sorted(found.items(), key=lambda one: (one[0][2:], *one[0]))
        rows = [
            {"year": year, "pool": pool, "funder": funder, "account": account.value, "fen": fen}
            for (funder, account, year, pool), fen in ordered
        ]
        lines = [
            f"{year}  {funder:<12}{account.value:<24}{yuan(fen):>18}  {pool}".rstrip()
            for (funder, account, year, pool), fen in ordered
        ]
        return Shown({"balances": rows}, lines or ["no money has moved yet"])

    run(work, json)


@config.command("show")
def show(
    config: Config,
    set_: Set = None,
    json: Json = False,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
) -> None:
    """Print the settings that count.

    Example:

        settlement config show --config settlement.yaml --origin
    """

    def work() -> Shown:
        values = read_settings(config, set_ or ()).values()
        document = {
            one.name: {"value": one.value, "origin": one.origin} if origin else one.value for one in values
        }
        lines = [f"{one.name:<12}{one.value}" + (f"  ({one.origin})" if origin else "") for one in values]
        return Shown(document, lines)

    run(work, json)


@contextmanager
def _serving(centre: Centre) -> Iterator[None]:
    try:
        with serving(centre.engine, centre.settings.database):
            yield
    except BooksTaken as wrong:
        raise Refused(str(wrong), 6) from None


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _book_top_up(centre: Centre, command: TopUp, dry_run: bool) -> dict[str, int]:
    """Book it, or only look whether it can be; return what each funder then has available."""
    adds = {part.funder: part.fen for part in command.parts}
    if not dry_run:
        (answer,) = centre.writer(_raise).write_now([command])
        if isinstance(answer, Denied):
            raise Refused(answer.detail, 6)
        adds = dict.fromkeys(adds, 0)
    with reading(centre.engine) as connection:
        rows = Rows()
        store.load(connection, top_up_step.keys(command, rows), rows)
        left = balances_of.available(rows, adds, command.year, command.pool)
    if dry_run and rows.get(Funding, command.year, command.reference) is not None:
        raise Refused(f"{command.reference} is booked for {command.year}", 6)
    return {funder: left[funder] + adds[funder] for funder in adds}


def _raise(wrong: BaseException) -> None:
    raise wrong


def main() -> None:
    """Run the command line."""
    app(prog_name="settlement")
