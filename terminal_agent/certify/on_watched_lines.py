"""How are faults made on a line that passes through us, between a card terminal and its acquirer?

The relay as it ships, with our hands on its two ends: `acquirers_end.py`, and `calling_end.py` or
`handing_end.py`, as its terminal is. What the relay hears and says at both is kept: it must be the same.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from terminal_agent import system
from terminal_agent.certify import our_end, peek
from terminal_agent.certify.acquirers_end import AcquirersEnd
from terminal_agent.certify.calling_end import Door
from terminal_agent.certify.handing_end import HandingEnd
from terminal_agent.certify.our_end import OurEnd, PowerCut
from terminal_agent.certify.side import NotThere, must
from terminal_agent.certify.watched_ends import (
    CABLE_OUT,
    POWER_OFF,
    WATCHER_DIES,
    WATCHER_STUMBLES,
    Passed,
)
from terminal_agent.checkout.ports import Clock
from terminal_agent.checkout.sighting import Sighting
from terminal_agent.terminals.exchange import Link
from terminal_agent.terminals.profile import Line
from terminal_agent.terminals.relay.forward import ENDS, Address, Ends
from terminal_agent.terminals.relay.observer import Way
from terminal_agent.terminals.relay.payment import WatchedTerminal
from terminal_agent.terminals.relay.seen import Seen
from terminal_agent.terminals.relay.terminal import RelayTerminal

_KINDS = frozenset({"sale", "void", "refund", "reversal"})
_ANY_FRAME = b"\x00\x0f\x60" + bytes(14)
_ENDS_WITHIN_S = 5.0
_LISTENS_WITHIN_S = 3.0
_SETTLES_WITHIN_S = 3.0
_LOOK_AGAIN_S = 0.01


class LineInOurHands:
    """One terminal's line, over all that happens to the agent that passes it on.

    `sightings` is what was seen unasked since the scenario began.
    """

    def __init__(self, number: str, terminal: RelayTerminal) -> None:
        self._number = number
        self._terminal = terminal
        self._relay: _Relay | None = None
        self._passed: list[Passed] = []
        self.sightings: list[Sighting] = []

    def begin(self) -> None:
        """Forget what was seen in the scenario before."""
        self.sightings = []
        self._passed = []

    def open(self, clock: Clock, end: OurEnd) -> WatchedTerminal:
        """Start the relay as a new process has it; what ran before is dead. Raises NotThere."""
        self.close()
        self._relay = _Relay(self._number, self._terminal, clock, end, self.tell, self._passed)
        payment = self._relay.payment
        until_ms = clock.steady_ms() + round(_LISTENS_WITHIN_S * 1000)
        while problem := payment.state()["problem"]:
            if clock.steady_ms() > until_ms:
                raise NotThere(str(problem))
            clock.sleep(_LOOK_AGAIN_S)
        return payment

    def close(self) -> None:
        """Give the terminal's port back."""
        if self._relay is not None:
            self._relay.die()
            self._relay.wait_for_its_end()
        self._relay = None

    def trouble(self, what: str) -> None:
        """Let the power fail, the cable be out, or whoever watches fail at the next frame."""
        assert self._relay is not None
        if what == POWER_OFF:
            self._relay.die()
        elif what == CABLE_OUT:
            self._relay.handing.is_out = True
        else:
            self._relay.watcher_fault = what

    def must_be_untouched(self, clock: Clock) -> None:
        """Raise Broken unless all that came in at one end has gone out at the other, the same."""
        until_ms = clock.steady_ms() + round(_SETTLES_WITHIN_S * 1000)
        while not (same := self._is_the_same()) and clock.steady_ms() < until_ms:
            clock.sleep(_LOOK_AGAIN_S)
        must(same, "the bytes pass untouched", "other bytes went out than had come in")

    def _is_the_same(self) -> bool:
        by_terminals = sorted((bytes(one.came), bytes(one.went)) for one in self._passed if one.is_terminals)
        hands_over = self._terminal.listen is None
        by_hosts = [
            (bytes(one.went), _one_frame(one.came) if hands_over else bytes(one.came))
            for one in self._passed
            if not one.is_terminals
        ]
        nothing = (b"", b"")  # a connection that the terminal did not get, or did not use
        return [one for one in by_terminals if one != nothing] == sorted(
            one for one in by_hosts if one != nothing
        )

    def tell(self, sighting: Sighting) -> None:
        """Take what was seen unasked."""
        self.sightings.append(sighting)


