"""How do bytes pass between a terminal and its acquirer, whatever else happens here?

A TCP port on the shop's host for each terminal, and for nobody else. Bytes are handed to the observer first
and sent on at once, untouched; nothing here waits for it, asks it or depends on it. What ends on one side
ends on the other.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from terminal_agent import system
from terminal_agent.checkout.ports import Clock
from terminal_agent.terminals.exchange import Link
from terminal_agent.terminals.link_serial import open_serial
from terminal_agent.terminals.profile import Line
from terminal_agent.terminals.relay.observer import Log, Observer, Way

MOST_CONNECTIONS = 32
_MOST_NAMED = 64
_MOST_AT_ONCE = 65_536
CONNECT_S = 3.0
_AGAIN_S = 1.0
_A_WHILE_S = 60.0
_KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))

Address = tuple[str, int]
Spawn = Callable[[str, Callable[[], None]], None]


class Ends(NamedTuple):
    """Where the two ends of a line come from: what a terminal calls or is plugged into, its acquirer.

    `open_door` and `dial` are given an address, and raise OSError where it cannot be had; `open_port` is
    given a serial port and how it is set, and raises LinkFault.
    """

    open_door: Callable[[Address], socket.socket]
    dial: Callable[[Address], socket.socket]
    open_port: Callable[[str, Line], Link]


def _open_door(address: Address) -> socket.socket:
    return socket.create_server(address, backlog=MOST_CONNECTIONS)


def _dial(address: Address) -> socket.socket:
    return socket.create_connection(address, CONNECT_S)


ENDS = Ends(_open_door, _dial, open_serial)


class Forwarder:
    """Passes bytes on for one terminal. `run` is its thread; each connection has two more.

    `callers` are the addresses that may call, empty for whoever can.
    """

    def __init__(
        self,
        listen: Address,
        acquirer: Address,
        observer: Observer,
        clock: Clock,
        callers: frozenset[str] = frozenset(),
        ends: Ends = ENDS,
    ) -> None:
        self._listen = listen
        self._acquirer = acquirer
        self._observer = observer
        self._clock = clock
        self._callers = callers
        self._ends = ends
        self._sent_away: set[str] = set()
        self.refused = 0
        self.refused_from = ""
        self._lock = system.new_lock()
        self._connections = 0
        self._count = 0
        self.port: int | None = None
        self.problem = "it is not listening yet"

    def run(self, log: Log) -> None:
        """Listen until the process ends; a port that cannot be had is tried again."""
        while True:
            try:
                with self._ends.open_door(self._listen) as door:
                    self.port, self.problem = door.getsockname()[1], ""
                    log("relay.listening", address=f"{self._listen[0]}:{self.port}")
                    self._welcome(door, log)
            except OSError as wrong:
                self.port = None
                self.problem = f"{self._listen[0]}:{self._listen[1]} cannot be used ({wrong.strerror})"
                log("relay.not_listening", why=self.problem)
            self._clock.sleep(_AGAIN_S)

    def _welcome(self, door: socket.socket, log: Log) -> None:
        while True:
            terminal, address = door.accept()
            if self._callers and address[0] not in self._callers:
                # It breaks no view: whoever knocks at the port would keep the till from knowing "not paid".
                terminal.close()
                self._note_refused(address[0], log)
                continue
            with self._lock:
                self._count += 1
                number = self._count
                fits = self._connections < MOST_CONNECTIONS
                self._connections += fits
            if fits:
                system.spawn(f"relay-{number}", partial(self._serve, terminal, number))
            else:
                self._observer.not_connected()
                terminal.close()

    def _note_refused(self, address: str, log: Log) -> None:
        self.refused, self.refused_from = self.refused + 1, address
        if address not in self._sent_away and len(self._sent_away) < _MOST_NAMED:
            self._sent_away.add(address)
            log("relay.refused", address=address)

    def _serve(self, terminal: socket.socket, number: int) -> None:
        """Carry one connection from its beginning to its end."""
        try:
            try:
                acquirer = self._ends.dial(self._acquirer)
            except OSError:
                # Before it hears of it: from then on it may go another way, unseen.
                self._observer.not_connected()
                terminal.close()
                return
            with terminal, acquirer:
                for one in (terminal, acquirer):
                    set_up(one)
                self._observer.opened(number)
                ended: system.Mailbox[bool] = system.Mailbox()

                def answer() -> None:
                    self._pass_on(acquirer, terminal, number, Way.TO_TERMINAL)
                    ended.put(True)

                system.spawn(f"relay-{number}-back", answer)
                self._pass_on(terminal, acquirer, number, Way.TO_ACQUIRER)
                while ended.take(_A_WHILE_S) is None:
                    continue
        finally:
            self._observer.closed(number)
            with self._lock:
                self._connections -= 1

    def _pass_on(self, source: socket.socket, target: socket.socket, number: int, way: Way) -> None:
        """Pass bytes on until `source` ends; then `target` hears the same end."""
        try:
            while content := source.recv(_MOST_AT_ONCE):
                # The observer first: a request that it has not seen has not passed, and a terminal that hangs
                # up on its answer has hung up after it.
                self._observer.passed(number, way, content)
                target.sendall(content)
            if way is Way.TO_ACQUIRER:
                self._observer.hung_up(number)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            # Broken, not ended: neither side may go on as if the other were there.
            self._observer.hung_up(number)
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def set_up(line: socket.socket) -> None:
    """Have a line send at once, and notice when its other end is dead."""
    line.settimeout(None)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):  # not on every system
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def reaches(address: Address) -> bool:
    """Whether somebody takes a connection there now."""
    try:
        socket.create_connection(address, CONNECT_S).close()
    except OSError:
        return False
    return True
