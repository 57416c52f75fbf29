"""How is a terminal on the network connected, read and written, and what happens when it goes away?

A connection is made for each call and closed after it. Bytes handed to the kernel may have arrived however
the connection ends: whoever sent them asks what became of them, and never sends them again.
"""

import socket

from terminal_agent.terminals.exchange import LinkFault
from terminal_agent.terminals.tls import Tls, TlsFault, refusal_in

_WRITE_WAIT_S = 5.0
_MOST_AT_ONCE = 65_536
# Dead lines are noticed within half a minute: 15 s of silence, then three questions 5 s apart.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class TcpLink:
    """An open connection. Fits `exchange.Link`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        try:
            self._connection.settimeout(_WRITE_WAIT_S)
            self._connection.sendall(data)
        except OSError as wrong:
            raise _lost(wrong) from None

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s`; empty if nothing came."""
        try:
            self._connection.settimeout(max(wait_s, 0.001))
            received = self._connection.recv(_MOST_AT_ONCE)
        except TimeoutError:
            return b""
        except OSError as wrong:
            raise _lost(wrong) from None
        if not received:
            raise _lost()
        return received

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def open_tcp(host: str, port: int, connect_s: float, tls: Tls | None = None) -> TcpLink:
    """Connect to the terminal, in clear without `tls`. Raises LinkFault, and nothing of ours has left."""
    try:
        connection = socket.create_connection((host, port), timeout=connect_s)
    except OSError:
        raise LinkFault(
            f"The terminal at {host}:{port} does not answer. Check its power, network and address"
        ) from None
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        return TcpLink(connection if tls is None else tls.over(connection))
    except TlsFault as fault:
        connection.close()
        raise LinkFault(f"The terminal at {host}:{port} {fault}") from None
    except OSError as wrong:
        connection.close()
        raise _lost(wrong) from None


def _lost(wrong: OSError | None = None) -> LinkFault:
    refusal = None if wrong is None else refusal_in(wrong)
    if refusal is not None:
        return LinkFault(f"The terminal {refusal}")
    return LinkFault(
        "The connection to the terminal was lost. Check its power and network, that it speaks TLS where the "
        "profile does, and only there, and that it knows our `certificate`, where it wants one"
    )