class _Relay:
    """The relay in one run of the agent."""

    def __init__(
        self,
        number: str,
        terminal: RelayTerminal,
        clock: Clock,
        end: OurEnd,
        tell: Callable[[Sighting], None],
        passed: list[Passed],
    ) -> None:
        self.end = end
        self.clock = clock
        self.look = peek.at_host(terminal.profile.dialect)
        self._new_ear = partial(peek.ear_of_host, terminal.profile.dialect)
        self._understand = terminal.reader().understand
        self._tell = tell
        self._passed = passed
        self._open: list[socket.socket] = []
        self._ended: system.Mailbox[bool] = system.Mailbox()
        self.is_dead = False
        self.is_unplugged = False
        self.answered: system.Mailbox[bool] = system.Mailbox()
        self.watcher_fault = ""
        self.handing = HandingEnd(self, partial(self._new_passed, is_terminals=True))
        self._observer = terminal.observer(self._see, clock)
        ends = Ends(self._open_door, self._dial, self._open_port)
        self.payment = terminal.payment_over(self._observer, clock, ends)
        for name, work in self.payment.workers(number, self._told, _say_nothing).items():
            system.spawn(name, partial(self._run, work))

    def die(self) -> None:
        """End as a process does whose power fails: every line is gone at once."""
        if self.is_dead:
            return
        self.is_dead = True
        for one in list(self._open):
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        self._observer.opened(0)
        self._observer.passed(0, Way.TO_ACQUIRER, _ANY_FRAME)  # at which it dies

    def wait_for_its_end(self) -> None:
        """Return once nothing of it runs any more."""
        for _ in ("who watches", "who passes on"):
            if self._ended.take(_ENDS_WITHIN_S) is None:
                raise NotThere("the terminal's port is not given back")

    def _run(self, work: Callable[[], None]) -> None:
        with suppress(PowerCut):
            work()
        self._ended.put(True)

    def _see(self, frame: bytes) -> Seen | None:
        if self.is_dead:
            raise PowerCut
        fault, self.watcher_fault = self.watcher_fault, ""
        if fault == WATCHER_DIES:
            raise PowerCut
        if fault == WATCHER_STUMBLES:
            raise ValueError
        return self._understand(frame)

    def _told(self, sighting: Sighting) -> None:
        if not self.is_dead:
            self._tell(sighting)

    def _open_door(self, address: Address) -> socket.socket:
        if self.is_dead:
            raise PowerCut
        door = Door(self, ENDS.open_door(address))
        self._open.append(door)
        return door

    def _dial(self, address: Address) -> socket.socket:
        if self.is_dead or self.end.strike(_KINDS, frozenset({our_end.NO_LINE})):
            raise ConnectionRefusedError
        line = AcquirersEnd(self, ENDS.dial(address), self._new_ear())
        self.handing.note_carried()
        return line

    def _open_port(self, port: str, line: Line) -> Link:
        if self.is_dead:
            raise PowerCut
        return self.handing.in_our_hands(ENDS.open_port(port, line))

    def keep(self, one: socket.socket, *, is_terminals: bool) -> Passed:
        """Take note of an end that is open, and return where to keep what passes at it."""
        self._open.append(one)
        return self._new_passed(is_terminals=is_terminals)

    def _new_passed(self, *, is_terminals: bool) -> Passed:
        passed = Passed(is_terminals=is_terminals)
        self._passed.append(passed)
        return passed


def _one_frame(came: bytearray) -> bytes:
    """Return the first frame of what an acquirer has said, nothing while it is not whole."""
    end = int.from_bytes(came[:2]) + 2
    return bytes(came[:end]) if len(came) >= max(end, 3) else b""


def _say_nothing(_event: str, **_told: object) -> None:
    return
