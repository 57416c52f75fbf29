"""How does a message get to an acquirer's host and its answer back, over TCP or TLS?

One connection for each message: a line that was dropped while nobody used it can then not take a message with
it. The only file of the direct driver that knows sockets.
"""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import msgspec

from terminal_agent.terminals.tls import Tls, TlsFault, refusal_in

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_MOST_BYTES = 65_536
_HUNG_UP = "The host hung up. Check the network, and that it knows our `certificate`, where it wants one"


class NoLine(Exception):
    """No line to the host could be opened, or it was closed before anything was sent: nothing has left."""


class LineLost(Exception):
    """The line broke after something may have been sent."""


class Connection(Protocol):
    """An open line to the host, for one message."""

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises NoLine when the line was dead before, LineLost when it broke."""

    def receive(self, wait_s: float) -> bytes:
        """Return what has arrived, empty when nothing came within `wait_s`. Raises LineLost."""

    def close(self) -> None:
        """Give the line back. Never fails."""


Dial = Callable[[], Connection]
"""Open a line to the host. Raises NoLine."""


class LineProfile(msgspec.Struct, frozen=True):
    """How the host is reached. Without `tls` in clear, which only a private line may be."""

    connect_s: float
    tls: Tls | None


class TcpConnection:
    """Fits `Connection`."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def send(self, data: bytes) -> None:
        """Send all of `data`, if the other end is still there."""
        if not isinstance(self._line, ssl.SSLSocket) and _is_dropped(self._line):
            raise NoLine("The host dropped the line before anything was sent")
        try:
            self._line.sendall(data)
        except (OSError, ValueError):
            # Some of it may have arrived: what the kernel took is on its way.
            raise LineLost(_HUNG_UP) from None

    def receive(self, wait_s: float) -> bytes:
        """Return what has arrived."""
        self._line.settimeout(max(wait_s, 0.001))
        try:
            received = self._line.recv(_MOST_BYTES)
        except TimeoutError:
            return b""
        except OSError as wrong:
            refusal = refusal_in(wrong)
            raise LineLost(_HUNG_UP if refusal is None else f"The host {refusal}") from None
        except ValueError:
            raise LineLost(_HUNG_UP) from None
        if not received:
            raise LineLost(_HUNG_UP)
        return received

    def close(self) -> None:
        """Give the line back."""
        self._line.close()


def dial(address: tuple[str, int], profile: LineProfile) -> TcpConnection:
    """Open a line to the host at `address`. Raises NoLine."""
    try:
        line = socket.create_connection(address, timeout=profile.connect_s)
    except OSError as wrong:
        raise NoLine(
            f"The host does not answer ({wrong.strerror or 'time-out'}). Check network and address"
        ) from None
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            line.setsockopt(socket.IPPROTO_TCP, option, value)
        return TcpConnection(line if profile.tls is None else profile.tls.over(line))
    except TlsFault as fault:
        line.close()
        raise NoLine(f"The host {fault}") from None
    except OSError:
        line.close()
        raise NoLine(_HUNG_UP) from None


def _is_dropped(line: socket.socket) -> bool:
    """Whether the other end has closed the line, or spoken without being asked. Takes nothing off it."""
    ready, _, _ = select.select([line], [], [], 0)
    return bool(ready)
