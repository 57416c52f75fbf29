"""How is a frame relayed that the terminal hands us over its serial line, to be passed on to its acquirer?

Some terminals have no network of their own: they ask the till's host to carry a frame to the acquirer and
to bring back the answer (type 17 of the STX/LEN/ETX/LRC family). The frame is the same as on a network
line, and so is what is watched.
"""

import socket
from collections import deque
from contextlib import closing
from dataclasses import dataclass

from terminal_agent.checkout.ports import Clock
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.framing import (
    ACK,
    NAK,
    Decoder,
    Event,
    Frame,
    FramingFault,
    Heard,
    frame,
    pack,
    unpack,
)
from terminal_agent.terminals.link_serial import OpenLink
from terminal_agent.terminals.relay.cut_frames import LARGEST
from terminal_agent.terminals.relay.forward import CONNECT_S, Address, set_up
from terminal_agent.terminals.relay.observer import Log, Observer, Way

TYPE, CODE, CONTENT, HOST, PORT, NONCE = 0x01, 0x14, 0x15, 0x16, 0x17, 0x1A
RELAY = bytes((17,))
DONE, FAILED, REFUSED = b"00", b"E1", b"E2"
_GAP_S = 0.2
_IDLE_S = 1.0
_ACK_WAIT_S = 2.0
_SENDS = 3
_AGAIN_S = 1.0
_REPEAT_MS = 10_000

Fields = dict[int, bytes]


@dataclass(slots=True)
class _Carried:
    """The last frame that was carried, what the terminal is told, and whether that is noted."""

    data: bytes
    answer: bytes
    told: bytes
    connection: int
    at_ms: int
    is_noted: bool = False

    def __repr__(self) -> str:
        return f"_Carried({len(self.data)} bytes)"


class HandOver:
    """Serves one terminal's serial line. `run` is its thread."""

    def __init__(
        self, open_link: OpenLink, acquirer: Address, answer_wait_s: float, observer: Observer, clock: Clock
    ) -> None:
        self._open_link = open_link
        self._acquirer = acquirer
        self._answer_wait_s = answer_wait_s
        self._observer = observer
        self._clock = clock
        self._count = 0
        self._last: _Carried | None = None
        self.problem = "its serial line is not open yet"
        self.refused, self.refused_from = 0, ""  # nobody else is on it

    def run(self, log: Log) -> None:
        """Serve until the process ends; a port that is away is tried again."""
        while True:
            try:
                with closing(self._open_link()) as link:
                    self.problem = ""
                    log("relay.line_open")
                    self._serve(link)
            except LinkFault as wrong:
                # While it is away the terminal may find another way.
                self._observer.not_connected()
                if self.problem != str(wrong):
                    log("relay.line_lost", why=str(wrong))
                self.problem = str(wrong)
            self._clock.sleep(_AGAIN_S)

    def _serve(self, link: Link) -> None:
        decoder = Decoder()
        while True:
            received = link.read(_GAP_S if decoder.waits_for_more else _IDLE_S)
            events = deque(decoder.feed(received) if received else decoder.gap())
            while events:
                event = events.popleft()
                if isinstance(event, Frame):
                    link.write(bytes((ACK,)))
                    answer = self._answered(event.data)
                    if answer is not None:
                        self._see_to(answer, self._deliver(link, decoder, answer, events), events)
                elif event is Heard.BROKEN:
                    link.write(bytes((NAK,)))

    def _answered(self, data: bytes) -> bytes | None:
        """Return the answer to what the terminal asked, None when it is nothing that we do."""
        try:
            asked = unpack(data)
        except FramingFault:
            return None
        if asked.get(TYPE) != RELAY:
            return None
        last = self._last
        if last is not None and last.data == data and self._clock.steady_ms() - last.at_ms < _REPEAT_MS:
            # It has not heard our ACK. Carried twice, the acquirer could take it twice.
            return last.answer
        self._forget()
        if not self._is_ours(asked):
            return _answer(asked, REFUSED)
        return self._carry(data, asked)

    def _see_to(self, answer: bytes, heard: bool, events: deque[Event]) -> None:
        """Note an answer once the terminal has it: one that it has not, it will undo."""
        last = self._last
        if last is None or last.answer is not answer or last.is_noted:
            return
        if heard:
            last.is_noted = True
            self._observer.passed(last.connection, Way.TO_TERMINAL, last.told)
            self._observer.closed(last.connection)
        elif not events:
            self._forget()

    def _forget(self) -> None:
        if self._last is not None and not self._last.is_noted:
            self._observer.closed(self._last.connection)
        self._last = None

    def _is_ours(self, asked: Fields) -> bool:
        """Whether it is to go to the acquirer of the profile: a terminal may not send us anywhere else."""
        host, port = self._acquirer
        to_host = asked.get(HOST, b"").strip(b"\0 ") in (b"", host.encode())
        to_port = asked.get(PORT, b"").strip(b"\0 ") in (b"", str(port).encode())
        return to_host and to_port and CONTENT in asked

    def _carry(self, data: bytes, asked: Fields) -> bytes:
        """Carry a frame to the acquirer; return what the terminal is told."""
        content = asked[CONTENT]
        try:
            acquirer = socket.create_connection(self._acquirer, CONNECT_S)
        except OSError:
            self._observer.not_connected()
            return _answer(asked, FAILED)
        self._count += 1
        number = self._count
        self._observer.opened(number)
        try:
            with acquirer:
                set_up(acquirer)
                acquirer.settimeout(self._answer_wait_s)
                self._observer.passed(number, Way.TO_ACQUIRER, content)
                acquirer.sendall(content)
                told = _read_one(acquirer)
        except OSError:
            self._observer.closed(number)
            return _answer(asked, FAILED)
        answer = _answer(asked, DONE, told)
        self._last = _Carried(data, answer, told, number, self._clock.steady_ms())
        return answer

    def _deliver(self, link: Link, decoder: Decoder, answer: bytes, events: deque[Event]) -> bool:
        """Send the answer, the same up to three times; return whether it was acknowledged.

        A frame that comes instead ends that, and is left in `events`.
        """
        for _ in range(_SENDS):
            link.write(frame(answer))
            until_ms = self._clock.steady_ms() + round(_ACK_WAIT_S * 1000)
            while not events and (left_ms := until_ms - self._clock.steady_ms()) > 0:
                received = link.read(min(left_ms / 1000, _GAP_S))
                events.extend(decoder.feed(received) if received else ())
            while events and not isinstance(events[0], Frame):
                if events.popleft() is Heard.ACK:
                    return True
            if events:
                return False
        return False


def _answer(asked: Fields, code: bytes, content: bytes = b"") -> bytes:
    fields = [(TYPE, RELAY), (CODE, code), (CONTENT, content), (NONCE, asked.get(NONCE, b""))]
    return pack((tag, value) for tag, value in fields if value)


def _read_one(line: socket.socket) -> bytes:
    """Return one whole frame with its length. Raises OSError when it does not come."""
    held = b""
    while len(held) < 2 or len(held) < int.from_bytes(held[:2]) + 2:
        more = line.recv(LARGEST)
        if not more or len(held) > LARGEST:
            raise ConnectionError
        held += more
    return held
