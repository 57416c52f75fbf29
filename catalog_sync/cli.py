"""`catalog-sync`: the commands, which only read arguments and write answers.

Exit codes: 0 done, 1 a bug of ours, 2 usage, 3 a data file is invalid, 4 done, with differences.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from catalog_sync.check_files import CheckedProgramme, check_files
from catalog_sync.data_file import DataFileError
from catalog_sync.decide_file import decide_file
from catalog_sync.packs import read_folder
from catalog_sync.replay_file import Differing, replay_file
from subsidy import __version__
from subsidy.money import yuan
from subsidy.policy.decide import Granted
from subsidy.strict.yaml_text import FileError

INVALID = 3
DIFFERENCES = 4

app = typer.Typer(
    help="Keep what shops must know fresh.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy = typer.Typer(
    help="Policy packs: check them, decide by them, try them on past sales.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(policy, name="policy")

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout, nothing else.")]
Packs = Annotated[Path, typer.Option("--packs", metavar="DIR", help="The folder with the policy files.")]


def main() -> None:
    """Run the command that the arguments name."""
    app()


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"catalog-sync {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version, and stop."),
    ] = False,
) -> None:
    """Keep what shops must know fresh."""


@policy.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policy files, read together.")],
    as_json: AsJson = False,
) -> None:
    """Read policy files strictly: 0 when all can be loaded, 3 with file, line and remedy when not.

    Rules that a programme takes up are looked for beside it when they are not named.

    \b
    Example:
      catalog-sync policy check config/policies/JS-321200.yaml
    """
    with _invalid_data(as_json):
        checked = check_files(files)
    if as_json:
        _write_json(checked)
        return
    for programme in checked.programmes:
        _write(_programme_line(programme))
    _write(f"ok: {', '.join(checked.files)}")


@policy.command("decide")
def decide(
    packs: Packs,
    facts: Annotated[Path, typer.Option("--facts", metavar="FILE", help="One JSON object, or an array.")],
    as_json: AsJson = False,
) -> None:
    """Print what the packs decide on the facts, as JSON; an array of facts gives an array.

    An absent fact is not judged; null means known to be none.

    \b
    Example:
      catalog-sync policy decide --packs config/policies --facts facts.json
    with, in facts.json:
      {"sold_at": "2026-03-01T10:00:00+08:00", "programme": "JS-321200", "region": "321202",
       "category": "FRIDGE", "energy_level": 1, "initial_price_fen": 459900,
       "merchant_discount_fen": 60000, "filed_price_fen": 459900}
    """
    with _invalid_data(as_json):
        answer = decide_file(read_folder(packs), facts)
    _write_json(answer)


@policy.command("replay")
def replay(
    packs: Packs,
    records: Annotated[
        Path,
        typer.Option("--records", metavar="FILE", help='A JSON array of {"facts": ..., "decision": ...}.'),
    ],
    as_json: AsJson = False,
) -> None:
    """Decide again on archived facts: 0 when every decision stays, 4 with a list when some differ.

    Try a changed pack on past sales with it before the pack is signed.

    \b
    Example:
      catalog-sync policy replay --packs changed-policies --records march.json
    """
    with _invalid_data(as_json):
        found = replay_file(read_folder(packs), records)
    if as_json:
        _write_json(found)
    else:
        for one in found.decisions:
            _write(_difference_line(one))
        _write(
            f"{found.records} decided again, {found.differing} differ, by {yuan(found.fen)} in all "
            f"({yuan(found.fen_up)} more, {yuan(found.fen_down)} less)"
        )
    if found.differing:
        raise typer.Exit(DIFFERENCES)


@contextmanager
def _invalid_data(as_json: bool) -> Iterator[None]:
    """End with 3 and the remedy when a file cannot be taken."""
    try:
        yield
    except (FileError, DataFileError) as wrong:
        if as_json:
            _write_json({"error": {name: _writable(value) for name, value in vars(wrong).items()}})
        typer.echo(str(wrong), err=True)
        raise typer.Exit(INVALID) from None


def _writable(value: Any) -> Any:
    # The name of a file may hold bytes that are not UTF-8.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _programme_line(one: CheckedProgramme) -> str:
    lines = [f"{one.programme}: {one.title}", f"  takes up {', '.join(one.rules)}", f"  hash {one.hash}"]
    if one.training:
        lines.append("  for training only: it may move no real money")
    if one.to_be_set:
        names = dict.fromkeys(row.partition(" ")[0] for row in one.to_be_set)
        lines.append(f"  {len(one.to_be_set)} rows are to be set by the bureau: {', '.join(names)}")
    return "\n".join(lines)


def _difference_line(one: Differing) -> str:
    was = yuan(one.was.granted_fen) if one.was.decision == "granted" else f"refused {' '.join(one.was.codes)}"
    if isinstance(one.would_be, Granted):
        would_be = yuan(one.would_be.subsidy_fen)
    else:
        would_be = f"refused {' '.join(reason.code for reason in one.would_be.reasons)}"
    name = f" {one.record_id}" if one.record_id else ""
    return (
        f"$[{one.index}]{name} {one.programme} {one.sold_at}: was {was}, would be {would_be} "
        f"({yuan(one.fen)}; differs in {', '.join(one.differs)})"
    )


def _write_json(value: Any) -> None:
    _write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _write(text: str) -> None:
    # As bytes: a console set to another encoding must not stop an answer in Chinese.
    typer.echo(text.encode("utf-8", "replace"))
