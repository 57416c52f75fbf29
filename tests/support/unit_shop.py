"""The checkout of one shop in the test's own process: the real journal on disk, and fakes at the other ports.

    shop = UnitShop(tmp_path)
    shop.sell()
    assert shop.log == ["facts", "decided", ...]

One log has what every port was asked and what the journal has made durable, in the order in which it
happened. Nothing runs by itself: `work` is what a terminal's worker would do.
"""

import hashlib
import itertools
import secrets
import time
from collections import deque
from pathlib import Path
from typing import Any

from quiet_till import ENROLLED, FILED_FEN, FRIDGE, NOON_MS, KnowingCentre

from subsidy.policy.model import Pack, Tender
from subsidy.policy.refusals import Refusal
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.gather_facts import Question
from terminal_agent.checkout.give_back_goods import Refunding
from terminal_agent.checkout.lane import Job, Lane
from terminal_agent.checkout.ports import (
    Answer,
    Ask,
    Back,
    Clocks,
    KeyMacs,
    Opening,
    Payment,
    Say,
    Secret,
    Way,
)
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.resume import close_after_restart
from terminal_agent.checkout.sale import Attempt, Held, Request, Sale
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal
from terminal_agent.till.board import Board

TERMINAL = "EMU00001"
TO_PAY_FEN = 367_920
SUBSIDY_FEN = 91_980
CLOCKS = Clocks(
    answer_wait_s=90,
    answer_cap_s=180,
    host_timeout_s=60,
    poll_every_s=5,
    poll_for_s=30,
    reverse_not_before_s=0,
    resolver_s=300,
)
CHANNEL_CLOCKS = Clocks(
    answer_wait_s=10,
    answer_cap_s=15,
    host_timeout_s=30,
    poll_every_s=5,
    poll_for_s=45,
    reverse_not_before_s=15,
    resolver_s=60,
)
PHONE = f"WECHAT@{TERMINAL}"
SHOWN = f"WECHAT@{TERMINAL}/SHOWN"
CARD = Way(TERMINAL)
PAY_CODE = "130000000000000017"
BY_PHONE = Way(PHONE, Secret(PAY_CODE))
SAID = Evidence(code="00", terminal_no=TERMINAL, trace="000042", masked_pan="629999*********9384")


class TwoClocks:
    """Both clocks of a host. `sleep` moves both; a test may set either."""

    def __init__(self) -> None:
        self.wall = NOON_MS
        self.steady = 5_000_000

    def wall_ms(self) -> int:
        return self.wall

    def steady_ms(self) -> int:
        return self.steady

    def sleep(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.steady += round(seconds * 1000)


class RealWaits(TwoClocks):
    """Clocks that go on from the same noon at the host's own pace: for a real link under the checkout."""

    def __init__(self) -> None:
        super().__init__()
        self._since_ms = self._host_ms()

    @staticmethod
    def _host_ms() -> int:
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        return self.wall + self._host_ms() - self._since_ms

    def steady_ms(self) -> int:
        return self.steady + self._host_ms() - self._since_ms

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ScriptedCentre(KnowingCentre):
    """A centre that promises, unless `instead` has another answer, or what to raise."""

    def __init__(self, clock: TwoClocks, log: list[str]) -> None:
        super().__init__(clock)  # type: ignore[arg-type]
        self._two_clocks = clock
        self._log = log
        self.takes_s = 0.0
        self.within: list[float] = []
        self.instead: dict[str, Any] = {}
        self.released: Any = None
        self.blocked: Any = None

    def facts(self, request: v1.FactsRequest, within_s: float) -> v1.FactsAnswer:
        self._hear("facts", within_s)
        return super().facts(request, within_s)

    def pack(self, pack_hash: str, within_s: float) -> Pack:
        self._hear("pack", within_s)
        return super().pack(pack_hash, within_s)

    def hold(self, request: v1.HoldRequest, within_s: float) -> Held | v1.Refused:
        answer = self._hear("hold", within_s)
        return answer if answer is not None else super().hold(request, within_s)

    def release(self, record_id: str, within_s: float) -> None:
        self._hear("release", within_s)
        self.released(record_id)

    def block(self, record_id: str, within_s: float) -> None:
        self._hear("block", within_s)
        self.blocked(record_id)

    def _hear(self, what: str, within_s: float) -> Any:
        self._log.append(what)
        self.within.append(within_s)
        self._two_clocks.sleep(self.takes_s)
        said = self.instead.get(what)
        if isinstance(said, Exception):
            raise said
        return said


class ScriptedPayment:
    """A payment link that says what a test has put in, in order; the last of each goes on being said."""

    clocks = CLOCKS
    not_found_is_no: bool = True
    reverses_blind: bool = False

    def __init__(self, clock: TwoClocks, log: list[str], name: str = "") -> None:
        self._clock = clock
        self._log = log
        self._name = name
        self.mark: str | None = "000041"
        self.refunds: deque[Answer] = deque([Answer(Say.UNCLEAR)])
        self.backs: list[Back] = []
        self.asked_back: list[Ask] = []
        self.asked: list[Ask] = []
        self.asked_about: list[Ask] = []
        self.on_query: Any = lambda: None
        self.codes: list[str | None] = []
        self.reversed_ms: list[int] = []
        self.takes: deque[Answer] = deque([Answer(Say.APPROVED, TO_PAY_FEN, SAID)])
        self.queries: deque[Answer] = deque([Answer(Say.UNCLEAR)])
        self.reversals: deque[Answer] = deque([Answer(Say.UNCLEAR)])
        self.voided: list[Evidence] = []
        self.before_answer: list[Any] = []

    def prepare(self, ask: Ask) -> str | None:
        self._log.append(f"{self._name}prepare")
        return self.mark

    def take(self, ask: Ask) -> Answer:
        self._log.append(f"{self._name}take {ask.amount_fen}")
        self.asked.append(ask)
        self.codes.append(ask.pay_code.reveal() if ask.pay_code else None)
        assert ask.mark == self.mark, "the mark was not stored before the money moved"
        for step in self.before_answer:
            step()
        return _next(self.takes)

    def query(self, ask: Ask) -> Answer:
        self._log.append(f"{self._name}query")
        assert ask.pay_code is None, "a query needs no code"
        self.asked_about.append(ask)
        self.on_query()
        return _next(self.queries)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        self._log.append(f"{self._name}reverse")
        self.reversed_ms.append(self._clock.steady_ms())
        self.voided.append(evidence)
        return _next(self.reversals)

    def refund(self, ask: Ask, back: Back) -> Answer:
        self._log.append(f"{self._name}refund {back.fen}")
        self.backs.append(back)
        self.asked_back.append(ask)
        return _next(self.refunds)


_DURABLE = {
    "ask": "asking",
    "hold": "held",
    "refuse": "refused",
    "close": "closing",
    "begin_attempt": "paying",
    "mark_attempt": "marked",
    "paid": "finished paid",
    "not_paid": "finished not paid",
    "unknown": "unknown",
    "reversing": "reversing",
    "giving_back": "giving back",
    "given_back": "given back",
    "park": "parked",
    "begin_return": "returning",
    "send_refund": "sending",
    "refunded": "finished returned",
    "refund_refused": "finished refused",
}


class LoggedJournal:
    """The real journal; what it has made durable stands in the log once it is."""

    def __init__(self, journal: SqliteJournal, log: list[str]) -> None:
        self._journal = journal
        self._log = log

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._journal, name)
        if name not in _DURABLE:
            return method

        def logged(*arguments: Any, **more: Any) -> Any:
            result = method(*arguments, **more)
            self._log.append(_DURABLE[name])
            return result

        return logged


