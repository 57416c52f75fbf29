"""What happens in a world of several days: trade by day, files and the night, people's work in the morning?

Shops are switched off when they close, as many are; the time between costs nothing then.
"""

import datetime
from collections.abc import Callable, Collection

import msgspec

from sim import night_hold
from sim.hostile import deceive
from sim.night_misuse import NightMisuse
from sim.night_office import Office
from sim.outcome import Outcome
from sim.plan import Plan, draw_nights
from sim.rows import records_now
from sim.scheduler import Process
from sim.shop_host import ShopHost
from sim.threads import Here
from sim.watch import in_books
from sim.world import World
from subsidy import calendar

DAY_MS = 86_400_000
_LONGEST_WORK_MS = 6 * 3_600_000
_TRADE_S = 5 * 3600
_AFTER_WORK_S = 400
_NIGHT_AFTER_MIDNIGHT_MS = 90 * 60_000
_SHANGHAI_MS = 8 * 3_600_000


class NightWorld(World):
    """The world of a plan with nights. Run once."""

    office: Office
    misuse: NightMisuse
    traded_on: set[datetime.date]

    def _trade(self) -> None:
        self.office, self.misuse, self.traded_on = Office(self), NightMisuse(self), set()
        self.watched.append(night_hold.check_at_rest)
        for host in self.hosts:
            deceive(self, host)
        share, rest = divmod(self.plan.sales, len(self.plan.days))
        opened_ms = self.plan.began_ms
        for no, day in enumerate(self.plan.days):
            opened_ms = self.plan.began_ms + day * DAY_MS
            self._pass_to(opened_ms)
            # Where work of the day before took long they open later, maybe on the next day.
            self.traded_on.add(calendar.business_day(calendar.from_ms(self.scheduler.now_ms)))
            self._open()
            self._stand_at_tills()
            self.misuse.of_the_day()
            self._share_out(share + rest * (no == 0))
            self._take_goods_back()
            self.scheduler.run(lambda: self._busy == 0, self.scheduler.now_ms + _TRADE_S * 1000)
            self._pass_to(self.scheduler.now_ms + _AFTER_WORK_S * 1000)
            self._close()
            self.misuse.of_the_evening()
            # Every shop that is up has stated its holds by now.
            self._do(self.office.people)
            self._night()

    def _heal(self) -> None:
        self.misuse.end()
        super()._heal()
        # Every file comes now, and the nights of all days are run again; then people finish their work.
        self._close()
        for _ in range(2):
            self._night()
        self._open()
        self.misuse.settle()
        self._come_to_rest()
        self._do(self.office.people)

    def _at_port(self, what: str) -> None:
        task = self.scheduler.current
        if task is not None:
            self.misuse.at_port(task.process.name, what)
        super()._at_port(what)

    def _night(self) -> None:
        """Let the next morning come: files, nights, people."""
        now_ms = self.scheduler.now_ms + _SHANGHAI_MS
        morning_ms = now_ms - now_ms % DAY_MS + DAY_MS + _NIGHT_AFTER_MIDNIGHT_MS - _SHANGHAI_MS
        self._pass_to(morning_ms)
        self._do(self.office.morning)

    def _do(self, work: Callable[[], bool]) -> None:
        """Let the office do something, and wait until it is done."""
        done: list[bool] = []
        self.scheduler.spawn(Process("office"), "work", lambda: done.append(work()))
        self.scheduler.run(lambda: bool(done), self.scheduler.now_ms + _LONGEST_WORK_MS)
        assert done, "the office does not come to an end"

    def _pass_to(self, at_ms: int) -> None:
        self.scheduler.run(lambda: False, at_ms)

    def _open(self) -> None:
        for host in self.hosts:
            if host not in self.misuse.broken:
                host.is_off = False
                self._boot(host)
        self.scheduler.run(lambda: all(host.is_off or host.is_up for host in self.hosts), self._soon())

    def _close(self) -> None:
        self.trace.note("the world", "shops close")
        for host in self.hosts:
            self.switch_off(host)

    def switch_off(self, host: ShopHost) -> None:
        """End a host's program; it is started again when its shop opens."""
        host.is_off = True
        if host.process is not None:
            self.scheduler.kill(host.process)

    def boot(self, host: ShopHost) -> None:
        """Switch a host on."""
        self._boot(host)

    def let_shops_report(self) -> None:
        """Let shops report for a while, with nobody at the tills."""
        self._open()
        self._pass_to(self.scheduler.now_ms + 900_000)
        self._close()

    def cut_line(self, who: str, after_s: float, for_ms: int) -> None:
        """Cut the line of a host."""

        def cut() -> None:
            self._cut_until[who] = self.scheduler.now_ms + for_ms
            self.trace.note("the world", f"the line of {who} is cut for {for_ms // 86_400_000} days")

        self.later(after_s, cut)

    def cut_queue(self, host: ShopHost, for_ms: int) -> None:
        """Let nothing through of what a host has to report, while it may ask for holds."""
        self._path_cut_until[host.name, "POST /v1/records"] = self.scheduler.now_ms + for_ms
        self.trace.note("the world", f"uploads of {host.name} do not get through")

    def stop_centre(self) -> None:
        """End the centre, and look at its books no more."""
        self.centre.is_off = True
        if self.centre.process is not None:
            self.scheduler.kill(self.centre.process)
        self.centre.disk.forget()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def start_centre(self, first: object) -> None:
        """Start the centre again, and let it do something first."""
        self.centre.is_off = False
        self._boot(self.centre)
        self.tell_centre(first)

    def tell_centre(self, command: object) -> None:
        """Let operations give the centre a command, until it has it."""
        done: list[bool] = []

        def ask() -> None:
            while not self.centre.ask(command):
                Here.scheduler.sleep(5)
            done.append(True)

        self.scheduler.spawn(Process("operations"), "tells the centre", ask)
        self.scheduler.run(lambda: bool(done), self.scheduler.now_ms + 3_600_000)

    def _soon(self) -> int:
        return self.scheduler.now_ms + 120_000

    def _take_goods_back(self) -> None:
        """Let shoppers come back with goods of other days, whatever has become of their grants."""
        chance = self.plan.chance(f"goods of day {self.scheduler.now_ms}")
        for state in ("PAYABLE", "IN_CLAIM", "PAID_OUT"):
            for record in records_now(self):
                till = next((one for one in self.tills if self.device_of(one.shop) == record.device), None)
                if record.state == state and till is not None and chance.random() < _COMES_BACK[state]:
                    self.begins()
                    record_id = record.record_id
                    self.later(chance.uniform(5, 400), lambda till=till, one=record_id: till.give_back(one))

    def device_of(self, shop: str) -> str:
        """Return the device of a shop."""
        return self.template.devices[shop]

    def owed(self) -> list[str]:
        """Return the records whose grants merchants owe back."""
        sql = "SELECT record_id FROM record WHERE state = 'RETURNED' AND money = 'merchant_receivable'"
        return [row[0] for row in in_books(self, f"{sql} ORDER BY 1")]


_COMES_BACK = {"PAYABLE": 0.1, "IN_CLAIM": 0.35, "PAID_OUT": 0.3}


def run_night_seed(
    seed: int,
    *,
    keep: bool = False,
    off: Collection[str] = (),
    sales: int | None = None,
    bug: str | None = None,
) -> Outcome:
    """Run the world with nights of a seed, with a planted bug if one is named."""
    return NightWorld(draw_nights(seed, off, sales), keep, bug=bug).run()


def without_faults(seed: int) -> Plan:
    """Return a world with nights where nothing goes wrong by itself."""
    plan = draw_nights(seed)
    return msgspec.structs.replace(plan, on=frozenset({"returns"}), funds="large")
