"""Which kinds of harm are there, how much of each is a whole campaign, and how is a piece of it done?

Each kind is done in pieces, each drawn from a seed: 0, 1, 2 and so on.
"""

import functools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import killed_under_load
import msgspec
from power import agent_cuts, agent_faults, agent_flips, agent_kills, centre_cuts, centre_faults, long_queue
from power.agent_cuts import fast_folder
from power.every_operation import FAULTS, Trial
from sim import crash_points

_KILLS_A_PIECE = 25
_POINTS_A_PIECE = 100
_MUCH = 100_000
# As many as there are people enough for at one centre of these tests.
_DAYS, _SALES_A_DAY = 30, 30


class Piece(msgspec.Struct, frozen=True):
    """What came of a piece of work."""

    point: str
    count: int
    wrong: Sequence[str]
    saw: dict[str, int] = {}


class Kind(msgspec.Struct, frozen=True):
    """A kind of harm, how many trials are a whole campaign, and how a piece is done from its seed.

    Without a `goal` all there is is tried, which is so many `pieces`.
    """

    name: str
    goal: int | None
    do: Callable[[int], Piece]
    pieces: Callable[[], int] = lambda: 0


@functools.cache
def _day() -> agent_cuts.Recorded:
    return agent_cuts.record()


@functools.cache
def _set_up() -> centre_cuts.Recorded:
    return centre_cuts.set_up()


@functools.cache
def _busy() -> centre_cuts.Recorded:
    return centre_cuts.busy()


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = fast_folder("cut-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _cut_agent(seed: int) -> Piece:
    day = _day()
    with _scratch() as folder:
        came = list(agent_cuts.cut(day, range(len(day.log)), [seed], folder))
    return _cuts(came)


def _cut_centre(day: Callable[[], centre_cuts.Recorded], seed: int) -> Piece:
    recorded = day()
    with _scratch() as folder:
        came = list(centre_cuts.cut(recorded, range(len(recorded.log)), [seed], folder))
    return _cuts(came)


def _cuts(came: list[str]) -> Piece:
    return Piece(f"after each of {len(came)} operations", len(came), [one for one in came if one])


def _faults(do: Callable[[str, int, int], Trial], kind: str, seed: int) -> Piece:
    trial = do(kind, 1, seed)
    return Piece("at each operation of each act", trial.faults, trial.wrong, {"not noticed": trial.unnoticed})


def _flip_agent(seed: int) -> Piece:
    saw: Counter[str] = Counter()
    wrong: list[str] = []
    with _scratch() as folder:
        for killed in (False, True):
            files = agent_flips.after_a_day(killed=killed)
            for name in files.content:
                came, bad = agent_flips.flip(files, name, seed, folder)
                saw, wrong = saw + came, wrong + bad
    return Piece("a byte in each page of each file", saw.total() + len(wrong), wrong, dict(saw))


def _kill_agent(seed: int) -> Piece:
    found = agent_kills.run(_KILLS_A_PIECE, seed)
    saw = {"sales": sum(found["sales"].values()), "answers held against": found["told"]}
    return Piece("any moment", found["kills"], found["wrong"], saw)


def _kill_centre(database: str, seed: int) -> Piece:
    found = killed_under_load.run(_KILLS_A_PIECE, database, seed)
    saw = {name: found[name] for name in ("holds_acknowledged", "entries_acknowledged", "asked_again")}
    bad = list(found["faults"])
    if not found["good"] and not bad:
        bad = ["the books are not what their events make"]
    return Piece("any moment", sum(found["kills"].values()), bad, saw)


def _start(_seed: int) -> Piece:
    found = long_queue.start(_MUCH)
    slowest = max(found["seconds"])
    wrong = [] if found["waiting"] == _MUCH else [f"{found['waiting']} wait, not {_MUCH}"]
    saw = {
        "ms at the slowest of three": round(slowest * 1000),
        "ms of processor": round(max(found["processor_s"]) * 1000),
        "MiB of journal": found["journal_mib"],
        "MiB of black box": found["black_box_mib"],
    }
    return Piece(f"{_MUCH} entries", 1, wrong, saw)


def _drain(_seed: int) -> Piece:
    found = long_queue.drain(_DAYS * _SALES_A_DAY)
    saw = {name: found[name] for name in ("piled_up", "sold_meanwhile", "sent")}
    return Piece(f"{_DAYS} days of {_SALES_A_DAY} sales", found["piled_up"], found["wrong"], saw)


@functools.cache
def _points() -> int:
    return crash_points.count()


@functools.cache
def _places() -> list[int]:
    return crash_points.places()


def _die_once(seed: int) -> Piece:
    first = 1 + seed * _POINTS_A_PIECE
    until = min(first + _POINTS_A_PIECE, _points() + 1)
    last = until > _points()
    # Said once, so that a report adds up: it does not differ from piece to piece.
    saw = {"points of the centre's writer": crash_points.count_of_writer()} if last else {}
    return _died(f"points {first} to {until - 1} of {_points()}", crash_points.singles(1, first, until), saw)


def _die_twice(seed: int) -> Piece:
    first = _places()[seed]
    return _died(f"point {first}, then each of those that follow", crash_points.pairs(first), {})


def _died(point: str, came: Iterator[crash_points.Died], saw: dict[str, int]) -> Piece:
    count = 0
    wrong = list[str]()
    for points, outcome in came:
        count += 1
        wrong += [f"dying at {points}: {one.claim}: {one.what[:300]}" for one in outcome.violations]
    return Piece(point, count, wrong, saw)


KINDS = (
    Kind(
        "one death in a sale and its return",
        None,
        _die_once,
        lambda: -(-_points() // _POINTS_A_PIECE),
    ),
    Kind("two deaths in a sale and its return", None, _die_twice, lambda: len(_places())),
    Kind("power cut, agent", 60_000, _cut_agent),
    Kind("power cut, centre that is set up", 10_000, functools.partial(_cut_centre, _set_up)),
    Kind("power cut, busy centre", 30_000, functools.partial(_cut_centre, _busy)),
    *(
        Kind(f"disk {name}, {whose}", 1, functools.partial(_faults, do, name))
        for whose, do in (("agent", agent_faults.try_day), ("centre", centre_faults.try_books))
        for name in FAULTS
    ),
    Kind("byte changed, agent", 10_000, _flip_agent),
    Kind("agent killed", 1_000, _kill_agent),
    Kind("centre killed", 150, functools.partial(_kill_centre, "sqlite")),
    Kind("centre or PostgreSQL killed", 150, functools.partial(_kill_centre, "postgres")),
    Kind("start with 100,000 entries waiting", 1, _start),
    Kind("entry piled up, then sent while a till sells", 2_700, _drain),
)