class UnitShop:
    """One till, one terminal. `restart` is what the agent does when it starts on the same journal."""

    def __init__(self, folder: Path, channel: Payment | None = None, terminal: Payment | None = None) -> None:
        """Open a shop; with a real `channel` or `terminal` its clocks go at the host's pace."""
        self.log: list[str] = []
        all_scripted = channel is None and terminal is None
        self.clock = TwoClocks() if all_scripted else RealWaits()
        self.centre = ScriptedCentre(self.clock, self.log)
        self.payment: Any = ScriptedPayment(self.clock, self.log) if terminal is None else terminal
        scripted = ScriptedPayment(self.clock, self.log, "phone ")
        scripted.not_found_is_no, scripted.reverses_blind = False, True
        scripted.clocks = CHANNEL_CLOCKS
        scripted.mark = "-"
        self.channel: Any = scripted if channel is None else channel
        self.shown = ScriptedPayment(self.clock, self.log, "shown ")
        self.shown.not_found_is_no, self.shown.reverses_blind = False, True
        self.shown.clocks = CHANNEL_CLOCKS
        self.shown.mark = "-"
        self.connection = open_journal(folder / "journal.db")
        # A real link knows the orders of every test before.
        seed = b"" if all_scripted else secrets.token_bytes(8)
        self._random = (hashlib.sha256(b"%s%d" % (seed, n)).digest() for n in itertools.count())
        self._numbers = itertools.count(1)
        self._boots = itertools.count(1)
        self._begin()
        self.real_journal.enrol(ENROLLED, "https://centre.example")

    has_room = True
    """Whether the disk can take what a sale writes."""

    def _begin(self) -> None:
        boot = f"boot {next(self._boots)}"
        self.board = Board(lambda: None)
        self.real_journal = SqliteJournal(
            self.connection,
            system.new_lock(),
            self.clock,
            boot,
            changed=lambda: None,
            entry_written=lambda: None,
        )
        self.journal: Any = LoggedJournal(self.real_journal, self.log)
        self.jobs: deque[Job] = deque()
        self.centre.released = self.acknowledge_close
        self.checkout = Checkout(
            journal=self.journal,
            centre=self.centre,
            clock=self.clock,
            randomness=lambda count: next(self._random)[:count],
            boot=boot,
            hold_budget_s=5,
            lanes=dict.fromkeys((TERMINAL, PHONE, SHOWN), lambda *job: self.jobs.append(job)),
            has_room=lambda: self.has_room,
        )
        self.paying = Paying(self.journal, self.payment, self.clock, self.checkout.hold_is_over, self.board)
        self.resolver = Resolver(self.journal, self.payment, self.clock, self.paying)
        refunding = Refunding(self.journal, self.payment, self.clock)
        self.lane = Lane(TERMINAL, self.journal, self.payment, self.paying, self.resolver, refunding)
        self.phone_paying = Paying(
            self.journal, self.channel, self.clock, self.checkout.hold_is_over, self.board
        )
        resolver = Resolver(self.journal, self.channel, self.clock, self.phone_paying)
        refunding = Refunding(self.journal, self.channel, self.clock)
        self.phone_lane = Lane(PHONE, self.journal, self.channel, self.phone_paying, resolver, refunding)
        paying = Paying(self.journal, self.shown, self.clock, self.checkout.hold_is_over, self.board)
        resolver = Resolver(self.journal, self.shown, self.clock, paying)
        refunding = Refunding(self.journal, self.shown, self.clock)
        self.shown_lane = Lane(SHOWN, self.journal, self.shown, paying, resolver, refunding)

    def restart(self) -> None:
        """Start again on what the last run has left: everything in memory is gone."""
        self._begin()
        close_after_restart(self.journal)
        self.lane.resume()
        self.phone_lane.resume()
        self.shown_lane.resume()

    def open(self, **changes: Any) -> Opening:
        """Take a sale of a new item to its promise and its first attempt, which nobody carries out yet."""
        number = next(self._numbers)
        item = v1.Item(gtin=FRIDGE, serial_no=changes.pop("serial_no", f"SN{number:08d}"))
        prices = v1.Prices(initial_price_fen=FILED_FEN, merchant_discount_fen=0, trade_in_fen=0)
        code = changes.pop("code", f"QC-{number:04d}")
        way = changes.pop("way", CARD)
        tender = changes.pop("tender", Tender.CARD if way.lane == TERMINAL else Tender.QR_SCAN)
        return self.checkout.sell(
            Request(
                till_no="01",
                terminal_no=TERMINAL,
                operator="cashier-1",
                item=item,
                prices=prices,
                tender=tender,
                expected_paid_fen=changes.pop("expected_paid_fen", None),
            ),
            Question(item, prices, code, TERMINAL, tender),
            f"mac of {code}",
            way,
            changes.pop("key", None) or self.key(),
        )

    def sell(self, **changes: Any) -> Sale:
        """Sell a new item and let the terminal's worker do its work."""
        return self.work(self.open(**changes).sale)

    def work(self, sale: Sale) -> Sale:
        """Let the terminal's worker do all that waits for it, and return the sale as it then stands."""
        while self.jobs:
            record_id, no, code = self.jobs.popleft()
            link = self.now(sale).attempt(no).terminal_no
            lanes = {TERMINAL: self.lane, PHONE: self.phone_lane, SHOWN: self.shown_lane}
            lanes[link].pay(record_id, no, code)
        return self.now(sale)

    def pay_again(self, sale: Sale, way: Way = CARD) -> tuple[Sale, Refusal | None]:
        """Ask for another attempt, which nobody carries out yet."""
        tender = Tender.CARD if way.lane == TERMINAL else Tender.QR_SCAN
        return self.checkout.pay_again(sale.record_id, tender, way, "cashier-2", self.key())

    def now(self, sale: Sale) -> Sale:
        """Return a sale as it stands."""
        found = self.real_journal.sale(sale.record_id)
        assert found is not None
        return found

    def key(self) -> KeyMacs:
        """Return an idempotency key that was not used before."""
        number = next(self._numbers)
        return KeyMacs(f"key {number}", f"body {number}")

    def acknowledge_close(self, record_id: str) -> None:
        """Let the centre acknowledge the end of a sale."""
        entry = self.real_journal.close_waiting(record_id)
        assert entry is not None
        self.real_journal.acknowledge([(ack_of(entry), "sealed")])

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return rows of the journal."""
        return list(self.connection.execute(query, values).fetchall())


def ack_of(entry: Any, **changes: Any) -> v1.Ack:
    """Return the ack of an entry of the outbox."""
    fields: dict[str, Any] = {
        "v": 1,
        "device": ENROLLED.device,
        "epoch": ENROLLED.epoch,
        "seq": entry.seq,
        "hash": entry.hash,
        "answer": "accepted",
    }
    return v1.Ack(**(fields | changes))


def an_attempt(**changes: Any) -> Attempt:
    """Return an attempt that waits for its answer."""
    fields: dict[str, Any] = {
        "no": 1,
        "pay_ref": "AGNQ7WAAOAAHNAABAAAAAAAAAA01",
        "tender": Tender.CARD,
        "terminal_no": TERMINAL,
        "operator": "cashier-1",
        "amount_fen": TO_PAY_FEN,
        "state": "INTENDED",
        "mark": "000041",
        "approved_fen": None,
        "evidence": Evidence(),
        "begun_ms": NOON_MS,
        "ended_ms": None,
    }
    return Attempt(**(fields | changes))


def _next(answers: deque[Answer]) -> Answer:
    return answers.popleft() if len(answers) > 1 else answers[0]
