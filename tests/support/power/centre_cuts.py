"""Is everything that the centre's books acknowledged there after a power cut, and nothing by half?

Two stretches are lived once and recorded: a centre that is set up, with people, imports and money; and busy
books, by commands and by the writer with its checkpoints. Then the power is cut after each operation.
"""

import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pysqlite3.dbapi2 as sqlite
from books import Books
from busy_books import keep_busy
from centre import Clock, ready_centre, write_config
from power.cut_images import Disk, Judge, put
from power.kinds import Piece
from power.recorded_sqlite import Operation, RecordedSqlite
from power.scratch import fast_folder, scratch
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DBAPIError

from settlement.config import read_settings
from settlement.copies.rebuild import rebuild
from settlement.copies.sqlite_file import open_scratch
from settlement.db.connection import checkpoint, open_database, reading, writing
from settlement.db.place import DatabaseDown, Sqlite
from settlement.ledger import read_books
from settlement.writer.writer import Writer

_REBUILD_EVERY = 25
_VARIANTS_A_PIECE = 4


class Recorded(NamedTuple):
    """A stretch: the files before it, what was done, and what the books said after each commit."""

    before: dict[str, bytes]
    log: list[Operation]
    states: list[str]
    database: str


def set_up() -> Recorded:
    """Set a centre up: tables, people, imports, money."""

    def live(folder: Path) -> None:
        settings = read_settings(write_config(folder), environment={}).settings
        centre, _ = ready_centre(settings, folder, Clock())
        centre.engine.dispose()

    return _record(lambda folder: None, live)


def busy() -> Recorded:
    """Let nearly everything happen to books, by commands and through the writer's own thread."""
    made: list[Books] = []

    def live(_folder: Path) -> None:
        (books,) = made
        device = keep_busy(books)
        commands = [
            books.asked(device, device.hold_request(books.pack.hash, person=20 + n)) for n in range(6)
        ]
        writer = Writer(books.engine, books.setting, books.clock.now_ms, _raise)
        writer.start()
        for number, command in enumerate(commands):
            writer.submit(command)
            if number % 2:
                checkpoint(books.engine)
        writer.stop()
        books.engine.dispose()

    return _record(lambda folder: made.append(Books(folder)), live)


STRETCHES = {"set up": set_up, "busy": busy}


def cut(day: Recorded, at: Iterable[int], variants: Iterable[int], judge: Judge) -> Iterator[str]:
    """Cut the power after each operation in `at`, in each variant; yield what is wrong, or "" for each."""
    chosen, kinds = set(at), list(variants)
    disk, acknowledged = Disk(day.before), 0
    for number, one in enumerate(day.log):
        disk.do(one)
        if one.kind == "commit":
            acknowledged = int(one.file)
        if number in chosen:
            for variant in kinds:
                may_be = day.states[acknowledged : acknowledged + 2]
                wrong = judge.of(disk.image(variant, str(number)), may_be)
                yield f"operation {number}, variant {variant}: {wrong}" if wrong else ""


def judge_in(folder: Path, database: str) -> Judge:
    """Return who has the shipped code open a disk, in a folder that has nothing else."""
    numbers = itertools.count(1)

    def judge(image: dict[str, bytes], may_be: list[str]) -> str:
        put(image, folder)
        return _wrong(folder / database, may_be, whole=next(numbers) % _REBUILD_EVERY == 0)

    return Judge(judge)


def piece(seed: int, stretch: str) -> Piece:
    """Cut the power after each operation of a stretch, in some variants that no other seed has."""
    day = STRETCHES[stretch]()
    variants = range(seed * _VARIANTS_A_PIECE, (seed + 1) * _VARIANTS_A_PIECE)
    with scratch() as folder:
        judge = judge_in(folder, day.database)
        came = list(cut(day, range(len(day.log)), variants, judge))
    point = f"after each of {len(day.log)} operations, variants {variants[0]} to {variants[-1]}"
    return Piece(point, len(came), [one for one in came if one], {"different disks": judge.different})


def digest(database: Path) -> str:
    """Return the hash of every row of books; of books that are not there, that of nothing."""
    seen = hashlib.sha256()
    if not database.exists():
        return seen.hexdigest()
    connection = sqlite.connect(f"{database.as_uri()}?mode=rw", uri=True)
    connection.text_factory = bytes  # whatever a damaged page has made of a text
    try:
        names = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' "
            "AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        for name, made in names.fetchall():
            seen.update(name + b" " + made + b"\n")
            for row in connection.execute(f'SELECT * FROM "{name.decode()}" ORDER BY _rowid_'):
                seen.update(repr(row).encode())
    finally:
        connection.close()
    return seen.hexdigest()


def _record(prepare: Callable[[Path], Any], live: Callable[[Path], None]) -> Recorded:
    folder = fast_folder("centre-day-")
    commit = DefaultDialect.do_commit
    try:
        prepare(folder)
        database = folder / "centre.sqlite3"
        before = {one.name: one.read_bytes() for one in folder.glob(database.name + "*")}
        states = [digest(database)]
        with RecordedSqlite(folder) as disk:

            def acknowledged(dialect: DefaultDialect, connection: Any) -> None:
                commit(dialect, connection)
                if (now := digest(database)) != states[-1]:
                    states.append(now)
                    disk.mark(str(len(states) - 1))

            DefaultDialect.do_commit = acknowledged  # type: ignore[method-assign]
            live(folder)
        log = [
            one for one in disk.log if one.file.startswith(database.name) or one.kind in ("commit", "folder")
        ]
        return Recorded(before, log, states, database.name)
    finally:
        DefaultDialect.do_commit = commit  # type: ignore[method-assign]
        shutil.rmtree(folder)


def _wrong(database: Path, may_be: list[str], *, whole: bool) -> str:
    """Return what is wrong with books that must be in one of two states, "" when nothing is."""
    if digest(database) not in may_be:
        return "what was acknowledged is not there, or something is by half"
    if not database.exists():
        return ""
    engine = open_database(Sqlite(database))
    try:
        with reading(engine) as connection:
            sound = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if sound != "ok":
                return f"integrity_check says {sound}"
            tables = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'writer'").first()
            if tables is None:
                return ""
            if faults := list(read_books.faults(connection)):
                return faults[0]
            if whole:
                done = rebuild(connection, open_scratch(database.with_name("anew.sqlite3")))
                if done.faults:
                    return done.faults[0]
        with writing(engine):
            pass  # the books take writes again
    except (DatabaseDown, DBAPIError) as wrong:
        return str(wrong)
    finally:
        engine.dispose()
    return ""


def _raise(wrong: BaseException) -> None:
    raise wrong
