"""How does an emulated terminal listen on the network, and how is its cable pulled?

Any number of connections; each is told apart by a number, and what is sent to one that is gone is lost. With
a certificate it speaks TLS, and in clear with nobody.
"""

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MOST_AT_ONCE = 65_536
_HANDSHAKE_S = 2.0


class TcpLink:
    """A listening address on this host and the connections made to it."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._port = port
        self._tls = tls
        self._poll = select.epoll()
        self._listening: socket.socket | None = None
        self._open: dict[int, socket.socket] = {}
        self._numbers: dict[int, int] = {}
        self._count = 0

    @property
    def is_plugged_in(self) -> bool:
        """Whether anybody can connect."""
        return self._listening is not None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._port}"

    def fileno(self) -> int:
        """Return what to wait on."""
        return self._poll.fileno()

    def plug_in(self) -> None:
        """Listen, at the same port as before."""
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._listening = listening
        self._poll.register(listening, select.EPOLLIN)

    def unplug(self) -> None:
        """Close everything at once, as a cable does that is pulled."""
        if self._listening is None:
            return
        self._poll.unregister(self._listening)
        self._listening.close()
        self._listening = None
        for number in list(self._open):
            self.hang_up(number)

    def hang_up(self, number: int) -> None:
        """Close one connection."""
        connection = self._open.pop(number, None)
        if connection is not None:
            self._numbers.pop(connection.fileno())
            self._poll.unregister(connection)
            connection.close()

    def read(self) -> list[tuple[int, bytes]]:
        """Return (connection, bytes) of what has arrived; no bytes: the other side is gone."""
        found = []
        for fd, _ in self._poll.poll(0):
            if self._listening is not None and fd == self._listening.fileno():
                self._accept(self._listening)
                continue
            number = self._numbers[fd]
            received = b""
            with suppress(OSError):
                received = self._open[number].recv(_MOST_AT_ONCE)
            if not received:
                self.hang_up(number)
            found.append((number, received))
        return found

    def write(self, number: int, data: bytes) -> None:
        """Send, when somebody is still there."""
        connection = self._open.get(number)
        if connection is not None:
            with suppress(OSError):
                connection.sendall(data)

    def close(self) -> None:
        """Give everything back."""
        self.unplug()
        self._poll.close()

    def _accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        if self._tls is not None:
            connection.settimeout(_HANDSHAKE_S)
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count += 1
        self._open[self._count] = connection
        self._numbers[connection.fileno()] = self._count
        self._poll.register(connection, select.EPOLLIN)


def tls_of(certificate: Path | None, clients: Path | None) -> ssl.SSLContext | None:
    """Return how a terminal speaks TLS, None without a certificate. Raises OSError, which names the file.

    `certificate` is a file with it and its key; `clients` has who vouches for those that may call.
    """
    if certificate is None:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _named(certificate):
        tls.load_cert_chain(certificate)
    if clients is not None:
        tls.verify_mode = ssl.CERT_REQUIRED
        with _named(clients):
            tls.load_verify_locations(clients)
    return tls


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Say which file it is that cannot be read: OpenSSL does not."""
    try:
        yield
    except OSError as wrong:
        raise OSError(f"{file} cannot be read as PEM ({wrong.strerror})") from None
