"""Which command moves money that may still be spent, and how are funders' parts written?"""

from pathlib import Path
from typing import Annotated

import typer

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, DryRun, Json, Refused, Set, Shown, run
from settlement.funds.move_authority import MoveAuthority, Place
from settlement.funds.pools import is_pool
from settlement.writer.step import Denied
from subsidy.money import fen_from_yuan, yuan
from subsidy.policy.split import Part


def read_pool(name: str) -> str:
    """Return the name of a pool as it was written. Raises typer.BadParameter."""
    if not is_pool(name):
        raise typer.BadParameter("write it as in group=A/county=321202, or leave it out")
    return name


Pool = Annotated[
    str, typer.Option("--pool", callback=read_pool, help="A part of the year, as in group=A/county=321202.")
]


def transfer(
    config: Config,
    from_year: Annotated[int, typer.Option("--from", min=2024, max=2099, help="The year that gives.")],
    to_year: Annotated[int, typer.Option("--to", min=2024, max=2099, help="The year that gets.")],
    part: Annotated[list[str], typer.Option(help="funder=yuan, as in central=1000000.00; repeatable.")],
    reference: Annotated[str, typer.Option(help="The document that moves the money; it counts once.")],
    from_pool: Annotated[str, typer.Option(callback=read_pool, help="A pool of the year that gives.")] = "",
    to_pool: Annotated[str, typer.Option(callback=read_pool, help="A pool of the year that gets.")] = "",
    set_: Set = None,
    json: Json = False,
    dry_run: DryRun = False,
) -> None:
    """Move what is still available: between pools of a year, or what is left of a year into the next.

    What is promised, owed or claimed stays where it is.

    Example:

        settlement transfer --config settlement.yaml --from 2025 --to 2026 --part central=1000.00
        --reference "示例财建〔2026〕3号"
    """
    parts = parts_of(part)

    def work() -> Shown:
        centre = _open(config, set_)
        refuse_foreign_parts(centre, parts)
        here, there = Place(from_year, from_pool), Place(to_year, to_pool)
        command = MoveAuthority(here, there, parts, reference)
        (answer,) = centre.writer(_raise).write_now([command], dry_run)
        if isinstance(answer, Denied):
            raise Refused(answer.detail, 6)
        total = sum(one.fen for one in parts)
        document = {"dry_run": dry_run, "from": str(here), "to": str(there), "fen": total}
        done = f"{yuan(total)} {'would move' if dry_run else 'moved'} from {here} to {there}"
        return Shown(document, [done])

    run(work, json)


def parts_of(texts: list[str]) -> tuple[Part, ...]:
    """Return the funders' parts as they were written. Raises typer.BadParameter."""
    return tuple(_part(one) for one in texts)


def refuse_foreign_parts(centre: Centre, parts: tuple[Part, ...]) -> None:
    """Raise Refused unless every part is of a funder of the programme, each once."""
    funders = {share.funder for row in centre.pack.shares.rows for share in row.value}
    for one in parts:
        if one.funder not in funders:
            raise Refused(f"{one.funder} is no funder of this programme: {', '.join(sorted(funders))}", 2)
    if len({one.funder for one in parts}) < len(parts):
        raise Refused("a funder stands twice. Add its parts up", 2)


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


def _open(config: Path, set_: list[str] | None) -> Centre:
    return open_centre(read_settings(config, set_ or ()).settings)


def _raise(wrong: BaseException) -> None:
    raise wrong
