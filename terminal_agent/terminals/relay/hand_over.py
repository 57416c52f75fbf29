"""How is a frame relayed that the terminal hands us over its serial line, to be passed on to its acquirer?

Some terminals have no network of their own: they ask the till's host to carry a frame to the acquirer and
to bring back the answer (type 17 of the STX/LEN/ETX/LRC family). The frame is the same as on a network
line, and so is what is watched.
"""

import socket
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass

from terminal_agent.checkout.ports import Clock
from terminal_agent.terminals.exchange import Link, LinkFault
from terminal_agent.terminals.framing import (
    ACK,
    LARGEST_DATA,
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
from terminal_agent.terminals.relay.forward import ENDS, Address, Ends, set_up
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
_LONGEST_NONCE = 256
_LONGEST_TOLD = LARGEST_DATA - _LONGEST_NONCE - 32  # an answer is one frame, and has four fields

Fields = dict[int, bytes]


@dataclass(slots=True)
class _Carried:
    """The last frame that was carried, what the acquirer told (nothing where it did not), and our answer.

    `is_heard` once the terminal has acknowledged that, `is_over` once the observer knows all of it.
    """

    data: bytes
    told: bytes
    answer: bytes
    connection: int
    at_ms: int
    is_heard: bool = False
    is_over: bool = False

    def __repr__(self) -> str:
        return f"_Carried({len(self.data)} bytes)"


class HandOver:
    """Serves one terminal's serial line. `run` is its thread."""

    def __init__(
        self,
        open_link: OpenLink,
        acquirer: Address,
        answer_wait_s: float,
        observer: Observer,
        clock: Clock,
        ends: Ends = ENDS,
    ) -> None:
        self._open_link = open_link
        self._acquirer = acquirer
        self._answer_wait_s = answer_wait_s
        self._observer = observer
        self._clock = clock
        self._ends = ends
        self._count = 0
        self._begun: int | None = None
        """The connection that the next frame will be, once its beginning was heard."""
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
                # While it is away the terminal may find another way, also for what it had begun here.
                self._observer.not_connected()
                self._let_go()
                self._end_last()
                if self.problem != str(wrong):
                    log("relay.line_lost", why=str(wrong))
                self.problem = str(wrong)
            self._clock.sleep(_AGAIN_S)

    def _serve(self, link: Link) -> None:
        decoder = Decoder()
        while True:
            is_inside = decoder.waits_for_more
            received = link.read(_GAP_S if is_inside else _IDLE_S)
            if not received and not is_inside:
                self._let_go()  # what had begun did not come again
            events = deque(decoder.feed(received) if received else decoder.gap())
            if decoder.waits_for_more:
                self._begin()
            while events:
                event = events.popleft()
                if isinstance(event, Frame):
                    self._begin()
                    link.write(bytes((ACK,)))
                    answer = self._answered(event.data)
                    self._let_go()
                    if answer is not None:
                        self._see_to(answer, self._deliver(link, decoder, answer, events), events)
                elif event is Heard.BROKEN:
                    link.write(bytes((NAK,)))

    def _begin(self) -> int:
        """Let the observer know that a request is under way, so that giving its sale up waits for it."""
        if self._begun is None:
            self._count += 1
            self._observer.opened(self._count, has_begun=True)
            self._begun = self._count
        return self._begun

    def _let_go(self) -> None:
        if self._begun is not None:
            self._observer.closed(self._begun)
        self._begun = None

    def _answered(self, data: bytes) -> bytes | None:
        """Return the answer to what the terminal asked, None when it is nothing that we do."""
        try:
            asked = unpack(data)
        except FramingFault:
            return None
        if asked.get(TYPE) != RELAY or len(asked.get(NONCE, b"")) > _LONGEST_NONCE:
            return None
        if self._is_again(data):
            # It has not heard our ACK. Carried twice, the acquirer could take it twice.
            assert self._last is not None
            return self._last.answer
        self._end_last()
        if not self._is_ours(asked):
            self._observer.not_connected()
            return _answer(asked, REFUSED)
        return self._carry(data, asked)

    def _is_again(self, data: bytes) -> bool:
        """Whether this is the last frame once more. A failure that it has heard of, it may ask for again."""
        last = self._last
        if last is None or last.data != data or (last.is_heard and not last.told):
            return False
        return self._clock.steady_ms() - last.at_ms < _REPEAT_MS

    def _see_to(self, answer: bytes, heard: bool, events: deque[Event]) -> None:
        """Take note whether the terminal has an answer; where it asks again instead, that is still open."""
        last = self._last
        if last is None or last.answer is not answer:
            return
        last.is_heard = last.is_heard or heard
        if heard or not events:
            self._end_last()

    def _end_last(self) -> None:
        """Let the observer know what the terminal was told: unheard, it undoes a yes to a sale or void."""
        last = self._last
        if last is None or last.is_over:
            return
        last.is_over = True
        if not last.is_heard:
            self._observer.hung_up(last.connection)
        self._observer.passed(last.connection, Way.TO_TERMINAL, last.told)
        self._observer.closed(last.connection)

    def _is_ours(self, asked: Fields) -> bool:
        """Whether it is to go to the acquirer of the profile: a terminal may not send us anywhere else."""
        host, port = self._acquirer
        to_host = asked.get(HOST, b"").strip(b"\0 ") in (b"", host.encode())
        to_port = asked.get(PORT, b"").strip(b"\0 ") in (b"", str(port).encode())
        return to_host and to_port and CONTENT in asked

    def _carry(self, data: bytes, asked: Fields) -> bytes:
        """Carry a frame to the acquirer; return what the terminal is told."""
        try:
            acquirer = self._ends.dial(self._acquirer)
        except OSError:
            self._observer.not_connected()
            return _answer(asked, FAILED)
        number, self._begun = self._begin(), None
        told = b""
        with acquirer, suppress(OSError):
            set_up(acquirer)
            acquirer.settimeout(self._answer_wait_s)
            self._observer.passed(number, Way.TO_ACQUIRER, asked[CONTENT])
            acquirer.sendall(asked[CONTENT])
            told = _read_one(acquirer)
        told = told if len(told) <= _LONGEST_TOLD else b""
        answer = _answer(asked, DONE if told else FAILED, told)
        self._last = _Carried(data, told, answer, number, self._clock.steady_ms())
        if not told:
            self._observer.closed(number)
            self._last.is_over = True
        return answer

    def _deliver(self, link: Link, decoder: Decoder, answer: bytes, events: deque[Event]) -> bool:
        """Send the answer, the same up to three times; return whether it was acknowledged.

        A frame that comes instead ends that, and is left in `events`.
        """
        for _ in range(_SENDS):
            link.write(frame(answer))
            until_ms = self._clock.steady_ms() + round(_ACK_WAIT_S * 1000)
            while not events and (left_ms := until_ms - self._clock.steady_ms()) > 0:
                wait_s = min(left_ms / 1000, _GAP_S)
                received = link.read(wait_s)
                # What noise has begun must not swallow the ACK behind it.
                is_silent = not received and wait_s == _GAP_S
                events.extend(decoder.gap() if is_silent else decoder.feed(received))
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
    """Return one whole frame with its length, and nothing behind it. Raises OSError when it does not come."""
    held = b""
    while len(held) < 2 or len(held) < int.from_bytes(held[:2]) + 2:
        more = line.recv(LARGEST)
        if not more or len(held) > LARGEST:
            raise ConnectionError
        held += more
    return held[: int.from_bytes(held[:2]) + 2]
