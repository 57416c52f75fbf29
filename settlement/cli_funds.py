"""Which commands bring money into the fund, and move what may still be spent? Both are proposed."""

from typing import Annotated

import typer

from settlement.app import Centre
from settlement.cli_proposals import More, propose_it
from settlement.console import Config, DryRun, Json, Set, TokenFile
from settlement.db.connection import reading
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.pools import is_pool
from settlement.funds.top_up import TopUp
from settlement.ledger import read_books
from settlement.ledger.accounts import Account
from settlement.words import words
from subsidy.money import fen_from_yuan, yuan
from subsidy.policy.split import Part


def read_pool(name: str) -> str:
    """Return the name of a pool as it was written. Raises typer.BadParameter."""
    if not is_pool(name):
        raise typer.BadParameter("write it as in group=A/county=321202, or leave it out")
    return name


Parts = Annotated[list[str], typer.Option(help="funder=yuan, as in central=1000000.00; repeatable.")]


def top_up(
    config: Config,
    year: Annotated[int, typer.Option(min=2024, max=2099, help="The programme year.")],
    part: Parts,
    reference: Annotated[str, typer.Option(help="The document that gives the money.")],
    pool: Annotated[
        str, typer.Option(callback=read_pool, help="A part of the year, as in group=A/county=321202.")
    ] = "",
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to add money that funders have given to a programme year. One reference counts once.

    Another person approves it.

    Example:

        settlement top-up --config settlement.yaml --year 2026 --part central=850000.00
        --part county=150000.00 --reference "示例财建〔2026〕1号"
    """
    command = TopUp(year, _parts(part), words(reference, "--reference"), pool)

    def available(centre: Centre) -> More:
        with reading(centre.engine) as connection:
            now = read_books.balances(connection)
        after = {
            one.funder: now.get((one.funder, Account.AVAILABLE, year, pool), 0) + one.fen
            for one in command.parts
        }
        lines = [f"  {funder:<12}{yuan(fen):>16}" for funder, fen in after.items()]
        document = {"year": year, "pool": pool, "available_fen": after}
        return More(document, [f"would then be available in {Place(year, pool)}:", *lines])

    propose_it(lambda _centre: command, f"top-up {year}", config, token_file, set_, json, dry_run, available)


def transfer(
    config: Config,
    from_year: Annotated[int, typer.Option("--from", min=2024, max=2099, help="The year that gives.")],
    to_year: Annotated[int, typer.Option("--to", min=2024, max=2099, help="The year that gets.")],
    part: Parts,
    reference: Annotated[str, typer.Option(help="The document that moves the money; it counts once.")],
    from_pool: Annotated[str, typer.Option(callback=read_pool, help="A pool of the year that gives.")] = "",
    to_pool: Annotated[str, typer.Option(callback=read_pool, help="A pool of the year that gets.")] = "",
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Propose to move what is still available: between pools, or what is left of a year into the next.

    What is promised, owed or claimed stays where it is. Another person approves it.

    Example:

        settlement transfer --config settlement.yaml --from 2025 --to 2026 --part central=1000.00
        --reference "示例财建〔2026〕3号"
    """
    here, there = Place(from_year, from_pool), Place(to_year, to_pool)
    command = MoveAuthority(here, there, _parts(part), words(reference, "--reference"))
    propose_it(lambda _centre: command, f"transfer {here}", config, token_file, set_, json, dry_run)


def _parts(texts: list[str]) -> tuple[Part, ...]:
    return tuple(_part(one) for one in texts)


def _part(text: str) -> Part:
    funder, _, amount = text.partition("=")
    try:
        fen = fen_from_yuan(amount)
    except ValueError:
        fen = None
    if not funder or not fen:
        raise typer.BadParameter(
            "write funder=yuan with two decimals, as in central=1000000.00", param_hint="--part"
        )
    return Part(funder, fen)
