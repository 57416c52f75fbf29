"""What befalls hosts, lines and books between one day and the next?"""

import shutil
from typing import TYPE_CHECKING, Any

from settlement.copies.restored import NoteRestore, SettleRestore
from sim.disk import real_connect
from sim.shop_host import ShopHost
from sim.watch import in_books
from sim.world import UNDOES

if TYPE_CHECKING:
    from sim.night_world import NightWorld


_GIVES_UP = 0.4
_UNSETTLED = "SELECT opened_ms FROM difference WHERE kind = 'restored' AND closed_ms IS NULL"
_SILENT = (
    "SELECT device, frozen FROM device WHERE replaced = 0 "
    f"AND (entries < last_seq OR stated_ms <= ({_UNSETTLED})) ORDER BY 1"
)
"""Which devices have not reported again since a restore, and whether they are frozen."""


class NightMisuse:
    """What the plan has drawn. `broken` are the hosts that are not switched on in the morning."""

    def __init__(self, world: "NightWorld") -> None:
        self._world = world
        self._chance = world.plan.chance("night misuse")
        self.broken: set[ShopHost] = set()
        self._backup: Any = None
        self._of_backups = world.plan.chance("backups of the books")
        self._of_restores = world.plan.chance("after a restore")
        self._is_restored = False
        self._of_undoing = world.plan.chance("fails undoing")
        self._given_up: list[ShopHost] = []
        self._days = 0

    def of_the_day(self) -> None:
        """Let happen what the plan has for this day."""
        world, chance = self._world, self._chance
        self._days += 1
        self._let_the_broken_come_back()
        self.settle()
        if "restored_centre" in world.plan.on:
            # As every hour: before the shops open, and at some moment while they sell.
            self._save()
            world.later(self._of_backups.uniform(20, 400), self._save)
        host = chance.choice(world.hosts)
        if world.hits("silent_shop", chance) and not self.broken:
            world.later(chance.uniform(20, 300), lambda: self._break(host))
        if world.hits("long_cut", chance):
            days = chance.choice((1, 3, 30))
            world.cut_line(host.name, chance.uniform(20, 300), days * 86_400_000)
        if world.hits("long_queue", chance):
            world.cut_queue(host, chance.choice((86_000_000, 250_000_000)))
            world.later(chance.uniform(100, 400), lambda: self._replace_program(host))

    def at_port(self, name: str, what: str) -> None:
        """Let a host fail at the call by which it takes a payment back: the shopper's money stays taken."""
        world = self._world
        if not what.endswith(UNDOES["reversal"]) or not world.hits("fails_undoing", self._of_undoing):
            return
        if not self.broken and (host := next((one for one in world.hosts if one.name == name), None)):
            self._break(host)

    def of_the_evening(self) -> None:
        """Lose the centre's books, and put back what was saved last."""
        if self._world.hits("restored_centre", self._chance):
            self._restore()

    def settle(self) -> None:
        """Say that what a restore asks for is done; the centre refuses while a shop has not reported again.

        At times people do not wait for those: they name them as gone, and nobody lets them report again
        before the end, though they may be there, and sell, the day after.
        """
        if not self._is_restored:
            return
        world, silent = self._world, dict(in_books(self._world, _SILENT))
        frozen = {device for device, frozen in silent.items() if frozen is not None}
        gives_up = world.healed or self._of_restores.random() < _GIVES_UP
        gone = set(silent) if gives_up else frozen
        for host in world.hosts:
            if world.device_of(host.shop.shop) in gone - frozen:
                host.reports_again_after = None
                self._given_up.append(host)
        world.trace.note("operations", f"settle the restore without {len(gone)} of {len(silent)}")
        world.tell_centre(SettleRestore("all but who is gone has reported again", tuple(sorted(gone))))
        self._is_restored = bool(in_books(world, _UNSETTLED))

    def end(self) -> None:
        """Let every host be there again, and report what nobody let it report."""
        self.broken.clear()
        for host in self._given_up:
            host.reports_again_after = 0
        for host in self._world.hosts:
            host.is_off = False
            self._world.boot(host)

    def _let_the_broken_come_back(self) -> None:
        for host in list(self.broken):
            if self._chance.random() < 0.4:
                self.broken.remove(host)
                host.is_off = False
                self._world.boot(host)

    def _break(self, host: ShopHost) -> None:
        if self._world.healed:
            return
        self._world.trace.note("the world", f"{host.name} fails, and nobody repairs it for days")
        self.broken.add(host)
        self._world.switch_off(host)

    def _replace_program(self, host: ShopHost) -> None:
        """Start another version of a shop's program, while much waits in its outbox."""
        if host.is_off or host.process is None or self._world.healed:
            return
        host.version = 1
        self._world.trace.note("the world", f"{host.name} is replaced by its next version")
        self._world.scheduler.kill(host.process)

    def _save(self) -> None:
        if self._world.healed:
            return
        path = self._world.folder / "backup of the books"
        path.unlink(missing_ok=True)
        copy = real_connect(str(path))
        self._world.reader().backup(copy)
        ((events,),) = copy.execute("SELECT count(*) FROM event").fetchall()
        copy.close()
        self._backup = (path, events, self._world.scheduler.now_ms)

    def _restore(self) -> None:
        world = self._world
        path, events, taken_ms = self._backup
        world.trace.note("the world", "the centre's books are lost; older ones are put back")
        world.stop_centre()
        for beside in ("", "-wal", "-shm"):
            world.centre.books.with_name(world.centre.books.name + beside).unlink(missing_ok=True)
        shutil.copyfile(path, world.centre.books)
        world.start_centre(NoteRestore(events, "0" * 64, taken_ms))
        self._is_restored = True
        if self._of_restores.random() < 0.5:
            # Programs at the shops go on, and people take their time to come to them.
            world.let_shops_report()
        # People let the shops report again what they have reported since.
        for host in world.hosts:
            host.reports_again_after = 0
        world.let_shops_report()
        self.settle()
