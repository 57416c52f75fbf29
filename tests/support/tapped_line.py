"""A line to a host through which everything passes, for tests of what a terminal says on it.

with Tap(acquirer.address) as tap:
    terminal = direct_terminal(tap.address, tmp_path)
    ...
    assert [one.mti for one in tap.heard] == ["0800", "0200"]
"""

import select
import socket
import threading
from collections.abc import Callable, Mapping

from iso8583_messages import shipped

from terminal_agent.iso8583.codec import Codec, Message
from terminal_agent.iso8583.framing import FrameReader, open_frame


class Tap:
    """A line through which everything passes; `heard` has each request of the terminal, in clear.

    `answer` may change what the host answers to a request.
    """

    def __init__(self, to: str) -> None:
        self._to = to
        self._codec = Codec(shipped())
        self.heard: list[Message] = []
        self.answer: Callable[[Message, bytes], bytes] = lambda message, frame: frame
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> "Tap":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        host, _, port = self._to.rpartition(":")
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            with near, socket.create_connection((host, int(port)), timeout=5) as far:
                request = near.recv(65536)
                if not request:
                    continue
                (content,) = FrameReader(self._codec.dialect.frame).feed(request)
                envelope = open_frame(self._codec.dialect.frame, content)
                message = self._codec.decode(envelope.body, clear_test_card=True)
                self.heard.append(message)
                far.sendall(request)
                ready, _, _ = select.select([near, far], [], [], 5)
                if far in ready:  # else the terminal has hung up first
                    near.sendall(self.answer(message, far.recv(65536)))

    def said(self, mti: str) -> list[Mapping[str, str]]:
        """Return the fields of every request of this type."""
        return [one.fields for one in self.heard if one.mti == mti]
