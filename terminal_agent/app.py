"""How is the agent put together? The only place that wires its parts, and the order of its start.

The till API is up at once; each terminal's worker first finishes what the last run left open.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from litestar import Litestar

from subsidy.policy.decide import Because
from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.channels.codes import link_name, shown_link_name
from terminal_agent.channels.wallets import Channel
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.cash import Cash, CashDesk
from terminal_agent.checkout.cash import link_name as cash_link_name
from terminal_agent.checkout.give_back_goods import Refunding, Returns
from terminal_agent.checkout.lane import GOODS_BACK, Job, Lane
from terminal_agent.checkout.ports import Clock, Listening, Payment, Secret
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.resume import close_after_restart
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.sighting import Sighting, Sightings
from terminal_agent.checkout.supervisor import Supervisors
from terminal_agent.checkout.why_granted import why_granted
from terminal_agent.config import Config
from terminal_agent.doctor import running_out
from terminal_agent.journal.connection import JournalDown
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import must_be_there, open_journal
from terminal_agent.log import Log
from terminal_agent.sync import device_key, schedule
from terminal_agent.sync.centre import CentreLine
from terminal_agent.sync.enrol import centre_keys
from terminal_agent.sync.line import Line
from terminal_agent.sync.upload import Uploader
from terminal_agent.system import Changes, Mailbox, SystemClock
from terminal_agent.terminals.terminal import CountsBatch, TellsTrouble
from terminal_agent.till import app as till_app
from terminal_agent.till.board import Board
from terminal_agent.till.documents import look_documents
from terminal_agent.till.guard import own_hosts
from terminal_agent.till.routes import Till
from terminal_agent.traces.write_trace import Note, Recorder, TraceFile

_A_WHILE_S = 60.0
_AGAIN_S = 2.0

_CHECKED_FOR_MS = 86_400_000


class Agent:
    """One running agent."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._clock = SystemClock()
        self._changes = Changes()
        self._board = Board(self._changes.announce)
        self._boot = boot = system.random_bytes(8).hex()
        self._sync_box: Mailbox[None] = Mailbox()
        self._next_check_ms = 0
        must_be_there(config.journal)
        self.journal = SqliteJournal(
            open_journal(config.journal),
            system.new_lock(),
            self._clock,
            boot,
            changed=self._changes.announce,
            entry_written=self._nudge_sync,
        )
        self.device: v1.Enrolled
        self.device, self.enrolled_at = self.journal.must_be_enrolled()
        key = device_key.read_key(config.device_key)
        self._line = Line(
            url=config.centre,
            device=self.device.device,
            epoch=self.device.epoch,
            key=key.signing,
            centre_keys=centre_keys(self.device),
            clock=self._clock,
            random_bytes=system.random_bytes,
        )
        self._centre = CentreLine(
            self._line, self.journal, config.data / "packs", log, training=config.training
        )
        self._uploader = Uploader(
            journal=self.journal,
            line=self._line,
            centre=self._centre,
            key=key,
            clock=self._clock,
            lag_target_s=float(self.device.lag_target_s),
            log=log,
        )
        self._payments = self._open_links()
        self._boxes: dict[str, Mailbox[Job]] = {link: Mailbox() for link in self._payments}
        lanes = {link: partial(_put, box) for link, box in self._boxes.items()}
        self.checkout = Checkout(
            journal=self.journal,
            centre=self._centre,
            clock=self._clock,
            randomness=system.random_bytes,
            boot=boot,
            hold_budget_s=config.hold_budget_s,
            lanes=lanes,
            has_room=lambda: system.free_mib(config.data) >= config.least_free_mib,
        )
        returns = Returns(
            journal=self.journal,
            centre=self._centre,
            clock=self._clock,
            report=self._report,
            within_s=config.hold_budget_s,
            lanes={link: partial(_put_return, box) for link, box in self._boxes.items()},
        )
        self._till = Till(
            checkout=self.checkout,
            journal=self.journal,
            key=key,
            clock=self._clock,
            changes=self._changes,
            terminals_of_tills=config.tills,
            links=frozenset(self._payments),
            payment_codes=config.payment_codes,
            board=self._board,
            wait_s=config.wait_s,
            status=self.status,
            returns=returns,
            cash=CashDesk(self.journal, lanes),
            supervisors=Supervisors(config.supervisors, self.journal, system.new_lock()),
            rules=self._rules,
            may_have_forgotten=self._may_have_forgotten,
        )

    def start(self) -> None:
        """Close what a restart ends, then start the workers and triggers."""
        close_after_restart(self.journal)
        for link, box in self._boxes.items():
            self._spawn(f"lane-{link}", partial(self._lane(link).run, box))
            self._listen(link)
        self._spawn("sync", self._sync)
        schedule.start(
            self._config.sync_every_s,
            self._nudge_sync,
            self.checkout.close_overdue,
            self._guarded("check", self._check_journal),
        )
        for link in self._links_missing():
            self._log("link.missing", link=link)
        self._log("agent.started", device=self.device.device, shop=self.device.shop)

    def resume(self) -> None:
        """Finish what the last run left open, send what waits, and return; nothing is sold meanwhile."""
        close_after_restart(self.journal)
        self._uploader.run()
        for link in self._boxes:
            self._lane(link).resume()
        self._uploader.run()

    def serve(self) -> None:
        """Serve the till API until the process is told to stop."""
        till_app.serve(self.app(), self._config.host, self._config.port)

    def app(self) -> Litestar:
        """Return the till API."""
        return till_app.build(self._till, own_hosts(self._config.host, self._config.port), self._log)

    def status(self) -> dict[str, Any]:
        """Return how the agent is, for the till and for shop IT."""
        numbers = self.journal.numbers()
        oldest_ms = numbers["oldest_ms"]
        return {
            "online": self._line.online,
            "refused_by_centre": self._line.denied,
            "is_old_copy": self._uploader.is_behind,
            "outbox": {
                "depth": numbers["depth"],
                "oldest_s": (self._clock.wall_ms() - oldest_ms) // 1000 if oldest_ms else 0,
                "quarantined": numbers["quarantined"],
            },
            "packs": self._centre.known_packs(),
            # The shop has no product library of its own yet: products are looked up at the centre.
            "catalogue": {"version": None, "age_s": None, "products": None},
            "terminals": [
                {
                    "terminal_no": number,
                    "open_attempts": len(self.journal.open_attempts(number)),
                    "line": self._line_of(number),
                }
                for number in self._config.terminals
            ],
            "channels": [
                {
                    "channel": wallet,
                    "open_attempts": sum(
                        len(self.journal.open_attempts(name(wallet, number)))
                        for number in self._config.terminals
                        for name in (link_name, shown_link_name)
                    ),
                }
                for wallet in self._config.channels
            ],
            "clock_skew_ms": self._line.skew_ms,
            "disk": {
                "free_mib": system.free_mib(self._config.data),
                "least_free_mib": self._config.least_free_mib,
            },
            "links_missing": self._links_missing(),
            "certificates": running_out(self._config, self._clock.wall_ms()),
            "look_at": look_documents(self.journal.to_look_at()),
            "parked": numbers["parked"],
            "returning": numbers["returning"],
            "device": self.device.device,
            "shop": self.device.shop,
            "training": self._config.training,
        }

    def _links_missing(self) -> list[str]:
        """Return the links that money may still move on and that the configuration does not have any more."""
        return sorted(self.journal.links_in_use() - self._boxes.keys())

    def _open_links(self) -> dict[str, Payment]:
        """Return every way of taking money, by the name under which its attempts are stored."""
        links: dict[str, Payment] = {}
        for number, terminal in self._config.terminals.items():
            if (recorder := self._recorder(number)) is not None:
                terminal = terminal.recorded(recorder)
            links[number] = payment = terminal.payment(self._clock)
            if isinstance(payment, CountsBatch):
                payment.count_with(partial(self.journal.moved_in_batch, number))
            if self._config.cash:
                links[cash_link_name(number)] = Cash(self.journal, system.random_bytes)
            for wallet, channel in self._config.channels.items():
                link, shown = link_name(wallet, number), shown_link_name(wallet, number)
                links[link] = self._noted(channel, link).payment(self._clock, system.random_bytes)
                showing = self._noted(channel, shown).showing(self._clock, system.random_bytes)
                if showing is not None:
                    links[shown] = showing
        return links

    def _noted(self, channel: Channel, link: str) -> Channel:
        recorder = self._recorder(link)
        return channel if recorder is None else channel.recorded(recorder)

    def _recorder(self, link: str) -> Recorder | None:
        """Return what writes down what passes on a link, None unless shop IT has asked for that."""
        if self._config.traces is None:
            return None
        name = f"{link.replace('/', '-')}.trace"
        file = TraceFile(self._config.traces / name, self._clock, self._log)
        return partial(Note, file, self._clock, link)

    def _line_of(self, link: str) -> Mapping[str, object] | None:
        """Return how a line is that passes through us, of one that we drive what was wrong last."""
        payment = self._payments[link]
        if isinstance(payment, Listening):
            return payment.state()
        trouble = payment.trouble if isinstance(payment, TellsTrouble) else ""
        return {"problem": trouble} if trouble else None

    def _listen(self, link: str) -> None:
        """Start what works on a link without being asked, and the worker that writes down what it sees."""
        payment = self._payments[link]
        if isinstance(payment, Listening):
            seen: Mailbox[Sighting] = Mailbox()
            sightings = Sightings(
                link, self.journal, self.checkout.hold_is_over, self._clock.wall_ms, self._log
            )
            self._spawn(f"sightings-{link}", partial(_note_all, sightings, seen, self._clock, self._log))
            for name, run in payment.workers(link, seen.put, self._log).items():
                self._spawn(name, run)

    def _lane(self, link: str) -> Lane:
        payment = self._payments[link]
        paying = Paying(self.journal, payment, self._clock, self.checkout.hold_is_over, self._board)
        may_have_moved_on = partial(self._may_have_moved_on, link)
        resolver = Resolver(self.journal, payment, self._clock, paying, may_have_moved_on)
        refunding = Refunding(self.journal, payment, self._clock, may_have_moved_on)
        return Lane(link, self.journal, payment, paying, resolver, refunding)

    def _may_have_moved_on(self, link: str, sale: Sale) -> bool:
        """Whether more may have happened on a link since than the journal knows of a sale of an earlier run.

        In an old copy of the journal; and where something else is open on the link: that may have been sent
        again at any time, which nobody writes down.
        """
        if sale.boot == self._boot:
            return False
        return self._may_have_forgotten(sale) or self.journal.others_open(link, sale.record_id)

    def _may_have_forgotten(self, sale: Sale) -> bool:
        """Whether the journal may have forgotten what became of a sale of an earlier run: as an old copy has.

        The centre has heard what a copy has not, and freezes its device once it contradicts that. So that is
        true until the centre has answered.
        """
        knows_us = self._uploader.was_answered and not self._uploader.is_behind and self._line.denied is None
        return sale.boot != self._boot and not knows_us

    def _rules(self, sale: Sale) -> tuple[Because, ...]:
        """Return the rules by which a sale's subsidy was granted, as far as the pack is kept here."""
        if sale.held is None:
            return ()
        return why_granted(self._centre.kept_pack(sale.held.promise.pack_hash), sale.held)

    def _report(self, record_id: str, within_s: float) -> bool:
        """Have the centre acknowledge a sale's payment now; return whether it has."""
        self._nudge_sync()
        return self._changes.wait_until(lambda: self.journal.is_reported(record_id), within_s)

    def _sync(self) -> None:
        while True:
            # At once after a start: until then, what an earlier run left open may be a copy's.
            self._uploader.run()
            self._sync_box.take(self._uploader.next_within_s(self._config.sync_every_s))

    def _nudge_sync(self) -> None:
        self._sync_box.put(None)

    def _check_journal(self) -> None:
        """Look at the whole journal once a day, when nobody is being served: nothing is sold meanwhile."""
        if self._clock.steady_ms() < self._next_check_ms or self.journal.unfinished():
            return
        self.journal.check()
        self._next_check_ms = self._clock.steady_ms() + _CHECKED_FOR_MS

    def _spawn(self, name: str, run: Callable[[], None]) -> None:
        system.spawn(name, self._guarded(name, run))

    def _guarded(self, name: str, run: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                run()
            except BaseException as wrong:
                # A worker that died silently would leave sales waiting for ever. The supervisor
                # starts us again, and resume finishes what was open.
                try:
                    self._log("worker.failed", worker=name, error=repr(wrong), exc_info=wrong)
                finally:
                    system.end_process()

        return guarded


def _put(box: Mailbox[Job], record_id: str, no: int, pay_code: Secret | None) -> None:
    box.put((record_id, no, pay_code))


def _note_all(sightings: Sightings, seen: Mailbox[Sighting], clock: Clock, log: Log) -> None:
    """Write down what is seen, in order. While the journal is down it waits: the terminal's bytes pass on."""
    while True:
        sighting = seen.take(_A_WHILE_S)
        while sighting is not None:
            try:
                sightings.note(sighting)
                sighting = None
            except JournalDown as wrong:
                log("relay.not_written_yet", why=str(wrong))
                clock.sleep(_AGAIN_S)


def _put_return(box: Mailbox[Job], record_id: str) -> None:
    box.put((record_id, GOODS_BACK, None))
