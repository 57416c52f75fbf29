"""What can shop IT and developers do with a trace? Look at it, and make a test of it.

The sub-command `terminal-agent trace`. Exit codes are those of `cli.py`.
"""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from catalog_sync.packs import read_text
from subsidy import calendar
from subsidy.masking import scrub
from subsidy.strict.yaml_text import FileError
from terminal_agent.config import read_config
from terminal_agent.iso8583.dialect import place_of
from terminal_agent.traces.mask_frames import SEPARATED
from terminal_agent.traces.mask_http import WALLET
from terminal_agent.traces.mask_mis import MIS
from terminal_agent.traces.mask_nexo import NEXO
from terminal_agent.traces.read_trace import Case, TraceUnreadable, make_case, read_trace, replay
from terminal_agent.traces.write_trace import Passed

_DATA_INVALID, _LOOK_AT_IT = 3, 4
_AS_TEXT = (WALLET, NEXO, MIS, SEPARATED)

app = typer.Typer(no_args_is_help=True, help="What passed on a link, masked (`traces` in agent.yaml).")

FileArgument = Annotated[
    Path, typer.Argument(help="A file that the agent wrote, such as traces/12345678.trace.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The agent's YAML file, to check.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def show(file: FileArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what passed, line by line. Example: terminal-agent trace show traces/12345678.trace"""
    _check(config, as_json)
    passed = _read(file, as_json)
    if as_json:
        typer.echo(json.dumps({"passed": msgspec.to_builtins(passed)}))
        return
    for one in passed:
        at = calendar.from_ms(one.at_ms).isoformat(timespec="milliseconds")
        typer.echo(f"{at}  {one.connection:>4}  {one.way:<13}  {_what(one)}")


@app.command("to-test")
def to_test(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", help="The case file; it belongs into tests/files/traces/.")],
    why: Annotated[str, typer.Option("--why", help="What went wrong that day, in a sentence.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would hold.")] = False,
) -> None:
    """Make a test of a trace: its frames, and what this version understands of them.

    Example: terminal-agent trace to-test traces/12345678.trace --out void.json --why "the void was not seen"
    """
    _check(config, as_json)
    try:
        case = make_case(_read(file, as_json), scrub(why), _dialect_text)
    except (TraceUnreadable, FileError) as wrong:
        _leave(str(wrong), as_json)
    if not dry_run:
        if out.exists():
            _leave(f"{out} is there already. Name another file: a case is never written over", as_json)
        try:
            out.write_bytes(msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n")
        except OSError as wrong:
            _leave(
                f"{out} cannot be written: {wrong.strerror}. Name a file in a folder that is there", as_json
            )
    unread = sum(step.understood is None for step in case.steps)
    words = f"{len(case.steps)} frames of {case.kind} ({case.dialect}), {unread} of them not understood"
    _print({"steps": len(case.steps), "not_understood": unread, "dry_run": dry_run}, as_json, words)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Case files.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay case files with this version. Example: terminal-agent trace check tests/files/traces/*.json"""
    _check(config, as_json)
    told: dict[str, list[str]] = {}
    for file in files:
        try:
            told[str(file)] = replay(msgspec.json.decode(read_text(file), type=Case), _dialect_text)
        except (msgspec.DecodeError, ValueError):
            _leave(f"{file} is no case file. Make it with `terminal-agent trace to-test`", as_json)
        except (TraceUnreadable, FileError) as wrong:
            _leave(str(wrong), as_json)
    lines = [f"{file}: {one}" for file, found in told.items() for one in found]
    _print({"differs": told}, as_json, "\n".join(lines) or "all are understood as they were")
    raise typer.Exit(_LOOK_AT_IT if lines else 0)


def _check(config: Path | None, as_json: bool) -> None:
    try:
        if config is not None:
            read_config(config)
    except FileError as wrong:
        _leave(str(wrong), as_json)


def _what(one: Passed) -> str:
    if one.said:
        return one.said
    if one.frame and one.kind in _AS_TEXT:
        return bytes.fromhex(one.frame).decode("gbk" if one.kind == SEPARATED else "utf-8", errors="replace")
    return one.frame or f"{one.size} bytes that could not be read"


def _read(file: Path, as_json: bool) -> list[Passed]:
    try:
        return read_trace(read_text(file).encode(), file.name)
    except (TraceUnreadable, FileError) as wrong:
        _leave(str(wrong), as_json)


def _dialect_text(name: str) -> str:
    return read_text(place_of(name))


def _print(document: object, as_json: bool, text: str) -> None:
    typer.echo(json.dumps(document) if as_json else text)


def _leave(sentence: str, as_json: bool) -> NoReturn:
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": _DATA_INVALID}, ensure_ascii=False))
    raise typer.Exit(_DATA_INVALID)
