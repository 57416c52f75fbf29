"""Is a seed the same world whatever the machine? Worlds run again elsewhere, and their hashes side by side.

Each time in a process of its own, with another hash seed, time zone and locale, half of them in the opposite
order: so nothing that one world leaves behind may reach the next one either.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple


class Place(NamedTuple):
    """What a process of its own is given, and whether it begins with the last seed."""

    PYTHONHASHSEED: str
    TZ: str
    LC_ALL: str
    backwards: bool


PLACES = (
    Place("1", "Asia/Shanghai", "C", False),
    Place("1", "America/New_York", "C.UTF-8", True),
    Place("2", "Asia/Shanghai", "C.UTF-8", True),
    Place("2", "America/New_York", "C", False),
)
_RUN = """
import sys
from sim.world import run_seed
for seed in range(*map(int, sys.argv[1:])):
    print(seed, run_seed(seed).hash, flush=True)
"""


def others(seeds: range, at_once: int = 2) -> Iterator[int]:
    """Yield the seeds whose worlds were not the same everywhere. Raises RuntimeError when one cannot run."""
    found: list[dict[str, str]] = []
    for first in range(0, len(PLACES), at_once):
        running = [_begin(seeds, place) for place in PLACES[first : first + at_once]]
        for one in running:
            said, _ = one.communicate()
            if one.returncode:
                raise RuntimeError(f"a process that ran the seeds ended with {one.returncode}")
            found.append(dict(line.split() for line in said.splitlines()))
    yield from (seed for seed in seeds if len({hashes[str(seed)] for hashes in found}) > 1)


def _begin(seeds: range, place: Place) -> subprocess.Popen[str]:
    changes = {name: value for name, value in place._asdict().items() if isinstance(value, str)}
    order = seeds[::-1] if place.backwards else seeds
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *map(str, (order.start, order.stop, order.step))],
        env={**os.environ, **changes},
        stdout=subprocess.PIPE,
        text=True,
    )
