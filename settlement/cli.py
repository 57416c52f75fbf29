"""Which commands does the centre have? They parse and call; `console.py` answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from settlement.app import Centre, open_centre, set_up
from settlement.cli_alarms import alarms
from settlement.cli_claims import claims, year
from settlement.cli_copies import backup, drill, move, restore, restored
from settlement.cli_devices import devices
from settlement.cli_freeze import freeze
from settlement.cli_funds import top_up, transfer
from settlement.cli_holds import holds
from settlement.cli_imports import imports
from settlement.cli_invoices import invoices
from settlement.cli_night import night
from settlement.cli_offers import offers
from settlement.cli_passwords import password
from settlement.cli_people import users
from settlement.cli_proposals import approve, proposals, propose
from settlement.cli_rebuild import rebuild
from settlement.cli_records import records
from settlement.cli_registers import registers
from settlement.cli_returns import returns
from settlement.cli_tokens import audit_log, tokens
from settlement.config import read_settings
from settlement.console import Config, Json, Refused, Set, Shown, TokenFile, print_now, run
from settlement.db.connection import reading, writing
from settlement.db.place import Place, Postgres
from settlement.db.rights import is_role_name, let_in
from settlement.db.serving import BooksTaken, serving
from settlement.devices.make_code import make_code
from settlement.ledger import read_books
from settlement.people import audit
from settlement.people.acting import Task
from settlement.people.credentials import name_of_account
from settlement.people.first import first_token
from settlement.people.roles import Permission
from settlement.system import random_bytes
from settlement.web.serve import bind, run_until_stopped
from subsidy import __version__, calendar
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
app.add_typer(registers, name="register")
app.command("top-up")(top_up)
app.command("transfer")(transfer)
app.add_typer(users, name="users")
users.command("password")(password)
app.add_typer(tokens, name="token")
app.add_typer(proposals, name="proposals")
app.add_typer(audit_log, name="audit")
app.command("propose")(propose)
app.command("approve")(approve)
app.add_typer(holds, name="holds")
app.add_typer(devices, name="devices")
app.add_typer(returns, name="returns")
app.add_typer(invoices, name="invoices")
app.add_typer(offers, name="offers")
app.add_typer(records, name="records")
app.add_typer(freeze, name="freeze")
app.command("alarms")(alarms)
for command in (backup, restore, restored, drill, move):
    app.command(command.__name__)(command)
ledger.command("rebuild")(rebuild)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"settlement {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and stop."),
    ] = False,
) -> None:
    """The centre: the fund's promises, its books, and everything the shops report."""


@app.command("init")
def init(
    config: Config,
    set_: Set = None,
    json: Json = False,
    new_token: Annotated[bool, typer.Option("--new-token", help="Make another API token.")] = False,
    database: Annotated[
        str | None, typer.Option("--database", help="A file or postgresql:// URL over the configured one.")
    ] = None,
    service_role: Annotated[
        str | None, typer.Option("--service-role", help="PostgreSQL: the role that the service runs as.")
    ] = None,
) -> None:
    """Make the database, the keys and the first API token, which is shown once. Safe to repeat.

    Example:

        settlement init --config settlement.yaml
    """

    def work() -> Shown:
        overrides = [*(set_ or ()), *([f"database={database}"] if database is not None else [])]
        settings = read_settings(config, overrides).settings
        _check_role(settings.database, service_role)
        centre = set_up(settings)
        if service_role is not None:
            let_in(centre.engine, service_role)
        with writing(centre.engine) as connection:
            token = first_token(connection, random_bytes, centre.now_ms(), again=new_token)
            audit.write(connection, centre.now_ms(), name_of_account(), "os", "init", "", "done")
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
        with (
            _serving(centre),
            bind(centre.settings.listen) as bound,
            centre.acting(Task(Permission.RUN, "serve")),
        ):
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
            web.edge.writer.stop()
        return Shown(None, [])

    run(work, json)


@app.command("enrol-code")
def enrol_code(
    config: Config,
    shop: Annotated[str, typer.Option(help="The shop's id.")],
    valid_minutes: Annotated[int, typer.Option(min=1, max=10_080, help="How long it counts.")] = 15,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Make a one-time code that enrols one host of a shop. It is shown once.

    Example:

        settlement enrol-code --config settlement.yaml --shop S0031
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with centre.acting(Task(Permission.RUN, "enrol-code", shop), token_file):
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


@ledger.command("verify")
def verify(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Check that every posting set sums to zero and balances equal their fold. Exit 0 or 1.

    Example:

        settlement ledger verify --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "ledger verify"), token_file),
            reading(centre.engine) as connection,
        ):
            found = list(read_books.faults(connection))
        lines = found or ["the books are true: postings sum to zero, balances equal their fold"]
        return Shown({"true": not found, "faults": found}, lines, 1 if found else 0)

    run(work, json)


@ledger.command("balances")
def balances(config: Config, token_file: TokenFile = None, set_: Set = None, json: Json = False) -> None:
    """Print every balance, in yuan; with --json in fen.

    Example:

        settlement ledger balances --config settlement.yaml
    """

    def work() -> Shown:
        centre = _open(config, set_)
        with (
            centre.acting(Task(Permission.READ_BOOKS, "ledger balances"), token_file),
            reading(centre.engine) as connection,
        ):
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


def _check_role(place: Place, role: str | None) -> None:
    if role is None:
        return
    if not isinstance(place, Postgres):
        raise Refused("only a database on a PostgreSQL server has roles. Leave --service-role out", 2)
    if not is_role_name(role):
        raise Refused("--service-role: write small letters, digits and _, as in settlement", 2)


@contextmanager
def _serving(centre: Centre) -> Iterator[None]:
    try:
        with serving(centre.engine, centre.settings.database):
            yield
    except BooksTaken as wrong:
        raise Refused(str(wrong), 6) from None


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def main() -> None:
    """Run the command line."""
    app(prog_name="settlement")
