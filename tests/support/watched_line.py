"""A terminal's line that passes through us, for tests: real sockets, a host behind it, a terminal before it.

    with WatchedLine() as line:
        line.arm(85_000)
        line.terminal.sell(85_000)
        assert line.until(Say.APPROVED)

The forwarding and watching threads are the agent's own.
"""

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from card_host import CardHost
from unit_shop import UnitShop

from terminal_agent.checkout.ports import Answer, Ask, Say
from terminal_agent.checkout.sale import Sale
from terminal_agent.checkout.sighting import Sighting, Sightings
from terminal_agent.emulators.line_terminal import LineTerminal, Slip
from terminal_agent.system import SystemClock
from terminal_agent.terminals.relay import profile as relay
from terminal_agent.terminals.relay.forward import Forwarder
from terminal_agent.terminals.relay.observer import MOST_BYTES, Observer
from terminal_agent.terminals.relay.payment import WatchedTerminal
from terminal_agent.terminals.relay.understand import Reader

TERMINAL = "EMU00001"
FEN = 85_000
PROFILE = Path(__file__).resolve().parents[2] / "config" / "terminals" / "relay.yaml"
SHORT_MS = {"armed_for_ms": 4000, "host_timeout_ms": 120, "poll_every_ms": 20, "resolver_ms": 400}
_PATIENCE_S = 20.0


def profile_text(address: tuple[str, int], *, on_serial: bool = False, **times_ms: int) -> str:
    """Return the shipped profile with the host's address and times that a test can wait for.

    `on_serial`: with how the serial port is set over which its terminal hands us its frames.
    """
    text = PROFILE.read_text(encoding="utf-8").replace("10.1.2.3:8001", f"{address[0]}:{address[1]}")
    for name, value in (SHORT_MS | times_ms).items():
        lines = [
            line.split(name)[0] + f"{name}: {value}" if line.strip().startswith(f"{name}:") else line
            for line in text.split("\n")
        ]
        text = "\n".join(lines)
    if on_serial:
        text = text.replace("# line:\n", "line:\n")
        for name in ("baud", "parity", "stop_bits"):
            text = text.replace(f"#   {name}:", f"  {name}:")
    return text


def eventually(claim: Callable[[], Any], within_s: float = _PATIENCE_S) -> Any:
    """Wait until a claim holds, and return what it says."""
    end = time.monotonic() + within_s
    while not (found := claim()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.005)
    return found


def given_up(ask: Ask) -> Ask:
    """Return the attempt as it is asked about once nobody waits for it any more."""
    return Ask(ask.pay_ref, ask.amount_fen, ask.operator, ask.till_no, given_up=True)


def slip_of(trace: str) -> Slip:
    """Return what a terminal keeps of a sale of `FEN`, for one that has not made it itself."""
    return Slip("sale", trace, "000001", FEN)


