"""How does a night go? Files in, look, propose, let the writer apply, look again, report.

Each step is one transaction and may be the last: a night that is cut off is run again and ends in the
same books and the same report. A second run finds nothing left to do.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, insert, select

from settlement.db import tables
from settlement.db.connection import reading, writing
from settlement.db.place import Place
from settlement.reconcile import register
from settlement.reconcile.apply_night import ApplyNight, Proposal
from settlement.reconcile.config import NightConfig
from settlement.reconcile.due import note_run
from settlement.reconcile.expect import day_of
from settlement.reconcile.gather import gather
from settlement.reconcile.hold_ends import NotPaid, proved
from settlement.reconcile.incoming import read_files
from settlement.reconcile.lines import FileRead
from settlement.reconcile.lock import only_night
from settlement.reconcile.propose import after, proposals
from settlement.reconcile.report import Report, exit_code, to_bytes
from settlement.reconcile.sales import Gathered
from settlement.reconcile.tell import tell_of
from settlement.writer.apply import Direct
from settlement.writer.step import Answer
from subsidy.seal import sha256_hex

CHUNK = 200
"""So many proposals at once: the tills' batches come between."""
_LOOKS = 5


class NightRefused(Exception):
    """A night that cannot be run. The message says why and what to do."""


class NightParts(msgspec.Struct, frozen=True):
    """What a night works with.

    `owner` says who gets what is found about a day, `lag_target_s` within how many seconds shops should have
    reported then; `submit` hands a command to the one writer and waits for its answer.
    """

    programme: str
    engine: Engine
    database: Place
    config: NightConfig
    owner: Callable[[str], str]
    lag_target_s: Callable[[str], int]
    submit: Callable[[Direct], Answer]
    now_ms: Callable[[], int]


class Night(msgspec.Struct, frozen=True):
    """A night that has ended: its report, the report's bytes, and what it changed just now."""

    report: Report
    content: bytes
    exit_code: int
    applied: int


def run_night(
    parts: NightParts,
    day: str,
    files: Path | None = None,
    replace_of: Sequence[str] = (),
    dry_run: bool = False,
) -> Night:
    """Run the night of `day` (2026-01-31). Safe to repeat, also after it was cut off.

    Args:
        parts: what it works with.
        day: today or before.
        files: the folder to look into; None is the configured one.
        replace_of: the sources whose file on record may be replaced by the one in the folder.
        dry_run: change nothing, and report as if.

    Raises NightRefused, NightUnderWay, FileError, register.OtherBytes.
    """
    if day > day_of(parts.now_ms()):
        raise NightRefused(f"{day} has not come. Name a day up to today")
    unknown = sorted(set(replace_of) - parts.config.sources.keys())
    if unknown:
        known = ", ".join(parts.config.sources)
        raise NightRefused(f"there is no source {', '.join(unknown)}. Known: {known}")
    with only_night(parts.engine, parts.database):
        read = read_files(files or parts.config.files, list(parts.config.sources.values()), day)
        if dry_run:
            return _try(parts, day, [one for one in read if _is_new(parts, one, replace_of)])
        with writing(parts.engine) as connection:
            register.load(connection, read, replace_of, parts.now_ms())
        applied = _apply(parts, day)
        night = _night(parts, _look(parts, day), applied)
        _store(parts, day, night)
        return night


def stored(connection: Connection, day: str) -> bytes | None:
    """Return the newest report of a day, or None."""
    c = tables.night_report.c
    query = select(c.content).where(c.day == day).order_by(c.version.desc()).limit(1)
    content = connection.execute(query).scalar_one_or_none()
    return None if content is None else bytes(content)


def _apply(parts: NightParts, day: str) -> int:
    """Let the writer apply what the night proposes, and look again until nothing is left to propose."""
    applied = 0
    for _ in range(_LOOKS):
        proposed = _propose(parts, _look(parts, day))
        if not proposed:
            break
        for start in range(0, len(proposed), CHUNK):
            parts.submit(ApplyNight(tuple(proposed[start : start + CHUNK])))
        applied += len(proposed)
    return applied


def _look(parts: NightParts, day: str, tried: Sequence[FileRead] = ()) -> Gathered:
    with reading(parts.engine) as connection:
        return gather(connection, day, tried, parts.config, parts.now_ms())


def _propose(parts: NightParts, found: Gathered) -> list[Proposal]:
    owner = parts.owner(found.day)
    return proposals(found.sales, found.items, parts.config, found.files, owner, parts.now_ms())


def _try(parts: NightParts, day: str, tried: list[FileRead]) -> Night:
    """Return the night as it would be: on copies, in memory."""
    found = _look(parts, day, tried)
    now_ms = parts.now_ms()
    sales, freed_fen = [], 0
    for sale in found.sales:
        end = (
            None
            if sale.story is None
            else proved(sale.story, sale.lines, parts.config, found.files, now_ms, sale.free)
        )
        if isinstance(end, NotPaid) and sale.sale in found.placed and sale.story is not None:
            freed_fen += sale.story.record.subsidy_fen
        sales.append(after(sale, end))
    totals = replace(found.totals, still_out_fen=found.totals.still_out_fen - freed_fen)
    would_be = replace(found, sales=tuple(sales), totals=totals)
    return _night(parts, would_be, len(_propose(parts, found)))


def _is_new(parts: NightParts, file: FileRead, replace_of: Sequence[str]) -> bool:
    with reading(parts.engine) as connection:
        return register.is_new(file, register.counting(connection), replace_of, parts.now_ms())


def _night(parts: NightParts, found: Gathered, applied: int) -> Night:
    owner, lag_s = parts.owner(found.day), parts.lag_target_s(found.day)
    report = tell_of(found, parts.programme, parts.config, owner, lag_s, parts.now_ms())
    return Night(report, to_bytes(report), exit_code(report), applied)


def _store(parts: NightParts, day: str, night: Night) -> None:
    """Keep the report, unless the newest of its day says the same, and note that the night has ended."""
    now_ms = parts.now_ms()
    with writing(parts.engine) as connection:
        note_run(connection, day, night.exit_code, night.exit_code != 1 and night.report.complete, now_ms)
        if stored(connection, day) == night.content:
            return
        c = tables.night_report.c
        versions = connection.execute(select(c.version).where(c.day == day)).scalars().all()
        connection.execute(
            insert(tables.night_report).values(
                day=day,
                version=max(versions, default=0) + 1,
                sha256=sha256_hex(night.content),
                content=night.content,
                made_ms=now_ms,
            )
        )
