"""What stands behind a terminal that speaks ISO 8583 with its acquirer, ourselves or the terminal itself?

The shipped host with its books; each connection has a task of its own, as it has a thread there.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sim.cards import wishes
from sim.cards.terminal import MERCHANT, WORK_S, CardTerminal, Note
from sim.sockets import Address, Door, End, TcpHere
from sim.threads import Here, threading
from sim.truth import Charge, ms_of
from terminal_agent.emulators.faults import Faults
from terminal_agent.emulators.host import Host
from terminal_agent.emulators.host_books import HostBooks, HostLine
from terminal_agent.emulators.host_faults import KNOWN, QUESTIONS, TARGETS
from terminal_agent.emulators.host_line import HostLine as ServedLine
from terminal_agent.terminals.direct.terminal import HostTerminal
from terminal_agent.terminals.terminal import Terminal

_TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_IDLE_S = 300.0


class WithHost(CardTerminal):
    """A terminal whose acquirer's host has an address."""

    wishes = wishes.HOST
    host_type = Host

    def __init__(self, number: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(number, kind, note)
        self.books = _Told(folder / f"{number}.jsonl", self._tell)
        self.faults = Faults(KNOWN, TARGETS, QUESTIONS)
        self.address: Address = (f"{number}.host", 8583)
        self._folder = folder
        self._line: Any = ServedLine.__new__(ServedLine)
        self._line._host, self._line._faults = self.host_type(self.books, _TMK), self.faults
        self._line._work_s, self._line._before, self._line._open = WORK_S, None, set()
        self._line._lock = threading.Lock()
        Door(self.address, self.process, self._welcome)

    def unplug_for(self, seconds: float) -> None:
        self._note(self.number, f"its host is away for {seconds:g} s")
        TcpHere.away.add(self.address)
        for end in list(self._line._open):
            end.pull()
        Here.scheduler.step(self.process, "is back", self.plug_in, seconds)

    def plug_in(self) -> None:
        TcpHere.away.discard(self.address)

    def settle(self) -> str:
        return self.books.settle(self.number, MERCHANT).batch

    def sell_plainly(self) -> None:
        """Do nothing: only we sell at it."""

    def charges(self) -> Iterator[Charge]:
        for line in self.books.lines:
            pay_ref = self._pay_ref(line)
            if line.kind == "sale" and pay_ref:
                back_fen = self.books.given_back(line) + line.fen * self.books.is_undone(line)
                yield Charge(pay_ref, line.fen, back_fen, ms_of(line.at))

    def file_lines(self) -> Sequence[HostLine]:
        return self.books.standing

    def close(self) -> None:
        super().close()
        self.books.close()

    def _pay_ref(self, line: HostLine) -> str:
        return line.pay_ref

    def _tell(self, line: HostLine) -> None:
        named = f"trace {line.trace} of batch {line.batch}"
        self._note(f"host of {line.tid}", f"{line.kind} {line.fen} fen, {named}, {self._pay_ref(line)}")

    def _welcome(self, end: End) -> None:
        end.settimeout(_IDLE_S)
        self._line._open.add(end)

        def serve() -> None:
            self._line._serve(end)

        Here.scheduler.spawn(self.process, "line", serve)


class _Told(HostBooks):
    """The host's books, of which the trace tells."""

    def __init__(self, path: Path, tell: Callable[[HostLine], None]) -> None:
        super().__init__(path)
        self._tell = tell

    def write(self, *what: Any, **more: Any) -> HostLine:
        line = super().write(*what, **more)
        self._tell(line)
        return line


class Direct(WithHost):
    """A terminal that we are ourselves to the host. Its pinpad keeps its own counter."""

    def configured(self, terminal: Terminal) -> Terminal:
        assert isinstance(terminal, HostTerminal)
        return replace(terminal, memory=self._folder / f"{self.number}.trace")
