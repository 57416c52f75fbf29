"""Somebody who answers at an address: what a test says, to requests that it can look at afterwards."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Answering = Callable[[socket.socket, bytes], None]


class SmallServer:
    """Listens on a port of its own. `heard` has every request's bytes, in order. Use as a context."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.heard: list[bytes] = []
        self.over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "SmallServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                with near, suppress(OSError):
                    near.settimeout(10)
                    request = b""
                    while b"\r\n\r\n" not in request or len(request) < _whole(request):
                        more = near.recv(65_536)
                        if not more:
                            break
                        request += more
                    self.heard.append(request)
                    self._answering(near, request)


def answering(body: bytes, status: int = 200, media_type: str = "application/json") -> Answering:
    """Answer every request with `body`."""

    def answer(near: socket.socket, _request: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        near.sendall(head.encode() + body)

    return answer


def _whole(request: bytes) -> int:
    head, _, _ = request.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + 4 + int(value)
    return len(head) + 4
