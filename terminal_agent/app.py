"""How is the agent put together? The only place that wires its parts, and the order of its start.

The till API is up at once; each terminal's worker first finishes what the last run left open.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar import Litestar

from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.lane import Lane
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.resume import close_after_restart
from terminal_agent.config import Config, TerminalConfig
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.log import Log
from terminal_agent.sync import device_key, schedule
from terminal_agent.sync.centre import CentreLine
from terminal_agent.sync.enrol import centre_keys
from terminal_agent.sync.line import Line
from terminal_agent.sync.upload import Uploader
from terminal_agent.system import Changes, Mailbox, SystemClock
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.serial_ecr import DrivenTerminal
from terminal_agent.till import app as till_app
from terminal_agent.till.routes import Till


class NotEnrolled(Exception):
    """This host is no device yet."""


class Agent:
    """One running agent."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._clock = SystemClock()
        self._changes = Changes()
        boot = system.random_bytes(8).hex()
        self._sync_box: Mailbox[None] = Mailbox()
        self.journal = SqliteJournal(
            open_journal(config.journal),
            system.new_lock(),
            self._clock,
            boot,
            changed=self._changes.announce,
            entry_written=self._nudge_sync,
        )
        enrolled = self.journal.enrolled()
        if enrolled is None:
            raise NotEnrolled("This host is not enrolled. Run `terminal-agent enrol CODE`")
        self._device: v1.Enrolled = enrolled[0]
        key = device_key.read_key(config.device_key)
        self._line = Line(
            url=config.centre,
            device=self._device.device,
            epoch=self._device.epoch,
            key=key.signing,
            centre_keys=centre_keys(self._device),
            clock=self._clock,
            random_bytes=system.random_bytes,
        )
        self._centre = CentreLine(self._line, self.journal, config.data / "packs", training=config.training)
        self._uploader = Uploader(
            journal=self.journal,
            line=self._line,
            centre=self._centre,
            key=key,
            clock=self._clock,
            lag_target_s=float(self._device.lag_target_s),
            log=log,
        )
        self._boxes: dict[str, Mailbox[tuple[str, int]]] = {number: Mailbox() for number in config.terminals}
        self.checkout = Checkout(
            journal=self.journal,
            centre=self._centre,
            clock=self._clock,
            randomness=system.random_bytes,
            boot=boot,
            hold_budget_s=config.hold_budget_s,
            lanes={number: partial(_put, box) for number, box in self._boxes.items()},
        )
        self._till = Till(
            checkout=self.checkout,
            journal=self.journal,
            key=key,
            changes=self._changes,
            terminals_of_tills=config.tills,
            wait_s=config.wait_s,
            status=self.status,
        )

    def start(self) -> None:
        """Close what a restart ends, then start the workers and triggers."""
        close_after_restart(self.journal)
        for number, terminal in self._config.terminals.items():
            lane = self._lane(terminal)
            self._spawn(f"terminal-{number}", partial(lane.run, self._boxes[number]))
        self._spawn("sync", self._sync)
        schedule.start(self._config.sync_every_s, self._nudge_sync, self.checkout.close_overdue)
        self._log("agent.started", device=self._device.device, shop=self._device.shop)

    def resume(self) -> None:
        """Finish what the last run left open, send what waits, and return; nothing is sold meanwhile."""
        close_after_restart(self.journal)
        for terminal in self._config.terminals.values():
            self._lane(terminal).resume()
        self._uploader.run()

    def serve(self) -> None:
        """Serve the till API until the process is told to stop."""
        till_app.serve(self.app(), self._config.host, self._config.port)

    def app(self) -> Litestar:
        """Return the till API."""
        host, port = self._config.host, self._config.port
        return till_app.build(self._till, frozenset({f"{host}:{port}", f"localhost:{port}"}), self._log)

    def status(self) -> dict[str, Any]:
        """Return how the agent is, for the till and for shop IT."""
        numbers = self.journal.numbers()
        oldest_ms = numbers["oldest_ms"]
        return {
            "online": self._line.online,
            "refused_by_centre": self._line.denied,
            "outbox": {
                "depth": numbers["depth"],
                "oldest_s": (self._clock.wall_ms() - oldest_ms) // 1000 if oldest_ms else 0,
                "quarantined": numbers["quarantined"],
            },
            "packs": self._centre.known_packs(),
            # The shop has no product library of its own yet: products are looked up at the centre.
            "catalogue": {"version": None, "age_s": None, "products": None},
            "terminals": [
                {"terminal_no": number, "open_attempts": len(self.journal.open_attempts(number))}
                for number in self._config.terminals
            ],
            "clock_skew_ms": self._line.skew_ms,
            "parked": numbers["parked"],
            "device": self._device.device,
            "shop": self._device.shop,
            "training": self._config.training,
        }

    def _lane(self, terminal: TerminalConfig) -> Lane:
        open_link = partial(open_serial, terminal.port, terminal.profile.line)
        payment = DrivenTerminal(terminal.profile, open_link, self._clock)
        paying = Paying(self.journal, payment, self._clock, self.checkout.hold_is_over)
        resolver = Resolver(self.journal, payment, self._clock, paying)
        return Lane(terminal.terminal_no, self.journal, payment, paying, resolver)

    def _sync(self) -> None:
        while True:
            self._sync_box.take(self._config.sync_every_s)
            self._uploader.run()

    def _nudge_sync(self) -> None:
        self._sync_box.put(None)

    def _spawn(self, name: str, run: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                run()
            except BaseException as wrong:
                # A worker that died silently would leave sales waiting for ever. The supervisor
                # starts us again, and resume finishes what was open.
                self._log("worker.failed", worker=name, error=repr(wrong), exc_info=wrong)
                system.end_process()

        system.spawn(name, guarded)


def _put(box: Mailbox[tuple[str, int]], record_id: str, no: int) -> None:
    box.put((record_id, no))
