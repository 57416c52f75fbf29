"""How are faults made on a line that passes through us, between a card terminal and its acquirer?

The relay as it ships, with our hands on its two ends: the port that the terminal calls and the connection to
the acquirer. What the relay hears and says at both is kept, for it must be the same.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from terminal_agent import system
from terminal_agent.certify import our_end, peek
from terminal_agent.certify.on_lines import DisturbedLine
from terminal_agent.certify.our_end import OurEnd, PowerCut
from terminal_agent.certify.side import NotThere, must
from terminal_agent.checkout.ports import Clock
from terminal_agent.checkout.sighting import Sighting
from terminal_agent.terminals.relay.cut_frames import LARGEST
from terminal_agent.terminals.relay.forward import SOCKETS, Address, Ends
from terminal_agent.terminals.relay.observer import Way
from terminal_agent.terminals.relay.payment import WatchedTerminal
from terminal_agent.terminals.relay.seen import Seen
from terminal_agent.terminals.relay.terminal import RelayTerminal

WATCHER_DIES, WATCHER_STUMBLES, POWER_OFF = "watcher_dies", "watcher_stumbles", "power_off"
AT_THE_TERMINAL = frozenset(
    {
        our_end.LOST_TO_US,
        our_end.TORN_TO_US,
        our_end.DOUBLED_TO_US,
        our_end.NOISE_TO_US,
        our_end.ENCRYPTED_TO_US,
        our_end.HELD_REQUEST,
        our_end.HELD_AND_TORN,
        our_end.LOST_TO_TERMINAL,
        our_end.TORN_TO_TERMINAL,
        our_end.UNPLUG,
    }
)
AT_THE_ACQUIRER = frozenset({our_end.LATE_ANSWER, our_end.HELD_ANSWER, our_end.TORN_REQUEST})
OF_THE_AGENT = frozenset({WATCHER_DIES, WATCHER_STUMBLES, POWER_OFF})

_KINDS = frozenset({"sale", "void", "refund", "reversal"})
_GARBAGE = b"\x00\x7e\x41"
_TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
_ANY_FRAME = b"\x00\x0f\x60" + bytes(14)
_MOST_LATE_S = 120.0
_MOST_AT_ONCE = 65_536
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
        self._passed: list[_Passed] = []
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
        """Let the power fail, or whoever watches fail at the next frame."""
        assert self._relay is not None
        if what == POWER_OFF:
            self._relay.die()
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
        by_hosts = [(bytes(one.went), bytes(one.came)) for one in self._passed if not one.is_terminals]
        nothing = (b"", b"")  # a connection that the terminal did not get, or did not use
        return [one for one in by_terminals if one != nothing] == sorted(
            one for one in by_hosts if one != nothing
        )

    def tell(self, sighting: Sighting) -> None:
        """Take what was seen unasked."""
        self.sightings.append(sighting)


class _Passed:
    """What the relay has heard and said at one end of one connection."""

    def __init__(self, *, is_terminals: bool) -> None:
        self.is_terminals = is_terminals
        self.came = bytearray()
        self.went = bytearray()


class _Relay:
    """The relay in one run of the agent."""

    def __init__(
        self,
        number: str,
        terminal: RelayTerminal,
        clock: Clock,
        end: OurEnd,
        tell: Callable[[Sighting], None],
        passed: list[_Passed],
    ) -> None:
        self.end = end
        self.look = peek.at_host(terminal.profile.dialect)
        self._new_ear = partial(peek.ear_of_host, terminal.profile.dialect)
        self._understand = terminal.reader().understand
        self._tell = tell
        self._passed = passed
        self._open: list[socket.socket] = []
        self._ended: system.Mailbox[bool] = system.Mailbox()
        self.is_dead = False
        self.is_unplugged = False
        """Whether the terminal is gone whose request comes next to the acquirer."""
        self.watcher_fault = ""
        self._observer = terminal.observer(self._see, clock)
        ends = Ends(self._open_door, self._dial)
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
        door = _Door(self, SOCKETS.open_door(address))
        self._open.append(door)
        return door

    def _dial(self, address: Address) -> socket.socket:
        if self.is_dead or self.end.strike(_KINDS, frozenset({our_end.NO_LINE})):
            raise ConnectionRefusedError
        return _AcquirersEnd(self, SOCKETS.dial(address), self._new_ear())

    def keep(self, one: socket.socket, *, is_terminals: bool) -> _Passed:
        """Take note of an end that is open, and return where to keep what passes at it."""
        self._open.append(one)
        passed = _Passed(is_terminals=is_terminals)
        self._passed.append(passed)
        return passed


class _Door(socket.socket):
    """The port that the terminal calls."""

    def __init__(self, relay: _Relay, door: socket.socket) -> None:
        super().__init__(fileno=door.detach())
        self._relay = relay

    def accept(self) -> tuple[socket.socket, Address]:
        try:
            line, address = super().accept()
        except OSError:
            if self._relay.is_dead:
                raise PowerCut from None
            raise
        if self._relay.is_dead:
            line.close()
            raise PowerCut
        return _TerminalsEnd(self._relay, line), address


class _TerminalsEnd(socket.socket):
    """A connection that the terminal has made."""

    def __init__(self, relay: _Relay, line: socket.socket) -> None:
        super().__init__(fileno=line.detach())
        self._relay = relay
        self._passed = relay.keep(self, is_terminals=True)
        self._fault = ""
        self._then: Callable[[], bytes] | None = None

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """Return what comes from the terminal."""
        then, self._then = self._then, None
        came = then() if then is not None else self._disturbed(self._frame())
        self._passed.came += came
        return came

    def sendall(self, data: bytes) -> None:  # type: ignore[override]  # the relay sends bytes
        """Send what goes to the terminal."""
        self._passed.went += data
        fault, self._fault = self._fault, ""
        if fault == our_end.TORN_TO_TERMINAL:
            super().sendall(data[: len(data) // 2])
        if fault in (our_end.LOST_TO_TERMINAL, our_end.TORN_TO_TERMINAL):
            self._break()
        try:
            self._relay.end.send(data, super().sendall, self._relay.die)
        except PowerCut:
            raise ConnectionResetError from None

    def _frame(self) -> bytes:
        """Return a whole frame, or what has come when it is none."""
        came = super().recv(_MOST_AT_ONCE)
        while came and _is_begun(came) and (more := super().recv(_MOST_AT_ONCE)):
            came += more
        return came

    def _disturbed(self, frame: bytes) -> bytes:
        half = len(frame) // 2
        fault = self._relay.end.strike(self._relay.look(frame), AT_THE_TERMINAL)
        match fault:
            case our_end.LOST_TO_US:
                self._break()
            case our_end.TORN_TO_US:
                self._then = self._break
                return frame[:half]
            case our_end.HELD_REQUEST:
                self._then = partial(self._hold, lambda: frame[half:])
                return frame[:half]
            case our_end.HELD_AND_TORN:
                self._then = partial(self._hold, self._break)
                return frame[:half]
            case our_end.UNPLUG:
                self._relay.is_unplugged = True
                self._then = self._break
            case our_end.DOUBLED_TO_US:
                return frame * 2
            case our_end.NOISE_TO_US:
                return _GARBAGE + frame
            case our_end.ENCRYPTED_TO_US:
                return _TLS_HELLO
            case _:
                self._fault = fault
        return frame

    def _hold(self, then: Callable[[], bytes]) -> bytes:
        self._relay.end.hold()
        return then()

    def _break(self) -> bytes:
        with suppress(OSError):
            socket.socket.shutdown(self, socket.SHUT_RDWR)
        raise ConnectionResetError


class _AcquirersEnd(socket.socket):
    """A connection to the acquirer."""

    def __init__(self, relay: _Relay, line: socket.socket, ear: Callable[[bytes], bool]) -> None:
        super().__init__(fileno=line.detach())
        self._relay = relay
        self._passed = relay.keep(self, is_terminals=False)
        self._line = DisturbedLine(_Raw(self, relay.die), relay.end, relay.look, ear, ConnectionResetError)
        self._fault = ""
        self._hung_up: system.Mailbox[bool] = system.Mailbox()

    def sendall(self, data: bytes) -> None:  # type: ignore[override]  # the relay sends bytes
        """Send what goes to the acquirer."""
        self._passed.went += data
        self._fault = self._relay.end.strike(self._relay.look(data), AT_THE_ACQUIRER)
        if self._relay.is_unplugged:
            self._relay.is_unplugged, self._fault = False, our_end.UNPLUG
        if self._fault == our_end.TORN_REQUEST:
            super().sendall(data[: len(data) // 2])
            raise ConnectionResetError
        try:
            self._line.write(data)
        except PowerCut:
            raise ConnectionResetError from None

    def recv(self, _size: int, _flags: int = 0) -> bytes:
        """Return what comes from the acquirer."""
        came = self._line.read(0)
        if came and self._fault in (our_end.LATE_ANSWER, our_end.UNPLUG):
            self._hung_up.take(_MOST_LATE_S)
            if self._fault == our_end.UNPLUG:
                came = b""  # an answer may be ahead of a break or behind it: here it is behind
        elif came and self._fault == our_end.HELD_ANSWER:
            self._relay.end.hold()
        self._passed.came += came
        return came

    def shutdown(self, how: int) -> None:
        """End our half: the terminal has hung up."""
        self._hung_up.put(True)
        super().shutdown(how)


class _Raw:
    """The same connection without our hands on it. Fits `on_lines.Line`; closed when the power fails."""

    def __init__(self, line: socket.socket, power_fails: Callable[[], None]) -> None:
        self._line = line
        self.close = power_fails

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        socket.socket.sendall(self._line, data)

    def read(self, wait_s: float) -> bytes:
        """Return what has come, once something has: the relay waits for as long as the line is there."""
        return socket.socket.recv(self._line, _MOST_AT_ONCE)


def _is_begun(came: bytes) -> bool:
    """Whether these bytes are the beginning of a frame, and not the whole of it."""
    if len(came) < 2:
        return True
    length = int.from_bytes(came[:2])
    return length <= LARGEST and len(came) < length + 2


def _say_nothing(_event: str, **_told: object) -> None:
    return
