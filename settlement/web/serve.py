"""How is the centre served, so that a slow or endless request cannot tie it up?

uvicorn has no deadline for a request's header or body and no limit of a header's size: this adds
them (10 s each, 64 KiB), and a limit of connections, by closing the connection. It leans on
uvicorn's inside, so its version is pinned.
"""

import asyncio
import signal
import socket
from asyncio.events import TimerHandle
from types import FrameType
from typing import Any, Protocol, cast

import uvicorn
from litestar.types import Receive, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from settlement.config import AddressTaken, Listen
from settlement.system import keep_what_is_loaded, share_python_fairly
from subsidy.problem import MEDIA_TYPE, of_http_status

DEADLINE_S = 10
MOST_HEADER_BYTES = 64 << 10
# Each may hold a body of 1 MiB while it is read.
MOST_CONNECTIONS = 1000
_GRACE_S = 10
_BACKLOG = 1024


class Served(Protocol):
    """An application that can refuse before the framework, or even a task, is at work."""

    def refuse_at_once(self, method: bytes, path: bytes) -> bytes | None:
        """Return the whole answer to a request that need not be looked at, or None."""

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request."""


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP with deadlines for header and body."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._deadline: TimerHandle | None = None
        self._header_bytes: int | None = 0
        # As it was given, not as uvicorn wraps it.
        self._served = cast(Served, self.config.app)
        self._refusal: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time; one connection too many is closed at once."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > MOST_CONNECTIONS:
            self._too_late()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; what comes between two requests must become one in time."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._arm()
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes is not None and self._header_bytes > MOST_HEADER_BYTES:
            self._too_late()

    def on_message_begin(self) -> None:
        """Give the header its time, also when it came in one piece with the request before."""
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Give the body its time."""
        self._header_bytes = None
        self._arm()
        if self._may_be_refused():
            self._refusal = self._served.refuse_at_once(self.parser.get_method(), self.url)
        if self._refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; that of a refused request is let go."""
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._header_bytes = 0
        self._disarm()
        if self._refusal is None:
            super().on_message_complete()
            return
        self.transport.write(self._refusal)
        self._refusal = None
        if self.parser.should_keep_alive():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            self.transport.close()

    def _may_be_refused(self) -> bool:
        """Whether an answer may go out now: none is under way, and the caller reads what it is told."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and not self.flow.write_paused and not self.expect_100_continue

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP as every other error is answered."""
        problem = of_http_status(400)
        content = problem.content()
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(DEADLINE_S, self._too_late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


def bind(listen: Listen) -> socket.socket:
    """Return a listening socket. Raises AddressTaken."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listen.host, listen.port))
        bound.listen(_BACKLOG)
    except OSError as wrong:
        bound.close()
        raise AddressTaken(
            f"cannot listen on {listen} ({wrong.strerror}). Stop what listens there, or change `listen`"
        ) from None
    return bound


def server(app: Served) -> uvicorn.Server:
    """Return a server of `app`, not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def run_until_stopped(app: Served, bound: socket.socket) -> None:
    """Serve on `bound` until SIGTERM or SIGINT; requests under way are answered first."""
    share_python_fairly()
    keep_what_is_loaded()
    running = server(app)

    def stop(_number: int, _frame: FrameType | None) -> None:
        running.should_exit = True

    # uvicorn raises the signal again when it is done; then this, not the default, takes it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    running.run(sockets=[bound])
