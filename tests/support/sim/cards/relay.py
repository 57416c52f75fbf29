"""What does a person do at a terminal that calls its acquirer itself, through us?

They key in what the till shows, once, and void or refund what it says. The terminal undoes by itself what it
got no answer to, before anything else. Which payment a charge was for, they know who keyed it in.
"""

from pathlib import Path
from typing import Any

from sim.cards import wishes
from sim.cards.host import WithHost
from sim.cards.terminal import PLAIN_FEN, Note
from sim.cards.wishes import MISTYPED, Wish
from sim.sockets import TcpHere
from sim.threads import Here, threading
from sim.truth import ms_of
from terminal_agent.emulators.faults import Struck
from terminal_agent.emulators.host import Host, Reply
from terminal_agent.emulators.host_books import HostLine
from terminal_agent.emulators.host_keys import Keys
from terminal_agent.emulators.host_wire import Values
from terminal_agent.emulators.line_terminal import LineTerminal, Slip

_WAIT_S = 60.0
_AGAIN_S = 40.0
_STALE_MS = 10_000
_APPROVED = ("00", "10")
_NOT_UNDONE = ("", "96", "98")


class _Unchecked(Host):
    """A host that takes the made-up MACs of terminals that call it themselves."""

    def reply(self, mti: str, values: Values, signed: bytes, struck: Struck) -> Reply:
        keys = self._keys.setdefault(values.get(41, ""), Keys("cup", bytes(8)))
        return super().reply(mti, {**values, 64: keys.mac(signed).hex()}, signed, struck)


class Relayed(WithHost):
    """A terminal whose line passes through us."""

    wishes = wishes.RELAY
    host_type = _Unchecked

    def __init__(self, number: str, kind: str, folder: Path, note: Note, *, lax: bool) -> None:
        super().__init__(number, kind, folder, note, lax=lax)
        self._relay = (f"{number}.relay", 9101)
        self._terminal = LineTerminal(self._relay, number)
        self._hands = threading.Lock()
        self._meant: dict[tuple[str, str], str] = {}
        self._traces: dict[str, str] = {}
        self._is_back: set[str] = set()
        self._to_undo: list[str] = []
        self._voids: dict[str, str] = {}
        self._mistypes = self._pulls = 0

    def arm(self, wish: Wish) -> None:
        if wish["fault"] == MISTYPED:
            self._mistypes += 1
        else:
            super().arm(wish)

    def unplug_for(self, seconds: float) -> None:
        """Pull the terminal's cable, or its host's, in turn."""
        self._pulls += 1
        if self._pulls % 2:
            super().unplug_for(seconds)
            return
        self._note(self.number, f"unplugged for {seconds:g} s")
        TcpHere.away.add(self._relay)
        line: Any = self._terminal._line
        if line is not None:
            line.pull()
        Here.scheduler.step(self.process, "is back", self.plug_in, seconds)

    def plug_in(self) -> None:
        super().plug_in()
        TcpHere.away.discard(self._relay)

    def settle(self) -> str:
        """Close the batch; with something to undo the terminal refuses."""
        if self._to_undo:
            return "not yet: no"
        self._terminal.settle()
        return super().settle()

    def sell_plainly(self) -> None:
        with self._hands:
            if self._has_undone():
                self._sell(PLAIN_FEN, "")

    def by_hand(self, document: dict[str, Any]) -> None:
        told_ms = Here.scheduler.now_ms
        with self._hands:
            # Kept waiting by the terminal, they look at the till again first.
            if not self._has_undone() or Here.scheduler.now_ms - told_ms > _STALE_MS:
                return
            if document["next_action"] == "CHARGE_AT_TERMINAL":
                self._charge(document["attempts"][-1]["pay_ref"], document["to_pay_fen"])
            else:
                for one in document["attempts"]:
                    self._give_back(one["pay_ref"])

    def undone_since(self, since_ms: int) -> set[str]:
        """Return the order numbers of the sales of which money has gone back since a moment."""
        named = [(one.orig_batch, one.orig_trace) for one in self.books.lines if ms_of(one.at) >= since_ms]
        return {ref for one in named if (ref := self._meant.get(one))}

    def _pay_ref(self, line: HostLine) -> str:
        return self._meant.get((line.batch, line.trace), "") if line.kind == "sale" else ""

    def _charge(self, pay_ref: str, fen: int) -> None:
        if pay_ref in self._traces:
            return
        if self._mistypes:
            self._mistypes -= 1
            slip = self._sell(fen // 10, "")
            if slip.code in _APPROVED:
                self._undo(slip.trace)
            if not self._has_undone():
                return
        self._traces[pay_ref] = self._sell(fen, pay_ref).trace

    def _sell(self, fen: int, pay_ref: str) -> Slip:
        terminal = self._terminal
        # Known before it is charged: others may look at any time.
        self._meant[terminal.batch, f"{terminal._trace + 1:06d}"] = pay_ref
        self._note(self.number, f"{fen} fen are keyed in")
        slip = terminal.sell(fen, wait_s=_WAIT_S)
        self._note(self.number, f"shows {slip.code or 'no answer'}, trace {slip.trace}")
        if not slip.code:
            self._undo_later(slip.trace)
        return slip

    def _give_back(self, pay_ref: str) -> None:
        trace = self._traces.get(pay_ref)
        if trace is None or trace in self._is_back or self._terminal.slip(trace).code not in _APPROVED:
            return
        if self._undo(trace):
            self._is_back.add(trace)

    def _undo(self, trace: str) -> bool:
        """Void a sale, or refund it where that is refused; return whether it says that it is done."""
        slip = self._terminal.void(trace, wait_s=_WAIT_S)
        self._note(self.number, f"void of {trace}: {slip.code or 'no answer'}")
        if not slip.code:
            self._voids[slip.trace] = trace
            self._undo_later(slip.trace)
        elif not slip.approved:
            slip = self._terminal.refund(trace, wait_s=_WAIT_S)
            self._note(self.number, f"refund of {trace}: {slip.code or 'no answer'}")
        return slip.approved

    # What the terminal does by itself.

    def _undo_later(self, trace: str) -> None:
        self._to_undo.append(trace)

        def work() -> None:
            while self._to_undo:
                Here.scheduler.sleep(_AGAIN_S)
                with self._hands:
                    self._has_undone()

        if len(self._to_undo) == 1:
            Here.scheduler.spawn(self.process, "undoes", work)

    def _has_undone(self) -> bool:
        for trace in list(self._to_undo):
            slip = self._terminal.reverse(trace, wait_s=_WAIT_S)
            self._note(self.number, f"reversal of {trace}: {slip.code or 'no answer'}")
            if slip.code in _NOT_UNDONE:
                return False
            self._to_undo.remove(trace)
            original = self._voids.pop(trace, None)
            if original is not None and self._undo(original):
                # Who was to void it, and sees on the slip that it did not come to be, does it again.
                self._is_back.add(original)
        return not self._to_undo
