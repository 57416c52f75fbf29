"""What happens in the world of one seed, from the first sale until everything has come to rest?"""

import functools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Connection

from settlement.db.connection import reading
from sim import invariants, truth, wallets, watch
from sim.bugs import planted
from sim.cable import CablesHere
from sim.cards.kinds import KINDS
from sim.cards.relay import Relayed
from sim.cards.terminal import CardTerminal
from sim.cash import CASH, Drawers, allowing
from sim.centre_host import CentreHost
from sim.clerk import Clerk
from sim.disk import Disk, in_here, real_connect
from sim.hostile import be_careless
from sim.lend import lent
from sim.misuse import plan_misuse
from sim.neighbour import SHARED, Neighbour, sharing
from sim.network import Network, NetworkHere, Service, Weather
from sim.outcome import Buyer, Outcome, Violation
from sim.people import GOODS, Cashier
from sim.plan import Plan, draw
from sim.rows import is_at_rest
from sim.scheduler import Dead, Process, Scheduler, Task
from sim.settling import settle_now_and_then
from sim.shop_host import ShopHost
from sim.sockets import TcpHere
from sim.stranger import come_in
from sim.strikes import Strikes
from sim.sudden import freeze_meanwhile
from sim.template import SHOPS, URL, template
from sim.threads import Here
from sim.trace import Trace
from sim.wallet import Wallet
from terminal_agent.terminals.terminal import Terminal

_AT_STATEMENTS = {
    "agent": {"crash": "crash_agent", "disk": "disk", "slow": "slow_disk"},
    "centre": {"crash": "crash_centre", "disk": "centre_disk", "slow": "slow_disk"},
}
_COPY_DISKS = ("backup", "old_copy", "clone")
UNDOES = {
    "reversal": ("/reverse", "/close", ".cancel", ".reverse"),
    "refund": ("POST /v3/refund/domestic/refunds", ".trade.refund", "unionpay.refund"),
}
"""How the calls end by which the wallets undo and give back."""
_LAST_ORDERS_MS = 120_000
_LOOK_EVERY = 4
_CUT_MS = (20_000, 20_000, 60_000, 60_000, 300_000, 3_600_000)
_LONGEST_S = 6 * 3600
_REST_S = 4 * 3600
_JUST_NOW_MS = 1_000


