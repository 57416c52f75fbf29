"""The line between shop and centre, in a test's hands: whole messages pass, or what the test wants happens.

    proxy.next("holds", lambda exchange: (exchange.pass_on(), kill(), exchange.hang_up()))

One request per connection, as the agent sends them. A behaviour runs in the connection's own thread;
without one, the message passes.
"""

import base64
import json
import re
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_PATHS = {
    "/v1/enrolments": "enrolments",
    "/v1/facts": "facts",
    "/v1/heard": "heard",
    "/v1/packs": "packs",
    "/v1/holds": "holds",
    "/v1/records": "records",
    "/v1/returns": "returns",
}


class Exchange:
    """One message of the agent's and its answer, as bytes."""

    def __init__(self, near: socket.socket, far_port: int, request: bytes, closing: threading.Event) -> None:
        self._near = near
        self._far_port = far_port
        self._closing = closing
        self.request = request
        self.kind = _kind_of(request)

    def pass_on(self) -> bytes:
        """Give the centre the request and return its whole answer, which the agent has not got yet."""
        with socket.create_connection(("127.0.0.1", self._far_port), timeout=60) as far:
            far.sendall(self.request)
            return _read_message(far)

    def answer(self, content: bytes) -> None:
        """Give the agent these bytes."""
        self._near.sendall(content)

    def wait_until_read(self, for_s: float = 10) -> None:
        """Wait until the agent has read its answer and closed the line."""
        self._near.settimeout(for_s)
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_WR)
            while self._near.recv(4096):
                pass

    def hang_up(self) -> None:
        """Close the line."""
        self._near.close()

    def wait(self, for_s: float = 600) -> bool:
        """Do nothing until the proxy is cleared; whether that came to be."""
        return self._closing.wait(for_s)


Behaviour = Callable[[Exchange], object]


def kinds_in(exchange: Exchange) -> set[str]:
    """Return the kinds of the entries in an upload, as in {"paid", "returned"}."""
    sealed = json.loads(exchange.request.partition(b"\r\n\r\n")[2])
    entries = json.loads(base64.b64decode(sealed["payload"]))["entries"]
    return {json.loads(base64.b64decode(one["body"]))["kind"] for one in entries}


def passing(exchange: Exchange) -> None:
    """Let the message through."""
    exchange.answer(exchange.pass_on())


def cut(exchange: Exchange) -> None:
    """Close the line at once: the centre hears nothing."""
    exchange.hang_up()


def lose_answer(exchange: Exchange) -> None:
    """Let the centre hear it, and lose what it says."""
    exchange.pass_on()
    exchange.hang_up()


def silent(exchange: Exchange) -> None:
    """Take the request and never answer."""
    exchange.wait()


def drip(exchange: Exchange) -> None:
    """Answer, a byte a second."""
    for byte in exchange.pass_on():
        exchange.answer(bytes((byte,)))
        if exchange.wait(1):
            return


def drip_body(exchange: Exchange) -> None:
    """Answer with the head at once and the body a byte a second."""
    head, gap, body = exchange.pass_on().partition(b"\r\n\r\n")
    exchange.answer(head + gap)
    for byte in body:
        exchange.answer(bytes((byte,)))
        if exchange.wait(1):
            return


def saying(body: bytes, content_type: str = "application/json") -> Behaviour:
    """Answer 200 with `body` to whatever is asked, as a captive portal does."""

    def say(exchange: Exchange) -> None:
        exchange.answer(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"
            % (content_type.encode(), len(body), body)
        )

    return say


def changing(change: Callable[[bytes], bytes]) -> Behaviour:
    """Let the request through, and the answer's body after `change`."""

    def pass_changed(exchange: Exchange) -> None:
        _, _, body = exchange.pass_on().partition(b"\r\n\r\n")
        saying(change(body))(exchange)

    return pass_changed


class Proxy:
    """Listens for the agent and passes on to the centre. Use as a context.

    Kinds of message: facts, packs, holds, release, returns, records (with entries), statement (without), or
    "any".
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._next: dict[str, deque[Behaviour]] = defaultdict(deque)
        self._always: dict[str, Behaviour] = {}
        self._lock = threading.Lock()
        self._clearing = threading.Event()
        self._heard: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def next(self, kind: str, behaviour: Behaviour) -> None:
        """Do this with the next message of a kind."""
        with self._lock:
            self._next[kind].append(behaviour)

    def always(self, kind: str, behaviour: Behaviour) -> None:
        """Do this with every message of a kind, until cleared."""
        with self._lock:
            self._always[kind] = behaviour

    def clear(self) -> None:
        """Let everything pass again; what was kept waiting is hung up."""
        with self._lock:
            self._next.clear()
            self._always.clear()
            self._clearing.set()
            self._clearing = threading.Event()

    def heard(self, kind: str) -> int:
        """Return how many messages of a kind have come from the agent."""
        with self._lock:
            return self._heard.count(kind)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        # The agent may be killed at any time, and the centre may be gone: both just end the line.
        with near, suppress(OSError):
            near.settimeout(60)
            request = _read_message(near)
            if request:
                with self._lock:
                    exchange = Exchange(near, self._to_port, request, self._clearing)
                    self._heard.append(exchange.kind)
                    behaviour = self._behaviour(exchange.kind)
                behaviour(exchange)

    def _behaviour(self, kind: str) -> Behaviour:
        for one in (kind, "any"):
            if self._next[one]:
                return self._next[one].popleft()
        return self._always.get(kind) or self._always.get("any") or passing


class Gate:
    """A behaviour that holds messages back until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._waiting = 0

    def __call__(self, exchange: Exchange) -> None:
        self._waiting += 1
        self._open.wait(60)
        passing(exchange)

    @property
    def waiting(self) -> int:
        """How many messages have come."""
        return self._waiting

    def open(self) -> None:
        """Let them through."""
        self._open.set()


def _read_message(line: socket.socket) -> bytes:
    """Read one HTTP message with a Content-Length, or what came of it before the line closed."""
    content = b""
    wanted = None
    while wanted is None or len(content) < wanted:
        more = line.recv(65_536)
        if not more:
            return content
        content += more
        if wanted is None and b"\r\n\r\n" in content:
            head, _, _ = content.partition(b"\r\n\r\n")
            length = _LENGTH.search(head + b"\r\n")
            wanted = len(head) + 4 + (int(length[1]) if length else 0)
    return content


def _kind_of(request: bytes) -> str:
    path = request.split(b" ", 2)[1].decode()
    kind = "release" if path.endswith("/release") else _PATHS.get(path, "other")
    if kind == "records":
        sealed = json.loads(request.partition(b"\r\n\r\n")[2])
        return "records" if json.loads(base64.b64decode(sealed["payload"]))["entries"] else "statement"
    return kind
