"""A terminal without a network: it hands its frames to the host over a serial port, a real pseudo-terminal.

    with SerialAsker(acquirer) as asker:
        relay = ...  # on asker.port
        asker.terminal.sell(85_000)

Framed by the emulators' own code. `lose_ack` lets the next ACK go unheard, so that the frame comes twice.
"""

import os
import pty
import select
import time
import tty
from typing import Any

from terminal_agent.emulators import wire
from terminal_agent.emulators.line_terminal import LineTerminal

RELAY = 17
_WAIT_S = 5.0


class SerialAsker:
    """The terminal's end of the cable. `ask` is one request; `terminal` speaks through it."""

    def __init__(self, acquirer: tuple[str, int]) -> None:
        self._acquirer = acquirer
        self._held: list[tuple[str, bytes]] = []
        self.lose_ack = 0
        self.codes: list[bytes] = []

    def __enter__(self) -> "SerialAsker":
        self._master, self._slave = pty.openpty()
        tty.setraw(self._master)
        self.port = os.ttyname(self._slave)
        self._listener = wire.Listener()
        self.terminal = _OverSerial(self)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        os.close(self._slave)

    def ask(self, content: bytes, to: tuple[str, int] | None = None) -> bytes | None:
        """Have a frame carried; return the host's answer, None when the agent says that none came."""
        host, port = to or self._acquirer
        fields = {
            wire.TYPE: bytes((RELAY,)),
            wire.CONTENT: content,
            0x16: host.encode(),
            0x17: str(port).encode(),
            0x18: b"60",
        }
        frame = wire.wrap(wire.join(fields))
        for _ in range(3):
            os.write(self._master, frame)
            if self._hears("ack") is not None:
                break
        middle = self._hears("frame")
        if middle is None:
            raise ConnectionError
        os.write(self._master, wire.ACKNOWLEDGED)
        told = wire.split(middle)
        self.codes.append(told[wire.CODE])
        return told.get(wire.CONTENT)

    def write(self, content: bytes) -> None:
        """Send anything at all."""
        os.write(self._master, content)

    def _hears(self, wanted: str) -> bytes | None:
        end = time.monotonic() + (0.4 if wanted == "ack" else _WAIT_S)
        while (left := end - time.monotonic()) > 0:
            if self._held:
                kind, middle = self._held.pop(0)
                if kind == "ack" and wanted == "ack" and self.lose_ack:
                    self.lose_ack -= 1
                elif kind == wanted:
                    return middle
            elif select.select([self._master], [], [], left)[0]:
                self._held += self._listener.hear(os.read(self._master, 4096), time.monotonic())
        return None


class _OverSerial(LineTerminal):
    """The same terminal, over that cable."""

    def __init__(self, asker: SerialAsker) -> None:
        super().__init__(("", 0))
        self._asker = asker

    def _connected(self) -> Any:
        self._received = b""
        return _Carried(self._asker)


class _Carried:
    """Stands for a socket: what is sent is carried, what comes back is the answer."""

    def __init__(self, asker: SerialAsker) -> None:
        self._asker = asker
        self._answer: bytes | None = None

    def settimeout(self, _seconds: float) -> None:
        return

    def sendall(self, content: bytes) -> None:
        self._answer = self._asker.ask(content)

    def recv(self, _size: int) -> bytes:
        answer, self._answer = self._answer, None
        return answer or b""
