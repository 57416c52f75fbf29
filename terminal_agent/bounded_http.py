"""How is one HTTP exchange bounded as a whole?

The time-outs of `requests` hold for each read, so a server that drips one byte every few seconds would keep
a shopper waiting for ever. A `BoundedSession` gives every wait on its sockets no more than what is left
of the time, answer's head and body alike, and does not begin to send once it is over. The same holds for what
a proxy says, where one may be used.
"""

import io
import socket
from collections.abc import Callable
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from terminal_agent.checkout.ports import Clock

_LEAST_WAIT_S = 0.001


class Deadline:
    """The time that one exchange has."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_ms = 0

    def start(self, seconds: float) -> None:
        """Let the time run from now."""
        self._until_ms = self._clock.steady_ms() + round(seconds * 1000)

    @property
    def is_over(self) -> bool:
        """Whether there is none left."""
        return self._clock.steady_ms() >= self._until_ms

    def bound(self, sock: socket.socket) -> None:
        """Let the next wait on `sock` last no longer than what is left. Raises TimeoutError."""
        left_s = (self._until_ms - self._clock.steady_ms()) / 1000
        if left_s <= 0:
            raise TimeoutError("the exchange took too long")
        given_s = sock.gettimeout()
        sock.settimeout(max(left_s if given_s is None else min(given_s, left_s), _LEAST_WAIT_S))


HttpNote = Callable[[str, bytes, str], None]
"""Take down a request or an answer: (which, body, what is said beside it). Masks, and never raises."""


class BoundedSession(requests.Session):
    """A session whose exchanges, one at a time, end by their deadline. Uses no proxy and no .netrc by itself.

    A .netrc entry would replace the signature in the Authorization header by a password.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.deadline = Deadline(clock)
        self.note: HttpNote | None = None
        self.trust_env = False
        adapter = _BoundedAdapter(self.deadline)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Know of no redirects: to look where one leads, requests would read the whole body first."""


class _BoundedReader(io.RawIOBase):
    """Reads from a socket within the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._deadline.bound(self._sock)
        return cast(int | None, self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _BoundedSocket:
    """A socket whose sending and reading end by the deadline; in all else the socket itself."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._deadline.bound(self._sock)
            rest = rest[self._sock.send(rest) :]

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_BoundedReader(raw, self._sock, self._deadline))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _BoundedAdapter(HTTPAdapter):
    """Makes bounded connections, to a proxy too."""

    def __init__(self, deadline: Deadline) -> None:
        # No retries: a request for money leaves once.
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = _pools(deadline)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        # Over TLS in TLS, and with SOCKS, one read of ours waits as often as the proxy likes.
        if not proxy.lower().startswith("http://"):
            raise requests.exceptions.InvalidProxyURL("only an http:// proxy can be bounded")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager


def _pools(deadline: Deadline) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            self.sock = _bounded(self.sock, deadline)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            self.sock = _bounded(self.sock, deadline)

        def _new_conn(self) -> socket.socket:
            line = super()._new_conn()
            # Python bounds the handshake that follows by this one wait.
            deadline.bound(line)
            return line

        def _tunnel(self) -> None:
            line = self.sock
            self.sock = _bounded(line, deadline)
            super()._tunnel()
            self.sock = line
            deadline.bound(line)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _bounded(sock: socket.socket | None, deadline: Deadline) -> Any:
    assert sock is not None
    return _BoundedSocket(sock, deadline)
