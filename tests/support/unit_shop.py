"""The checkout of one shop in the test's own process: the real journal on disk, and fakes at the other ports.

    shop = UnitShop(tmp_path)
    shop.sell()
    assert shop.log == ["facts", "decided", ...]

One log has what every port was asked and what the journal has made durable, in the order in which it
happened. Nothing runs by itself: `work` is what a terminal's worker would do.
"""

import hashlib
import itertools
from collections import deque
from pathlib import Path
from typing import Any

from quiet_till import ENROLLED, FILED_FEN, FRIDGE, NOON_MS, KnowingCentre

from subsidy.policy.model import Pack, Tender
from subsidy.records.payment import Evidence
from subsidy.wire import v1
from terminal_agent import system
from terminal_agent.checkout.apply_subsidy import Checkout
from terminal_agent.checkout.attempt import Paying
from terminal_agent.checkout.gather_facts import Question
from terminal_agent.checkout.lane import Lane
from terminal_agent.checkout.ports import Answer, Ask, Clocks, KeyMacs, Opening, Say
from terminal_agent.checkout.resolve import Resolver
from terminal_agent.checkout.resume import close_after_restart
from terminal_agent.checkout.sale import Attempt, Held, Request, Sale
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.open import open_journal

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
    not_found_is_no = True
    reverses_blind = False

    def __init__(self, clock: TwoClocks, log: list[str]) -> None:
        self._clock = clock
        self._log = log
        self.mark: str | None = "000041"
        self.takes: deque[Answer] = deque([Answer(Say.APPROVED, TO_PAY_FEN, SAID)])
        self.queries: deque[Answer] = deque([Answer(Say.UNCLEAR)])
        self.reversals: deque[Answer] = deque([Answer(Say.UNCLEAR)])
        self.voided: list[Evidence] = []
        self.before_answer: list[Any] = []

    def prepare(self, ask: Ask) -> str | None:
        self._log.append("prepare")
        return self.mark

    def take(self, ask: Ask) -> Answer:
        self._log.append(f"take {ask.amount_fen}")
        assert ask.mark == self.mark, "the mark was not stored before the money moved"
        for step in self.before_answer:
            step()
        return _next(self.takes)

    def query(self, ask: Ask) -> Answer:
        self._log.append("query")
        return _next(self.queries)

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        self._log.append("reverse")
        self.voided.append(evidence)
        return _next(self.reversals)


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
    "park": "parked",
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

    def __init__(self, folder: Path) -> None:
        self.log: list[str] = []
        self.clock = TwoClocks()
        self.centre = ScriptedCentre(self.clock, self.log)
        self.payment = ScriptedPayment(self.clock, self.log)
        self.connection = open_journal(folder / "journal.db")
        self._random = (hashlib.sha256(b"%d" % n).digest() for n in itertools.count())
        self._numbers = itertools.count(1)
        self._boots = itertools.count(1)
        self._begin()
        self.real_journal.enrol(ENROLLED, "https://centre.example")

    def _begin(self) -> None:
        boot = f"boot {next(self._boots)}"
        self.real_journal = SqliteJournal(
            self.connection,
            system.new_lock(),
            self.clock,
            boot,
            changed=lambda: None,
            entry_written=lambda: None,
        )
        self.journal: Any = LoggedJournal(self.real_journal, self.log)
        self.jobs: deque[tuple[str, int]] = deque()
        self.centre.released = self.acknowledge_close
        self.checkout = Checkout(
            journal=self.journal,
            centre=self.centre,
            clock=self.clock,
            randomness=lambda count: next(self._random)[:count],
            boot=boot,
            hold_budget_s=5,
            lanes={TERMINAL: lambda *attempt: self.jobs.append(attempt)},
        )
        self.paying = Paying(self.journal, self.payment, self.clock, self.checkout.hold_is_over)
        self.resolver = Resolver(self.journal, self.payment, self.clock, self.paying)
        self.lane = Lane(TERMINAL, self.journal, self.payment, self.paying, self.resolver)

    def restart(self) -> None:
        """Start again on what the last run has left: everything in memory is gone."""
        self._begin()
        close_after_restart(self.journal)
        self.lane.resume()

    def open(self, **changes: Any) -> Opening:
        """Take a sale of a new item to its promise and its first attempt, which nobody carries out yet."""
        number = next(self._numbers)
        item = v1.Item(gtin=FRIDGE, serial_no=changes.pop("serial_no", f"SN{number:08d}"))
        prices = v1.Prices(initial_price_fen=FILED_FEN, merchant_discount_fen=0, trade_in_fen=0)
        code = changes.pop("code", f"QC-{number:04d}")
        tender = changes.pop("tender", Tender.CARD)
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
            changes.pop("key", None) or self.key(),
        )

    def sell(self, **changes: Any) -> Sale:
        """Sell a new item and let the terminal's worker do its work."""
        return self.work(self.open(**changes).sale)

    def work(self, sale: Sale) -> Sale:
        """Let the terminal's worker do all that waits for it, and return the sale as it then stands."""
        while self.jobs:
            self.lane.pay(*self.jobs.popleft())
        return self.now(sale)

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
