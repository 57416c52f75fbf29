"""Which kinds of harm are there, how much of each is a whole campaign, and who does a piece of it?

Each kind is done in pieces, each drawn from a seed (0, 1, 2 and so on) and done by a process of its own. So
nothing of what is tried is imported here.
"""

import enum
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec


class Piece(msgspec.Struct, frozen=True):
    """What came of a piece of work."""

    point: str
    count: int
    wrong: Sequence[str]
    saw: dict[str, int] = {}


class Runs(enum.Enum):
    """What a piece takes of the machine."""

    COMPUTES = "a processor"
    WAITS = "little: most of the time it waits for programs that it has started"
    ALONE = "all of it: it measures time"


class Kind(msgspec.Struct, frozen=True):
    """A kind of harm, how many trials are a whole campaign, and how a piece is done.

    `do` names a function, "module:function", that returns a Piece and is called with the seed and `words`.
    Without a `goal` all there is is tried, in as many pieces as the function that `pieces` names says.
    `ships` names the folders and files of what ships that are tried: a change to anything else leaves what
    was done as it is.
    """

    name: str
    goal: int | None
    do: str
    ships: tuple[str, ...]
    words: tuple[str, ...] = ()
    pieces: str = ""
    runs: Runs = Runs.COMPUTES


def named(function: str) -> Callable[..., Any]:
    """Return the function that is named "module:function"."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


AGENTS_DISK = (
    "catalog_sync/__init__.py",
    "catalog_sync/private_file.py",
    "subsidy",
    "terminal_agent/__init__.py",
    "terminal_agent/channels",
    "terminal_agent/checkout",
    "terminal_agent/journal",
    "terminal_agent/sync",
    "terminal_agent/system.py",
    "terminal_agent/till",
)
CENTRE = (
    "catalog_sync",
    "config",
    "settlement",
    "subsidy",
    # Tests note which moves of the state tables they have seen, and read all of those tables.
    "terminal_agent/__init__.py",
    "terminal_agent/checkout/__init__.py",
    "terminal_agent/checkout/states.py",
)
ALL = ("catalog_sync", "config", "settlement", "subsidy", "terminal_agent")
DISK_FAULTS = ("full", "broken", "one error")

KINDS = (
    Kind("one death in a sale and its return", None, "power.deaths:once", ALL, (), "power.deaths:onces"),
    Kind("two deaths in a sale and its return", None, "power.deaths:twice", ALL, (), "power.deaths:twices"),
    Kind("power cut, agent", 60_000, "power.agent_cuts:piece", AGENTS_DISK),
    Kind("power cut, centre that is set up", 10_000, "power.centre_cuts:piece", CENTRE, ("set up",)),
    Kind("power cut, busy centre", 30_000, "power.centre_cuts:piece", CENTRE, ("busy",)),
    *(Kind(f"disk {one}, agent", 1, "power.agent_faults:piece", AGENTS_DISK, (one,)) for one in DISK_FAULTS),
    *(Kind(f"disk {one}, centre", 1, "power.centre_faults:piece", CENTRE, (one,)) for one in DISK_FAULTS),
    Kind("byte changed, agent", 10_000, "power.agent_flips:piece", AGENTS_DISK),
    Kind("agent killed", 1_000, "power.agent_kills:piece", ALL, runs=Runs.WAITS),
    Kind("centre killed", 150, "power.centre_kills:piece", CENTRE, ("sqlite",), runs=Runs.WAITS),
    Kind(
        "centre or PostgreSQL killed",
        150,
        "power.centre_kills:piece",
        CENTRE,
        ("postgres",),
        runs=Runs.WAITS,
    ),
    Kind("start with 100,000 entries waiting", 1, "power.long_queue:piece_of_starts", ALL, runs=Runs.ALONE),
    Kind(
        "entry piled up, then sent while a till sells",
        2_700,
        "power.long_queue:piece_of_drains",
        ALL,
        runs=Runs.WAITS,
    ),
)
