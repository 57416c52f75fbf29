"""Is everything that the agent's journal acknowledged there after a power cut, and nothing by half?

A day is lived once and recorded; then the power is cut after each of its operations, the disk made as it may
be then, and the shipped code opens it.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from power.agent_day import AgentDay
from power.cut_images import Disk, Judge, put
from power.kinds import Piece
from power.recorded_disk import RecordedDisk
from power.recorded_sqlite import Operation
from power.scratch import fast_folder, scratch

from terminal_agent.journal import check, recover, watch
from terminal_agent.journal.connection import JournalConnection, JournalDown, row_of
from terminal_agent.journal.open import open_journal

_VARIANTS_A_PIECE = 4


class Recorded(NamedTuple):
    """A day: what was done to the disk, and what the journal said after each of its commits.

    A commit's mark in the log has its number in `states` as its name.
    """

    log: list[Operation]
    states: list[str]


def digest(db: JournalConnection) -> str:
    """Return the hash of every row of a journal."""
    seen = hashlib.sha256()
    for table in watch.tables_of(db):
        for image in watch.images(db, table):
            seen.update(b"%s %s\n" % (table.name.encode(), image))
    return seen.hexdigest()


def record() -> Recorded:
    """Live a day on a recorded disk."""
    folder = fast_folder("agent-day-")
    states = [hashlib.sha256().hexdigest()]
    commit = JournalConnection.commit
    try:
        with RecordedDisk(folder) as disk:

            def acknowledged(db: JournalConnection) -> None:
                commit(db)
                if (now := digest(db)) != states[-1]:
                    states.append(now)
                    disk.mark(str(len(states) - 1))

            JournalConnection.commit = acknowledged  # type: ignore[method-assign]
            AgentDay(folder).live()
        return Recorded(disk.log, states)
    finally:
        JournalConnection.commit = commit  # type: ignore[method-assign]
        shutil.rmtree(folder)


def cut(day: Recorded, at: Iterable[int], variants: Iterable[int], judge: Judge) -> Iterator[str]:
    """Cut the power after each operation in `at`, in each variant; yield what is wrong, or "" for each."""
    chosen, kinds = set(at), list(variants)
    disk, acknowledged = Disk(), 0
    for number, one in enumerate(day.log):
        disk.do(one)
        if one.kind == "commit":
            acknowledged = int(one.file)
        if number in chosen:
            for variant in kinds:
                may_be = day.states[acknowledged : acknowledged + 2]
                wrong = judge.of(disk.image(variant, str(number)), may_be)
                yield f"operation {number}, variant {variant}: {wrong}" if wrong else ""


def judge_in(folder: Path) -> Judge:
    """Return who has the shipped code open a disk, in a folder that has nothing else."""

    def judge(image: dict[str, bytes], may_be: list[str]) -> str:
        put(image, folder)
        return _wrong(folder / "journal.db", may_be)

    return Judge(judge)


def piece(seed: int) -> Piece:
    """Cut the power after each operation of a day, in some variants that no other seed has."""
    day = record()
    variants = range(seed * _VARIANTS_A_PIECE, (seed + 1) * _VARIANTS_A_PIECE)
    with scratch() as folder:
        judge = judge_in(folder)
        came = list(cut(day, range(len(day.log)), variants, judge))
    point = f"after each of {len(day.log)} operations, variants {variants[0]} to {variants[-1]}"
    return Piece(point, len(came), [one for one in came if one], {"different disks": judge.different})


def _wrong(journal: Path, may_be: list[str]) -> str:
    """Return what is wrong with a journal that must be in one of two states, "" when nothing is."""
    try:
        db = open_journal(journal)
    except JournalDown as down:
        return str(down)
    try:
        check.wholly(db)
        now, row = digest(db), row_of(db)
    except JournalDown as down:
        return str(down)
    finally:
        db.close()
    if now not in may_be:
        return "what was acknowledged is not there, or something is by half"
    folded = recover.fold(journal)
    if row is None or folded is None or (folded.at.head, folded.total) != (row.head, row.total):
        return "the black box does not come to what the journal holds"
    return ""