class WatchedLine:
    """Host, relay and terminal. `understand` stands in for the codec where a test wants to break it."""

    def __init__(
        self,
        understand: Any = None,
        most_bytes: int = MOST_BYTES,
        tell: Callable[[Sighting], None] | None = None,
        host: CardHost | None = None,
        callers: frozenset[str] = frozenset(),
        **times_ms: int,
    ) -> None:
        self.host = host or CardHost()
        self._own_host = host is None
        self._callers = callers
        self._options = (understand, most_bytes, times_ms)
        self.sightings: list[Sighting] = []
        self._tell = tell or self.sightings.append
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self._numbers = itertools.count(1)
        self._terminals: list[LineTerminal] = []

    def __enter__(self) -> "WatchedLine":
        if self._own_host:
            self.host.__enter__()
        understand, most_bytes, times_ms = self._options
        self.profile = relay.read_profile(profile_text(self.host.address, **times_ms), "relay.yaml")
        reader = Reader(self.profile.dialect, self.profile.codes)
        clock = SystemClock()
        self.observer = Observer(
            understand or reader.understand, self.profile.no_original_ms, clock, most_bytes
        )
        self._note_when_it_hangs_up()
        self.forwarder = Forwarder(
            ("127.0.0.1", 0), self.profile.acquirer, self.observer, clock, self._callers
        )
        self.payment = WatchedTerminal(
            self.profile.clocks, self.profile.armed_for_s, self.observer, self.forwarder
        )
        for run in self.payment.workers(TERMINAL, self._tell, self._log).values():
            threading.Thread(target=run, daemon=True).start()
        eventually(lambda: self.forwarder.port and self.observer.runs)
        self.terminal = self.new_terminal()
        return self

    def __exit__(self, *_: object) -> None:
        for terminal in self._terminals:
            terminal.drop()
        if self._own_host:
            self.host.__exit__()

    def new_terminal(self, **options: Any) -> LineTerminal:
        """Return a terminal that calls its host through us."""
        assert self.forwarder.port is not None
        self._terminals.append(LineTerminal(("127.0.0.1", self.forwarder.port), **options))
        return self._terminals[-1]

    def new_ask(self, fen: int) -> Ask:
        """Return an attempt that nobody has had before."""
        return Ask(f"PAYREF{next(self._numbers):020d}01", fen, "cashier-1", "01")

    def arm(self, fen: int) -> Ask:
        """Arm an amount as the worker does."""
        ask = self.new_ask(fen)
        assert self.payment.prepare(ask) == "watched"
        assert self.payment.take(ask).say is Say.PENDING
        return ask

    def until(self, ask: Ask, say: Say) -> Answer:
        """Ask until this is said."""
        return eventually(lambda: (said := self.payment.query(ask)).say is say and said)

    def gives_up(self, do: Callable[[], Any]) -> None:
        """Let the terminal do something that it gives up on, until the line knows that it has.

        The end of an earlier connection may be noticed only now.
        """
        before = self.forwarder._count
        do()
        eventually(lambda: any(one > before for one in self._hung_up))

    def settle(self) -> None:
        """Wait until everything that has passed was looked at."""
        self.payment.query(self.new_ask(1))

    def _note_when_it_hangs_up(self) -> None:
        hung_up = self.observer.hung_up
        self._hung_up: list[int] = []

        def noted(connection: int) -> None:
            hung_up(connection)
            self._hung_up.append(connection)

        self.observer.hung_up = noted  # type: ignore[method-assign]

    def _log(self, event: str, **told: Any) -> None:
        self.logged.append((event, told))


class _Dead:
    """What a process that was killed has left of its journal."""

    def __getattr__(self, name: str) -> Any:
        raise SystemExit


class WatchedShop(UnitShop):
    """A shop whose terminal is only watched. `restart` is a new process on the same journal."""

    def __init__(self, folder: Path, **times_ms: int) -> None:
        self.host = CardHost()
        self.host.__enter__()
        self._times_ms = times_ms
        self.line: WatchedLine | None = None
        self.logged: list[tuple[str, dict[str, Any]]] = []
        super().__init__(folder, channel=object())  # type: ignore[arg-type]

    def restart(self) -> None:
        """Die and start again: whatever still runs of the last run ends at its next look at the journal."""
        self.journal._journal = self.sightings._journal = _Dead()  # type: ignore[assignment]
        super().restart()

    def _begin(self) -> None:
        slips, trace = (self.terminal.slips, self.terminal._trace) if self.line else ([], 0)
        self.line = WatchedLine(host=self.host, tell=self._note, **self._times_ms)
        self.line.__enter__()
        self.terminal.slips, self.terminal._trace = slips, trace
        self.payment = self.line.payment  # type: ignore[assignment]
        super()._begin()
        self.sightings = Sightings(
            TERMINAL,
            self.real_journal,
            self.checkout.hold_is_over,
            self.clock.wall_ms,
            lambda event, **told: self.logged.append((event, told)),
        )

    @property
    def terminal(self) -> LineTerminal:
        """The terminal beside the till."""
        assert self.line is not None
        return self.line.terminal

    def _note(self, sighting: Sighting) -> None:
        self.sightings.note(sighting)

    def begin(self, sale: Sale) -> threading.Thread:
        """Let the terminal's worker begin; it is armed when this returns."""

        def work() -> None:
            with suppress(SystemExit):  # as a process that was killed
                self.work(sale)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        assert self.line is not None
        eventually(lambda: self.line and self.line.observer.armed)
        return worker

    def close(self) -> None:
        """End it."""
        assert self.line is not None
        self.line.__exit__()
        self.host.__exit__()
        # The view of the line still runs: closed under its feet, SQLite would end the whole process.
        with self.real_journal._lock:
            self.connection.close()