class World:
    """The world of one plan. Run once."""

    def __init__(
        self, plan: Plan, keep: bool = False, crash_at: Collection[int] = (), bug: str | None = None
    ) -> None:
        self.plan = plan
        self.bug = bug
        self.keeps_journals = plan.on.isdisjoint(_COPY_DISKS) and len(plan.days) == 1
        """Whether journals stay open from world to world (`disk.Kept`)."""
        self.violations: list[Violation] = []
        self.healed, self._healed_ms = False, 0
        self.has_old_copy = False
        """Whether a disk was copied in doubt: one is enough, for of that host nothing is proven any more."""
        self.points = self.points_before_healing = self.crashes = 0
        self.ends: Counter[str] = Counter()
        self._reader: Any = None
        self._crash_at = frozenset(crash_at)
        self._busy = self._commits = 0
        self._serials = 0
        self._recent: list[Buyer] = []
        self._cut_until: dict[str, int] = {}
        self._path_cut_until: dict[tuple[str, str], int] = {}
        self._undone_late_s: dict[str, float] = {}
        self.watched: list[Callable[[World], None]] = [invariants.check_at_rest]
        self._faults = plan.chance("faults")
        self._order = plan.chance("order")
        self._line_chance = plan.chance("line")
        self._injected: set[str] = set()
        self.undone_unseen: set[str] = set()
        """Which payments went back at a watched terminal while nobody lived to write it down."""
        self._strikes = {
            side: Strikes(
                {what: functools.partial(plan.rate, name) for what, name in kinds.items()}, plan.chance(side)
            )
            for side, kinds in _AT_STATEMENTS.items()
        }
        self.scheduler = Scheduler(plan.began_ms, plan.chance("who runs next"), self._task_failed)
        self.trace = Trace(lambda: self.scheduler.now_ms, keep)
        made = allowing() if CASH in plan.on else template()
        self.template = made
        self.folder = made.folder / f"world-{plan.seed}"
        self.process = Process("the world")
        self.network = Network(self._weather, self.trace.note)
        self.centre: CentreHost
        self.hosts: list[ShopHost] = []
        self.cables: dict[str, CardTerminal] = {}
        self.tills: list[Cashier] = []
        self.wallets: dict[str, Wallet] = {}
        self.drawers = Drawers(self.scheduler, self.trace)
        self.clerk: Clerk | None = None
        self.neighbour: Neighbour | None = None
        centre = made.centre
        self._funded = made.books[plan.funds]
        if SHARED in plan.on:
            shared = sharing()
            centre = msgspec.structs.replace(shared.centres[centre.pack.programme], pack=centre.pack)
            self._funded = shared.books[centre.pack.programme]
        self._of_centre = centre

    def run(self) -> Outcome:
        """Run it and return what came of it."""
        Here.scheduler, Here.chance = self.scheduler, self.plan.chance("secrets")
        Here.disk_of, Here.job_failed = self._disk_of, lambda wrong: self.failed("job", wrong)
        Here.at_port = self._at_port
        NetworkHere.network, CablesHere.cables = self.network, self.cables
        TcpHere.doors, TcpHere.away = {}, set()
        self.folder.mkdir()
        try:
            with lent(), planted(self.bug):
                try:
                    self._build()
                    self._trade()
                    self._heal()
                    for check in self.watched:
                        check(self)
                    return self._outcome()
                finally:
                    self._end()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    # What happens.

    def _build(self) -> None:
        service = self.network.services[URL] = Service("centre")
        books = self.folder / "centre.sqlite3"
        shutil.copyfile(self._funded, books)
        self.centre = CentreHost(
            self.template, self._of_centre, books, service, self._point, self.trace.note, self.failed
        )
        if SHARED in self.plan.on:
            self.neighbour = Neighbour(self)
        self.wallets = wallets.opened(
            self.plan.wallets,
            self.plan.by_certificate,
            self.template.wallet_keys,
            self.folder,
            self.network,
            self.trace.note,
        )
        kinds = iter(self.plan.terminals)
        for shop in SHOPS[: self.plan.shops]:
            terminals = {number: self._stand_up(next(kinds), number) for number in shop.terminals}
            host = ShopHost(
                self.template, shop, self.folder / shop.shop, self._point, self.trace.note, self.failed
            )
            host.config = msgspec.structs.replace(
                host.config,
                sync_every_s=self.plan.sync_every_s,
                terminals=terminals,
                cash=CASH in self.plan.on,
                channels=wallets.taken_by_tills(host.config.channels, self.wallets, self.plan.shown),
            )
            if self.keeps_journals:
                host.disk.keep(str(host.config.journal), self.template.journals[shop.shop])
            be_careless(self, host)
            self.hosts.append(host)
        plan_misuse(self)
        self.centre.when_committed = self._after_commit
        self.network.on_answer = functools.partial(watch.answer_is_durable, self)
        freeze_meanwhile(self)
        for one in (self.centre, *self.hosts):
            self._boot(one)

    def _stand_up(self, kind: str, number: str) -> Terminal:
        """Let a card terminal stand beside its till, and return it as the shop has configured it."""
        lax = "lax_acquirer" in self.plan.on
        one = KINDS[kind].stands_there(number, kind, self.folder, self.trace.note, lax=lax)
        self.cables[number] = one
        return one.configured(self.template.terminals[kind, number])

    def _after_commit(self) -> None:
        self._commits += 1
        if self._commits % _LOOK_EVERY == 0:
            invariants.check_after_a_step(self)

    def _trade(self) -> None:
        self._stand_at_tills()
        if "claims" in self.plan.on:
            self.clerk = Clerk(self)
            self.clerk.begin()
        if self.neighbour is not None:
            self.neighbour.begin()
        come_in(self)
        settle_now_and_then(self)
        self._share_out(self.plan.sales)
        self.scheduler.run(lambda: self._busy == 0, self.plan.began_ms + _LONGEST_S * 1000)

    def _stand_at_tills(self) -> None:
        """Let a cashier come to each till."""
        self.tills = [
            Cashier(self, host, till, self.cables[terminal])
            for host in self.hosts
            for till, terminal in host.shop.tills.items()
        ]
        self._busy = len(self.tills)

    def _share_out(self, sales: int) -> None:
        """Let the tills begin to sell, each its share."""
        share, rest = divmod(sales, len(self.tills))
        for no, till in enumerate(self.tills):
            till.begin(share + rest * (no == 0))

    def _heal(self) -> None:
        """Let nothing go wrong any more, and wait until nothing is under way."""
        self.trace.note("the world", "heals")
        self.points_before_healing = self.points
        self.healed, self._healed_ms = True, self.scheduler.now_ms
        for strikes in self._strikes.values():
            strikes.end()
        for cable in self.cables.values():
            cable.faults.clear()
            cable.plug_in()
        for wallet in self.wallets.values():
            wallet.faults.clear()
        self.centre.skew_ms = 0
        for host in self.hosts:
            host.skew_ms = 0
        self._come_to_rest()
        if self.clerk is not None:
            self.clerk.finish()
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        until_ms = self.scheduler.now_ms + _REST_S * 1000
        rounds = 0
        while self.scheduler.now_ms < until_ms and rounds < 2:
            # Longer than any message travels, and than a lane pauses between two looks at what is undecided.
            self.scheduler.run(lambda: False, self.scheduler.now_ms + 130_000)
            rounds = rounds + 1 if is_at_rest(self) else 0
        if rounds < 2:
            self.violated("I14 everything comes to rest", f"not within {_REST_S // 3600} hours")
        self.trace.note("the world", "rests")

    def _boot(self, host: CentreHost | ShopHost) -> None:
        if host.is_off or (host.process is not None and host.process.alive):
            return
        host.boot()
        self.watch_over(host)

    def watch_over(self, host: CentreHost | ShopHost) -> None:
        """Start a host's program again when it has died."""
        assert host.process is not None
        host.process.when_dead.append(lambda: self._boot_again(host))
        if isinstance(host, ShopHost) and len(self.plan.days) == 1:
            host.process.when_dead.append(lambda: self._note_unseen(host))

    def _note_unseen(self, host: ShopHost) -> None:
        """Note what went back at a watched terminal just when whoever watches it died. A night finds it."""
        for number in host.shop.terminals:
            cable = self.cables[number]
            if isinstance(cable, Relayed):
                self.undone_unseen |= cable.undone_since(self.scheduler.now_ms - _JUST_NOW_MS)

    def _boot_again(self, host: CentreHost | ShopHost) -> None:
        if host.is_off:
            return
        chance = self._faults
        after_s = 3.0 if self.healed else chance.choice((2.0, 5.0, 20.0, 60.0, 300.0))
        self.trace.note(
            "the world", f"{host.process.name if host.process else ''} is dead, back in {after_s:g} s"
        )
        self.later(after_s, lambda: self._boot(host))

    def _end(self) -> None:
        for process in [self.centre.process, *(host.process for host in self.hosts)] if self.hosts else []:
            if process is not None:
                process.when_dead = [
                    one for one in process.when_dead if getattr(one, "__name__", "") == "bury"
                ]
                self.scheduler.kill(process)
        self.scheduler.end()
        if self._reader is not None:
            self._reader.close()
        if self.neighbour is not None:
            self.neighbour.close()
        for journal in self.template.journals.values():
            journal.restore()
        for cable in self.cables.values():
            cable.close()
        for wallet in self.wallets.values():
            wallet.books.close()

    # What goes wrong.

    def hits(self, name: str, chance: random.Random) -> bool:
        """Whether a class of faults strikes now. Its chance is asked either way."""
        return chance.random() < (0.0 if self.healed else self.plan.rate(name))

    def _at_port(self, what: str) -> None:
        """Let a process die where it talks to the outside."""
        task = self.scheduler.current
        if task is not None and (task.process.name == "centre" or "agent" in task.process.name):
            self._die_here(task.process, what)

    def _die_here(self, process: Process, what: str) -> None:
        self.points += 1
        strikes = self._strikes["centre" if process is self.centre.process else "agent"]
        if self.points in self._crash_at or strikes.now("crash"):
            self.crashes += 1
            self.trace.note(process.name, f"is killed at {what[:40]!r}")
            self.scheduler.kill(process)

    def _point(self, process: Process, sql: str) -> None:
        """Let a process die here, or its disk fail. How many more statements go well is drawn in advance."""
        strikes = self._strikes["centre" if process is self.centre.process else "agent"]
        strikes.left -= 1
        if strikes.left > 0 and not self._crash_at:
            self.points += 1
            return
        strikes.count()
        if strikes.now("slow"):
            # Others go on meanwhile.
            self.scheduler.sleep(self._faults.choice((0.0, 0.001, 0.05)))
        self._die_here(process, sql)
        if strikes.now("disk") and sql.startswith(("INSERT", "UPDATE", "COMMIT", "BEGIN IMMEDIATE")):
            said = self._faults.choice(("database or disk is full", "disk I/O error", "database is locked"))
            self.trace.note(process.name, f"{said} at {sql[:30]!r}")
            self._injected.add(said)
            raise sqlite.OperationalError(said)

    def _weather(self, who: str, address: str, call: str) -> Weather:
        chance = self._line_chance
        until_ms = self._cut_until.get(who, 0)
        if self.hits("cut", chance):
            until_ms = self._cut_until[who] = self.scheduler.now_ms + chance.choice(_CUT_MS)
            self.trace.note("the world", f"the line of {who} is cut")
        there_s, back_s = chance.uniform(0.005, 0.2), chance.uniform(0.005, 0.2)
        if self.hits("delay", chance):
            there_s, back_s = chance.choice(((40.0, 0.1), (0.1, 40.0), (6.0, 0.1), (0.1, 6.0), (3.0, 3.0)))
        undoes = next((kind for kind, ends in UNDOES.items() if call.endswith(ends)), "")
        if undoes in self._undone_late_s and not self.healed:
            there_s = self._undone_late_s.pop(undoes)
        portal, lose_request = self.hits("portal", chance), self.hits("lost_request", chance)
        lose_answer = self.hits("lost_answer", chance)
        copy_s = chance.uniform(0, 40) if self.hits("copy", chance) else None
        return Weather(
            cut=not self.healed
            and self.scheduler.now_ms < max(until_ms, self._path_cut_until.get((who, call), 0)),
            portal=portal,
            lose_request=lose_request,
            lose_answer=lose_answer,
            there_s=there_s,
            back_s=back_s,
            # A shop may reach its centre through a proxy that sends again, and WeChat Pay by TLS alone.
            copy_s=copy_s if address == URL else None,
        )

    def set_clock(self, host: ShopHost, chance: random.Random) -> None:
        """Let a shop's clock be wrong from now on."""
        now_ms = self.scheduler.now_ms
        host.skew_ms = chance.choice((0, -3_600_000, 3_600_000, 86_400_000, -now_ms, -200_000, 200_000))
        self.trace.note("the world", f"the clock of {host.name} is off by {host.skew_ms} ms")

    # What people and programs tell.

    def next_buyer(self, chance: random.Random, *, race: bool) -> Buyer:
        """Return who comes to a till next; in a race it is somebody whom another till has just seen."""
        self._serials += 1
        buyer = Buyer(
            person=chance.randrange(self.plan.people),
            goods=chance.choice(GOODS),
            serial_no=f"SN{self.plan.seed % 1000:03d}{self._serials:05d}",
            discount_fen=chance.choice((0, 10_000, 12_345)),
            trade_in_fen=chance.choice((0, 0, 5_000)),
        )
        if race and self._recent:
            other = chance.choice(self._recent[-3:])
            buyer = chance.choice(
                (
                    other,
                    buyer._replace(person=other.person, goods=other.goods),
                    buyer._replace(serial_no=other.serial_no, goods=other.goods),
                )
            )
        self._recent.append(buyer)
        return buyer

    def somebody(self, chance: random.Random) -> Buyer:
        """Return who buys elsewhere: often somebody whom a till has just seen, with another item."""
        known = self._recent and chance.random() < 0.7
        person, goods = chance.randrange(self.plan.people), chance.choice(GOODS)
        if known:
            seen = chance.choice(self._recent[-4:])
            person, goods = seen.person, seen.goods
        return Buyer(person=person, goods=goods, serial_no="", discount_fen=0, trade_in_fen=0)

    def undoes_late(self, what: str, seconds: float) -> None:
        """Let the next "reversal" or "refund" at a wallet take so long to get there."""
        self._undone_late_s[what] = seconds

    def cut_power(self, host: ShopHost, after_s: float) -> None:
        """Let a shop's host lose its power."""

        def cut() -> None:
            if host.process is not None and not self.healed:
                self.trace.note("the world", f"{host.name} has no power")
                self.scheduler.kill(host.process)

        self.later(after_s, cut)

    def die_in(self, points: int | None) -> None:
        """Let the process that comes to the point after so many die there; None: none any more."""
        self._crash_at = frozenset() if points is None else frozenset({self.points + points})

    def add_clone(self, host: ShopHost, folder: Path) -> ShopHost:
        """Start a second host with the disk of another, and let both be doubtful from now on."""
        clone = ShopHost(
            self.template, host.shop, folder, self._point, self.trace.note, self.failed, "clone of agent"
        )
        clone.config = msgspec.structs.replace(host.config, data=folder)
        clone.is_doubtful = host.is_doubtful = True
        self.hosts.append(clone)
        self.begins()
        self._boot(clone)
        return clone

    def saw(self, host: ShopHost, document: dict[str, Any]) -> None:
        """Note what a till was shown."""
        watch.till_answer_is_true(self, host, document)

    def charged(self, attempts: list[dict[str, Any]]) -> dict[str, int]:
        """Return what was taken for attempts that a till was shown, by pay_ref."""
        return truth.taken(self, [one["pay_ref"] for one in attempts])

    def standing(self, attempts: list[dict[str, Any]]) -> dict[str, int]:
        """Return what stands of it."""
        return truth.standing(self, [one["pay_ref"] for one in attempts])

    def reader(self) -> Any:
        """Return a connection of nobody in the world, which sees what is committed."""
        if self._reader is None:
            self._reader = real_connect(in_here(str(self.centre.books)), uri=True)
        return self._reader

    def audit(self, look: Callable[[Connection], None]) -> None:
        """Look at the centre's books with its own eyes, as nobody of the world."""
        done: list[bool] = []

        def work() -> None:
            with reading(self.template.centre.engine) as connection:
                look(connection)
            done.append(True)

        self.scheduler.spawn(Process("auditor"), "audit", work)
        self.scheduler.run(lambda: bool(done), self.scheduler.now_ms)

    def is_late(self) -> bool:
        """Whether nobody begins anything any more, so that the world can come to rest."""
        return self.healed and self.scheduler.now_ms > self._healed_ms + _LAST_ORDERS_MS

    def later(self, seconds: float, run: Callable[[], object]) -> None:
        """Do something after so long."""

        def go() -> None:
            run()

        self.scheduler.spawn(self.process, "later", go, seconds)

    def begins(self) -> None:
        """Note that somebody has something to do before all is quiet."""
        self._busy += 1

    def done(self) -> None:
        """Note that it is done."""
        self._busy -= 1

    def violated(self, claim: str, what: str) -> None:
        """Note that a claim did not hold."""
        self.trace.note("VIOLATED", f"{claim}: {what}")
        self.violations.append(Violation(claim, what))

    def failed(self, where: str, wrong: BaseException | None) -> None:
        """Note a failure inside a program; it is a fault of ours unless something was made to go wrong."""
        if isinstance(wrong, Dead):
            return
        # Where the folder lies is another place each time; what programmes share lies in one of its own.
        text = f"{type(wrong).__name__}: {wrong}".replace(f"{self.folder}/", "")
        text = text.replace(f"{self.folder.parent}/", "")
        self.trace.note("failed", f"{where} {text[:200]}")
        chain = []
        one: BaseException | None = wrong
        while one is not None and len(chain) < 10:
            chain.append(str(one))
            one = one.__cause__ or one.__context__
        if type(wrong).__name__ == "Fenced" and "two_centres" in self.plan.on:
            return
        if not any(said in " ".join(chain) for said in self._injected):
            self.violated("no program fails by itself", f"{where}: {text}")

    def _task_failed(self, task: Task, wrong: BaseException) -> None:
        self.failed(f"{task.process.name} {task.name}", wrong)
        if not isinstance(wrong, Exception):
            raise wrong

    def _disk_of(self, process: Process) -> Disk | None:
        if process.name == "centre":
            return self.centre.disk
        if self.neighbour is not None and process is self.neighbour.process:
            return self.neighbour.disk
        if process.name == "auditor":
            return Disk(lambda *_: None, self.centre.moved)
        return next((host.disk for host in self.hosts if host.name == process.name), None)

    def _outcome(self) -> Outcome:
        moves = watch.moves_taken(self)
        return Outcome(
            seed=self.plan.seed,
            hash=self.trace.hash(),
            violations=self.violations,
            moves={" ".join(move): count for move, count in sorted(moves.items())},
            ends=dict(sorted(self.ends.items())),
            sales=sum(self.ends.values()),
            points=self.points_before_healing,
            steps=self.scheduler.steps,
            crashes=self.crashes,
            paid_by=dict(sorted(watch.paid_by(self).items())),
            taken=truth.taken_by_kind(self),
            lines=self.trace.lines,
        )


def run_seed(
    seed: int,
    *,
    keep: bool = False,
    off: Collection[str] = (),
    sales: int | None = None,
    bug: str | None = None,
) -> Outcome:
    """Run the world of a seed, with a planted bug if one is named."""
    return World(draw(seed, off, sales), keep, bug=bug).run()
