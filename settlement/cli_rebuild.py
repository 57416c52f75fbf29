"""Which command makes the books anew from their events?"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from settlement.app import Centre, open_centre
from settlement.cli_audited import audited
from settlement.config import read_settings
from settlement.console import Config, Json, Refused, Set, Shown, TokenFile, run
from settlement.copies import rebuild as again
from settlement.copies.rebuild import Rebuilt
from settlement.copies.sqlite_file import open_scratch
from settlement.copies.target import CopyRefused, empty_books
from settlement.db.connection import reading
from settlement.db.place import Place, read_place
from settlement.system import clock_us


def rebuild(
    config: Config,
    check: Annotated[bool, typer.Option("--check", help="Only compare; the default.")] = False,
    into: Annotated[
        str | None,
        typer.Option("--into", help="Keep the books made anew in this empty file or postgresql:// URL."),
    ] = None,
    token_file: TokenFile = None,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Make the books anew from their events and compare. Exit 0 when they are the same, or 1.

    The service may go on running. With 1, what differs is named; nothing is changed in the books.

    Example:

        settlement ledger rebuild --config settlement.yaml --check
    """
    if check and into is not None:
        raise typer.BadParameter("name --check or --into, not both", param_hint="--check")

    def work(centre: Centre) -> Shown:
        try:
            done, seconds = _rebuild(centre, None if into is None else place_of(into))
        except CopyRefused as wrong:
            raise Refused(str(wrong), 6) from None
        return _shown(done, seconds, into)

    run(
        lambda: audited(
            open_centre(read_settings(config, set_ or ()).settings), "ledger rebuild", token_file, work
        ),
        json,
    )


def place_of(text: str) -> Place:
    """Return the place that an option names, a file from where the command is run. Raises Refused."""
    try:
        return read_place(text, Path())
    except ValueError as wrong:
        raise Refused(f"{text}: {wrong}", 2) from None


def _rebuild(centre: Centre, into: Place | None) -> tuple[Rebuilt, float]:
    """Return what came of it, and the seconds that folding and comparing took."""
    target = None if into is None else empty_books(into)
    with tempfile.TemporaryDirectory(prefix="books-anew-") as folder, reading(centre.engine) as source:
        scratch = open_scratch(Path(folder) / "books.sqlite3")
        began_us = clock_us()
        done = again.rebuild(source, scratch, keep_postings=target is not None)
        seconds = max(clock_us() - began_us, 1) / 1_000_000
        if target is not None and done.folded.is_whole:
            again.keep(source, scratch, target)
    return done, seconds


def _shown(done: Rebuilt, seconds: float, into: str | None) -> Shown:
    folded, same = done.folded, not done.faults
    rate = round(folded.events / seconds)
    document: dict[str, Any] = {
        "same": same,
        "faults": done.faults,
        "events": folded.events,
        "head": folded.head,
        "sha256": done.books.sha256,
        "sha256_anew": done.anew.sha256,
        "seconds": round(seconds, 3),
        "events_per_s": rate,
    }
    lines = [f"{folded.events} events folded again in {seconds:.1f} s, {rate} a second", *done.faults]
    if same:
        lines.append(f"the books are what their events make: {done.books.sha256}")
    else:
        lines.append("the books are not what their events make. Stop the service, keep everything, call us")
    if into is not None:
        kept = (
            f"the books made anew are in {into}" if folded.is_whole else "nothing was kept: the log is broken"
        )
        lines.append(kept)
    return Shown(document, lines, 0 if same else 1)
