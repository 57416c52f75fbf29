"""What is a TCP connection in a world?

Stands for the modules `socket` and `select`, as far as the drivers, the relay, a MIS client's child and the
emulators use them. Bytes arrive in order, a little later. What a process had open is closed when it dies;
what it had sent before arrives all the same.
"""

import socket as real
from collections import deque
from collections.abc import Callable, Iterable

from sim.scheduler import Process
from sim.threads import Here, threading, time

Address = tuple[str, int]

_ON_WAY_S = 0.02
_NOTICED_S = 30.0  # a line that is silent, not ended, is noticed by its keep-alive
_CONNECT_S = 3.0


class TcpHere:
    """Who listens in the world that runs now, and which addresses nobody reaches at present."""

    doors: dict[Address, "Door"]
    away: set[Address]


class End:
    """One end of a connection. `hears` is told of what arrives where no task reads: no bytes, it is over."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.peer: End
        self.hears: Callable[[bytes], None] | None = None
        self._timeout_s: float | None = None
        self._received = bytearray()
        self._on_way: deque[bytes] = deque()
        self.is_broken = False
        self._is_over = self._is_closed = self._has_ended = False
        self._told = threading.Condition()
        process.when_dead.append(self.close)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout_s = seconds

    def setsockopt(self, *_: object) -> None:
        return

    def recv(self, most: int) -> bytes:
        """Return what has arrived; empty when the other side has ended. Raises OSError."""
        Here.scheduler.check_alive()
        until = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        while not self.is_ready:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            with self._told:
                self._told.wait(left)
        if self.is_broken or self._is_closed:
            raise ConnectionResetError
        found = bytes(self._received[:most])
        del self._received[:most]
        Here.at_port("what has come over TCP")
        return found

    def sendall(self, data: bytes) -> None:
        """Hand bytes to the line. Raises OSError."""
        Here.scheduler.check_alive()
        if self.is_broken or self._is_closed or self._has_ended:
            raise BrokenPipeError
        Here.at_port("a write over TCP")
        self._send(data)
        Here.at_port("what is written over TCP")

    def shutdown(self, how: int) -> None:
        if self._is_closed or self.is_broken:
            raise OSError("not connected")
        if how == real.SHUT_RDWR:
            self._is_over = True
            self._tell()
        self._end()

    def close(self) -> None:
        """End both ways. What arrives now is lost, and who sends it is told."""
        if not self._is_closed:
            self._end()
            self._is_closed = True
            self._tell()
            if self.close in self.process.when_dead:
                self.process.when_dead.remove(self.close)

    def pull(self) -> None:
        """Have the cable pulled at this end: the other one notices later."""
        if not self._is_closed:
            self.is_broken = True
            self._tell()
            Here.scheduler.step(self.process, "is noticed", self.peer.reset, _NOTICED_S)

    def reset(self) -> None:
        """Break the connection here, at once."""
        if not self.is_broken:
            self.is_broken = True
            self._tell()

    def __enter__(self) -> "End":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_ready(self) -> bool:
        """Whether `recv` would return at once."""
        return bool(self._received) or self._is_over or self.is_broken or self._is_closed

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._send(b"")

    def _send(self, data: bytes) -> None:
        self.peer._on_way.append(data)
        Here.scheduler.step(self.process, "arrives", self.peer._arrive, _ON_WAY_S)

    def _arrive(self) -> None:
        data = self._on_way.popleft()
        if self.is_broken:
            return
        if self._is_closed:
            if data:
                self.peer.reset()
            return
        if self.hears is not None:
            self.hears(data)
            return
        self._received += data
        self._is_over |= not data
        self._tell()

    def _tell(self) -> None:
        self._told.notify_all()


class Door:
    """A listening address. `welcome` is told of each connection; without it they wait for `accept`."""

    def __init__(
        self, address: Address, process: Process, welcome: Callable[[End], None] | None = None
    ) -> None:
        if address in TcpHere.doors:
            raise OSError(98, "Address already in use")
        self.address = address
        self.process = process
        self.welcome = welcome
        self._waiting: deque[End] = deque()
        self._told = threading.Condition()
        TcpHere.doors[address] = self
        process.when_dead.append(self.close)

    def accept(self) -> tuple[End, Address]:
        """Return the next connection."""
        Here.scheduler.check_alive()
        while not self._waiting:
            with self._told:
                self._told.wait()
        return self._waiting.popleft(), self.address

    def let_in(self, end: End) -> None:
        """Take a connection."""
        if self.welcome is not None:
            self.welcome(end)
            return
        self._waiting.append(end)
        self._told.notify_all()

    def getsockname(self) -> Address:
        return self.address

    def close(self) -> None:
        if TcpHere.doors.get(self.address) is self:
            del TcpHere.doors[self.address]

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class socket:
    """Stands for the module of this name."""

    IPPROTO_TCP, TCP_NODELAY = real.IPPROTO_TCP, real.TCP_NODELAY
    SOL_SOCKET, SO_KEEPALIVE = real.SOL_SOCKET, real.SO_KEEPALIVE
    SHUT_WR, SHUT_RDWR = real.SHUT_WR, real.SHUT_RDWR

    @staticmethod
    def create_connection(address: Address, timeout: float = _CONNECT_S) -> End:
        task = Here.scheduler.current
        assert task is not None
        Here.at_port("a connection")
        away = address in TcpHere.away
        Here.scheduler.sleep(timeout if away else _ON_WAY_S)
        door = TcpHere.doors.get(address)
        if away or address in TcpHere.away:
            raise TimeoutError("timed out")
        if door is None:
            raise ConnectionRefusedError(111, "Connection refused")
        near, far = End(task.process), End(door.process)
        near.peer, far.peer = far, near
        door.let_in(far)
        return near

    @staticmethod
    def create_server(address: Address, backlog: int = 0) -> Door:
        task = Here.scheduler.current
        assert task is not None
        Here.at_port("an address to listen at")
        return Door(address, task.process)


class select:
    """Stands for the module of this name."""

    @staticmethod
    def select(
        reading: Iterable[End], _writing: object, _wrong: object, _wait_s: float
    ) -> tuple[list[End], list[End], list[End]]:
        return [end for end in reading if end.is_ready], [], []
