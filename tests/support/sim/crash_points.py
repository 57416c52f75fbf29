"""Does it matter where a process dies? Every point of a sale and its return, one by one and two by two.

One shop, one till, one terminal, one sale, its goods come back, and nothing else goes wrong. A point is each
SQL statement of agent and centre, each COMMIT that nobody has heard of, each write to a black box, each call
to the terminal or over the line. The world is run again for each point, dying there.

For two deaths many points are one *place*: within one turn of the scheduler, so that nobody else did anything
in between, dying before a statement is dying before the next one as long as what ran leaves nothing behind
(it only looks, or its transaction is still open). So all pairs of points are tried by all pairs of places:
each place of the first run, and after the restart each place that comes then.
"""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from sim.cards.kinds import FIRST
from sim.centre_host import CentreHost
from sim.disk import COMMITTED
from sim.outcome import Outcome
from sim.plan import small
from sim.rows import is_at_rest
from sim.scheduler import Process
from sim.shop_host import ShopHost
from sim.world import World

_SEED = 5
_NOWHERE = 1 << 60
_REPORTED_WITHIN_MS = 3_600_000
_LOOK_EVERY_MS = 1_000
_LOOKS = ("SELECT ", "select ", "PRAGMA ", "CREATE TEMP ", "BEGIN")
_WRITES = ("INSERT ", "UPDATE ", "DELETE ")
_ENDS = ("ROLLBACK", COMMITTED)
Died = tuple[tuple[int, ...], Outcome]


class SaleAndReturn(World):
    """The world of one sale and its return, until everything is reported.

    `places` has the first point of each place that it came by, `of_writer` counts the points in transactions
    of the centre's writer.
    """

    def __init__(
        self,
        crash_at: Collection[int] = (_NOWHERE,),
        *,
        keep: bool = False,
        terminals: str = FIRST,
        cash: bool = False,
    ) -> None:
        super().__init__(replace(small(_SEED, terminals=terminals, cash=cash), sales=1), keep, crash_at)
        # It is the files of each life that are looked into here.
        self.keeps_journals = False
        self.places: list[int] = []
        self.of_writer = 0
        self._last: tuple[Process, int] | None = None
        self._writing: set[Process] = set()

    def _boot(self, host: CentreHost | ShopHost) -> None:
        if isinstance(host, ShopHost):
            tills = dict(list(host.config.tills.items())[:1])
            terminals = {name: host.config.terminals[name] for name in tills.values()}
            host.config = replace(host.config, tills=tills, terminals=terminals, channels={})
        super()._boot(host)

    def _trade(self) -> None:
        super()._trade()
        # What is told to the centre when the shopper has gone is a part of it.
        until_ms = self.scheduler.now_ms + _REPORTED_WITHIN_MS
        while self.scheduler.now_ms < until_ms and not is_at_rest(self):
            self.scheduler.run(lambda: False, self.scheduler.now_ms + _LOOK_EVERY_MS)

    def _die_here(self, process: Process, what: str) -> None:
        if not self.healed:
            self._note_place(process, what)
        super()._die_here(process, what)

    def _note_place(self, process: Process, what: str) -> None:
        turn = (process, self.scheduler.steps)
        if self._last != turn:
            self.places.append(self.points + 1)
        if what.startswith("BEGIN IMMEDIATE"):
            self._writing.add(process)
        self.of_writer += process.name == "centre" and process in self._writing
        leaves_nothing = what.startswith(_LOOKS) or (process in self._writing and what.startswith(_WRITES))
        if what in _ENDS:
            self._writing.discard(process)
        self._last = turn if leaves_nothing else None


def count(terminals: str = FIRST, *, cash: bool = False) -> int:
    """Return how many points there are before everything is quiet."""
    return _undisturbed(terminals, cash)[1].points


def count_of_writer() -> int:
    """Return how many of them are in transactions of the centre's writer."""
    return _undisturbed()[0].of_writer


def places() -> list[int]:
    """Return the first point of each place of a world in which nobody dies."""
    return _undisturbed()[0].places


def singles(
    step: int = 1,
    first: int = 1,
    until: int | None = None,
    terminals: str = FIRST,
    *,
    cash: bool = False,
) -> Iterator[Died]:
    """Die at every point from `first` to before `until`, or at every so many-th."""
    for point in range(first, until or count(terminals, cash=cash) + 1, step):
        yield (point,), SaleAndReturn((point,), terminals=terminals, cash=cash).run()


def pairs(first: int, step: int = 1) -> Iterator[Died]:
    """Die at a point, and then at each place that comes afterwards, or at every so many-th."""
    once = SaleAndReturn((first,))
    once.run()
    for second in [one for one in once.places if one > first][::step]:
        yield (first, second), SaleAndReturn((first, second)).run()


def _undisturbed(terminals: str = FIRST, cash: bool = False) -> tuple[SaleAndReturn, Outcome]:
    world = SaleAndReturn(terminals=terminals, cash=cash)
    outcome = world.run()
    assert outcome.violations == [], outcome.violations
    assert outcome.ends == {"RETURNED": 1}, outcome.ends
    return world, outcome
