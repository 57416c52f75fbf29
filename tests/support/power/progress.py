"""How far is each kind of harm, and which piece is begun next?"""

from collections.abc import Iterable, Sequence

from power.kinds import Kind, Runs
from power.ledger import BROKEN_OFF, Tried

_BROKEN_OFF_AT_MOST = 3


class Progress:
    """How far one kind is on one code; `pieces` are all there are of a kind without a goal."""

    def __init__(self, kind: Kind, code: str, pieces: int) -> None:
        self.kind = kind
        self.code = code
        self.pieces = pieces
        self.done = 0
        self.wrong: list[str] = []
        self.under_way: set[int] = set()
        self._taken: set[int] = set()
        self._a_piece = kind.goal or 0
        self._broken_off = 0

    def take_up(self, lines: Iterable[Tried]) -> None:
        """Go on from what was done before. What was broken off is tried again."""
        for one in lines:
            if one.kind != self.kind.name or one.point == BROKEN_OFF:
                continue
            self._a_piece = one.count or self._a_piece
            if one.code == self.code:
                self._count(one)

    def begin(self, seed: int) -> None:
        """Note that a piece was begun."""
        self.under_way.add(seed)

    def end(self, came: Tried) -> None:
        """Note what came of a piece."""
        self.under_way.discard(came.seed)
        self._broken_off += came.point == BROKEN_OFF
        self._a_piece = came.count or self._a_piece
        self._count(came)

    def _count(self, came: Tried) -> None:
        self.done += came.count
        self._taken.add(came.seed)
        self.wrong += came.wrong

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to do."""
        if self.kind.goal is None:
            return self._taken.issuperset(range(self.pieces))
        return self.done >= self.kind.goal

    @property
    def share(self) -> float:
        """The share that is done when what is under way is, taken to be as large as the last piece was."""
        if self.kind.goal is None:
            return len(self._taken | self.under_way) / max(self.pieces, 1)
        return (self.done + self._a_piece * len(self.under_way)) / self.kind.goal

    @property
    def is_open(self) -> bool:
        """Whether another piece may be begun; not of a kind that breaks off again and again."""
        return self.share < 1 and self._broken_off < _BROKEN_OFF_AT_MOST

    def next_seed(self) -> int:
        """Return the first seed that was not taken."""
        seed = 0
        while seed in self._taken or seed in self.under_way:
            seed += 1
        return seed

    def __str__(self) -> str:
        if self.kind.goal is None:
            return f"{len(self._taken)} of {self.pieces} pieces"
        return f"{self.done:,} of {self.kind.goal:,}"


def next_of(kinds: Sequence[Progress], workers: int) -> Progress | None:
    """Return the kind of which a piece is begun now, None when something under way has to end first.

    So many pieces compute at once, and so many more that wait run beside them. What measures time comes
    first, alone. Of the others the one that is least far is next.
    """
    at_work = [one.kind.runs for one in kinds for _ in one.under_way]
    left = [one for one in kinds if one.is_open]
    if Runs.ALONE in at_work:
        return None
    if alone := [one for one in left if one.kind.runs is Runs.ALONE]:
        return None if at_work else alone[0]
    free = [one for one in left if at_work.count(one.kind.runs) < workers]
    return min(free, key=lambda one: one.share, default=None)
