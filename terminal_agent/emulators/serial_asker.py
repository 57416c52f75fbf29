"""How does a card terminal without a network have its frames carried? It hands them over its serial port.

    with SerialAsker(PtyLink(path), acquirer) as asker:
        relay = ...  # at path
        HandingTerminal(asker).sell(85_000)

One request at a time (type 17 of the STX/LEN/ETX/LRC family), under a number of its own. It is sent until it
is acknowledged, three times at most; then its answer is waited for. An answer to anything else is not
taken, and one that comes again is acknowledged again. Framed by the emulators' own code.
"""

import secrets
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from terminal_agent.emulators import wire
from terminal_agent.emulators.delivery import ACK_WAIT_S, SENDS
from terminal_agent.emulators.line_terminal import LineTerminal
from terminal_agent.emulators.loop import Loop
from terminal_agent.emulators.pty_link import PtyLink

_RELAY = bytes((17,))
_HOST, _PORT, _TIMEOUT = 0x16, 0x17, 0x18
_OUT_S = 0.3
_OUR_WAIT_S = 5.0


class _Asked:
    """A frame on its way. `comes` is the host's answer, None when the agent says that there is none."""

    def __init__(self, middle: bytes, number: bytes, wait_s: float) -> None:
        self.frame = wire.wrap(middle)
        self.number = number
        self.wait_s = wait_s
        self.sent = 0
        self.is_heard = False
        self.comes: Future[bytes | None] = Future()


class SerialAsker:
    """The terminal's end of the cable.

    `lose_ack` lets so many ACKs go unheard; without `takes_answers` it is there for none. `codes` is
    what the agent said.
    """

    def __init__(self, link: PtyLink, acquirer: tuple[str, int], ack_wait_s: float = ACK_WAIT_S) -> None:
        self._link = link
        self._acquirer = acquirer
        self._ack_wait_s = ack_wait_s
        self._loop = Loop()
        self._thread = threading.Thread(target=self._loop.run, args=(link, self._hear), name="asker")
        self._listener = wire.Listener()
        self._asked: _Asked | None = None
        self._taken = b""
        self.lose_ack = 0
        self.takes_answers = True
        self.codes: list[bytes] = []

    def __enter__(self) -> "SerialAsker":
        self._link.plug_in()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.stop()
        self._thread.join()
        self._loop.close()
        self._link.unplug()

    def ask(
        self, content: bytes, to: tuple[str, int] | None = None, wait_s: float = _OUR_WAIT_S
    ) -> bytes | None:
        """Have a frame carried; return the host's answer, None when the agent says that none came.

        Raises ConnectionError when nobody answers.
        """
        host, port = to or self._acquirer
        number = secrets.token_hex(8).encode()
        fields = {
            wire.TYPE: _RELAY,
            wire.CONTENT: content,
            _HOST: host.encode(),
            _PORT: str(port).encode(),
            _TIMEOUT: b"60",
            wire.NONCE: number,
        }
        asked = _Asked(wire.join(fields), number, wait_s)
        self._loop.ask(partial(self._begin, asked))
        return asked.comes.result()

    def write(self, content: bytes) -> None:
        """Send anything at all."""
        self._loop.ask(partial(self._link.write, content))

    def pull_cable(self) -> None:
        """Take the port away for a moment."""
        self._loop.ask(self._pull_cable)

    def _pull_cable(self) -> None:
        if self._link.is_plugged_in:
            self._link.unplug()
            self._loop.later(_OUT_S, self._link.plug_in)

    def _begin(self, asked: _Asked) -> None:
        self._asked = asked
        self._send(asked)

    def _send(self, asked: _Asked) -> None:
        if asked.sent == SENDS:
            self._give_up(asked)
            return
        asked.sent += 1
        self._link.write(asked.frame)
        self._loop.later(self._ack_wait_s, partial(self._send_unheard, asked, asked.sent))

    def _send_unheard(self, asked: _Asked, sent: int) -> None:
        if self._asked is asked and not asked.is_heard and asked.sent == sent:
            self._send(asked)

    def _give_up(self, asked: _Asked) -> None:
        if self._asked is asked:
            self._asked = None
            asked.comes.set_exception(ConnectionError())

    def _hear(self) -> None:
        for kind, middle in self._listener.hear(self._link.read(), time.monotonic()):
            asked = self._asked
            waits_for_ack = asked is not None and not asked.is_heard
            if kind == "frame":
                self._take(middle)
            elif asked is None:
                continue
            elif kind == "bad" and not waits_for_ack:
                self._link.write(wire.NOT_UNDERSTOOD)
            elif kind == "nak" and waits_for_ack:
                self._send(asked)
            elif kind == "ack" and waits_for_ack:
                self._note_ack(asked)

    def _note_ack(self, asked: _Asked) -> None:
        if self.lose_ack:
            self.lose_ack -= 1
            return
        asked.is_heard = True
        self._loop.later(asked.wait_s, partial(self._give_up, asked))

    def _take(self, middle: bytes) -> None:
        """Take the answer that is waited for, and acknowledge the last one again."""
        if not self.takes_answers:
            return
        asked, told = self._asked, {}
        with suppress(wire.Unreadable):
            told = wire.split(middle)
        if asked is not None and asked.is_heard and told.get(wire.NONCE) == asked.number:
            self._asked, self._taken = None, middle
            self.codes.append(told.get(wire.CODE, b""))
            self._link.write(wire.ACKNOWLEDGED)
            asked.comes.set_result(told.get(wire.CONTENT))
        elif middle == self._taken:
            self._link.write(wire.ACKNOWLEDGED)


class HandingTerminal(LineTerminal):
    """The terminal of `line_terminal.py`, over such a cable."""

    def __init__(self, asker: SerialAsker, terminal_no: str = "EMU00001") -> None:
        super().__init__(("", 0), terminal_no)
        self._asker = asker

    def noise(self, content: bytes) -> None:
        """Send anything at all."""
        self._asker.write(content)

    def drop(self) -> None:
        """Pull the cable, and push it back in."""
        self._asker.pull_cable()

    def _connected(self) -> Any:
        self._received = b""
        return _Carried(self._asker)


class _Carried:
    """Stands for a socket: what is sent is carried, what comes back is the answer."""

    def __init__(self, asker: SerialAsker) -> None:
        self._asker = asker
        self._wait_s = _OUR_WAIT_S
        self._answer: bytes | None = None

    def settimeout(self, seconds: float) -> None:
        self._wait_s = seconds

    def sendall(self, content: bytes) -> None:
        self._answer = self._asker.ask(content, wait_s=self._wait_s)

    def recv(self, _size: int) -> bytes:
        answer, self._answer = self._answer, None
        return answer or b""
