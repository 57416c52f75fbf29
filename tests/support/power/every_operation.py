"""What comes of an act when the disk is full or broken at its first operation, at its second, and so on?

    trial = Trial("full", stride=1)
    trial.run(disk, act, expected, check)

The act is tried again after each failure, once the disk works; so all that happens does happen in the end,
having failed at each of its operations before. With a longer stride some are left out.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from power.kinds import Piece
from power.recorded_sqlite import (
    FULL,
    IOERR_FSYNC,
    IOERR_READ,
    IOERR_TRUNCATE,
    IOERR_WRITE,
    RecordedSqlite,
)

T = TypeVar("T")

_WRITES = {"write": IOERR_WRITE, "sync": IOERR_FSYNC, "truncate": IOERR_TRUNCATE}
FAULTS = {
    "full": ({"write": FULL}, True),
    "broken": ({**_WRITES, "read": IOERR_READ}, True),
    "one error": ({**_WRITES, "read": IOERR_READ}, False),
}
"""By name: which operations fail with which code, and whether they go on failing until somebody mends it."""


class Trial:
    """Tries acts with one kind of fault. `said` counts what was said, `wrong` lists what must not be."""

    def __init__(self, kind: str, stride: int = 1, seed: int = 0) -> None:
        self.kind = kind
        self.said: Counter[str] = Counter()
        self.unnoticed = 0
        self.wrong: list[str] = []
        self._stride = stride
        self._chance = random.Random(f"{kind} {seed}")

    @property
    def faults(self) -> int:
        """How many acts met a fault."""
        return self.said.total() + self.unnoticed

    def run(
        self, disk: RecordedSqlite, act: Callable[[], T], expected: type[Exception], check: Callable[[], str]
    ) -> T:
        """Return what `act` does in the end. `check` says what is wrong after a failure, or ""."""
        with_, for_ever = FAULTS[self.kind]
        at = self._step() - 1
        while True:
            disk.fail(at, with_, for_ever=for_ever)
            try:
                done = act()
            except expected as wrong:
                if disk.failed == 0:
                    raise
                disk.heal()
                self.said[str(wrong)] += 1
                if problem := check():
                    self.wrong.append(f"{self.kind} at {at}: {problem}")
                at += self._step()
                continue
            finally:
                disk.heal()
            # What was done although the disk failed was not part of it: a checkpoint, say.
            self.unnoticed += disk.failed > 0
            return done

    def piece(self) -> Piece:
        """Return what came of it, as a piece of a campaign."""
        saw = {"not noticed": self.unnoticed}
        return Piece("at each operation of each act", self.faults, self.wrong, saw)

    def _step(self) -> int:
        return self._chance.randrange(1, 2 * self._stride)
