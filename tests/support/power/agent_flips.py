"""Is a changed byte in any page of the agent's files found, and is everything there again afterwards?"""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from power.agent_cuts import digest
from power.agent_day import AgentDay
from power.kinds import Piece
from power.scratch import fast_folder, scratch

from terminal_agent.journal import check
from terminal_agent.journal.mend import look, mend
from terminal_agent.journal.open import JournalDamaged, JournalDown, open_journal

PAGE = 4096
_SEEDS_A_PIECE = 4


class Files(NamedTuple):
    """An agent's files as a kill has left them, or its end, and what its journal said."""

    content: dict[str, bytes]
    said: str


def after_a_day(*, killed: bool) -> Files:
    """Return the files of a journal with everything in it; `killed` leaves SQLite's log beside it."""
    folder = fast_folder("agent-flips-")
    try:
        day = AgentDay(folder)
        day.live()
        if killed:
            day.reopen()
            for _ in range(3):
                day.sell()
        else:
            day.connection = open_journal(day.path)
        said = digest(day.connection)
        if not killed:
            day.connection.close()
        content = {one.name: one.read_bytes() for one in folder.iterdir()}
        day.connection.close()
        return Files(content, said)
    finally:
        shutil.rmtree(folder)


def flips(content: bytes, seed: int, each: int = PAGE) -> Iterator[bytes]:
    """Yield `content` with one byte changed, once in every `each` bytes."""
    chance = random.Random(seed)
    for start in range(0, len(content), each):
        at = chance.randrange(start, min(start + each, len(content)))
        changed = bytearray(content)
        changed[at] ^= chance.randrange(1, 256)
        yield bytes(changed)


def flip(
    files: Files, name: str, seed: int, folder: Path, each: int = PAGE
) -> tuple[Counter[str], list[str]]:
    """Change a byte in each page of a file in turn; return what came of each, and what is wrong."""
    came: Counter[str] = Counter()
    wrong: list[str] = []
    for number, changed in enumerate(flips(files.content[name], seed, each)):
        for old in folder.iterdir():
            old.unlink()
        for other, content in files.content.items():
            (folder / other).write_bytes(changed if other == name else content)
        try:
            came[_came_of(folder / "journal.db", files.said)] += 1
        except (AssertionError, JournalDown) as problem:
            wrong.append(f"{name}, page {number}, seed {seed}: {problem}")
    return came, wrong


def piece(seed: int) -> Piece:
    """Change a byte in each page of each file, after a clean end and after a kill, some times over."""
    came: Counter[str] = Counter()
    wrong: list[str] = []
    with scratch() as folder:
        for killed in (False, True):
            files = after_a_day(killed=killed)
            for one in range(seed * _SEEDS_A_PIECE, (seed + 1) * _SEEDS_A_PIECE):
                for name in files.content:
                    found, bad = flip(files, name, one, folder)
                    came, wrong = came + found, wrong + bad
    return Piece("a byte in each page of each file", came.total() + len(wrong), wrong, dict(came))


def _came_of(journal: Path, said: str) -> str:
    """Start the agent's journal on changed files, mend it when it says so, and return what has happened."""
    try:
        before = _said_by(journal)
    except JournalDamaged:
        assert mend(journal).is_well
        assert _said_by(journal) == said, "mended, it says something else"
        return "found, made again from the black box"
    assert before == said, "not found, and it says something else"
    if not look(journal).is_well:
        assert mend(journal).is_well
        assert _said_by(journal) == said, "mended, it says something else"
        return "found by doctor, black box made again from the database"
    return "nothing that is read was changed, or put right at the start"


def _said_by(journal: Path) -> str:
    """Return what a journal says, looked at wholly, as an agent does it soon after its start."""
    database = open_journal(journal)
    try:
        check.wholly(database)
        return digest(database)
    finally:
        database.close()
