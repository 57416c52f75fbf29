"""How are faults made between us and a terminal that hands us its frames over a serial port?

A relay's serial port, with our hands on it. A frame is acknowledged there, sent again, and carried once: what
strikes it once it gets over, and what strikes it each time it does not.
"""

from collections.abc import Callable
from functools import partial
from itertools import count

from terminal_agent.certify import our_end
from terminal_agent.certify.our_end import PowerCut
from terminal_agent.certify.watched_ends import GARBAGE, WHERE_IT_HANDS_OVER, Hands, Passed
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
from terminal_agent.terminals.relay.hand_over import CODE, CONTENT, DONE, RELAY, TYPE, Fields

# A stray STX, with what could be the length of a long frame behind it.
_BEGINS_A_FRAME = GARBAGE + b"\x02\x10\x00"
_GAP_S = 0.2
_SLICE_S = 0.05  # so that a dead process lets go of its port at once


class HandingEnd:
    """The port, over all its openings in one run of the agent."""

    def __init__(self, hands: Hands, keep: Callable[[], Passed]) -> None:
        self.hands = hands
        self._keep = keep
        self.is_out = False
        """Whether the cable is out: whoever reads next loses the line."""
        self.fault = ""
        """What strikes the frame that is under way, each time that it or its answer passes."""
        self._struck = b""
        self._counts: dict[str, count[int]] = {}
        self._relay_hears = Decoder()
        self._asked = b""
        self._content = b""
        self._carried = b""
        self._is_done = False
        self._passed: Passed | None = None

    def in_our_hands(self, port: Link) -> Link:
        """Return a port that was opened, in our hands."""
        self._relay_hears = Decoder()
        return _Port(self, port)

    def is_first(self, what: str) -> bool:
        """Whether this happens for the first time to the frame that is under way."""
        return next(self._counts.setdefault(what, count())) == 0

    # What comes from the terminal.

    def disturbed(self, came: bytes, then: Callable[[Callable[[], bytes]], None]) -> bytes:
        """Return what reaches the relay of whole frames and signals; `then` takes what the next read does."""
        events = Decoder().feed(came)
        for event in events:
            if isinstance(event, Frame) and event.data != self._struck:
                self.fault = self.hands.end.strike(self._kinds(event.data), WHERE_IT_HANDS_OVER)
                self._struck = event.data
                self._counts = {}
        return b"".join(self._reaching(event, then) for event in events) if self.fault else came

    def _kinds(self, data: bytes) -> frozenset[str]:
        asked = _fields(data)
        return self.hands.look(asked[CONTENT]) if _is_request(asked) else frozenset()

    def _reaching(self, event: Event, then: Callable[[Callable[[], bytes]], None]) -> bytes:
        if isinstance(event, Frame):
            return self._frame_reaching(event.data, then)
        if event is not Heard.ACK:
            return bytes((NAK,)) if event is Heard.NAK else b""
        is_first = self.is_first("their ack")
        if self.fault == our_end.THEIR_ACKS_LOST or (self.fault == our_end.THEIR_ACK_LOST and is_first):
            return b""
        noise = _BEGINS_A_FRAME if self.fault == our_end.NOISE_FOR_THEIR_ACK and is_first else b""
        return noise + bytes((ACK,))

    def _frame_reaching(self, data: bytes, then: Callable[[Callable[[], bytes]], None]) -> bytes:
        whole, is_first = frame(data), self.is_first("their frame")
        half = len(whole) // 2
        match self.fault:
            case our_end.LOST_TO_US:
                return b""
            case our_end.TORN_TO_US:
                return whole[:half]
            case our_end.NO_FRAME_TO_US:
                asked = _fields(data)
                return frame(pack((asked | {CONTENT: GARBAGE * 10}).items()))
            case our_end.HELD_AND_TORN:
                if is_first:
                    then(partial(self._hold, b""))
                return whole[:half] if is_first else b""
        if not is_first:
            return whole
        match self.fault:
            case our_end.LOST_ONCE_TO_US:
                return b""
            case our_end.BROKEN_ONCE_TO_US:
                return _with_wrong_check(whole)
            case our_end.DOUBLED_TO_US:
                return whole * 2
            case our_end.NOISE_TO_US:
                return _BEGINS_A_FRAME + whole
            case our_end.HELD_REQUEST:
                then(partial(self._hold, whole[half:]))
                return whole[:half]
        return whole

    def _hold(self, rest: bytes) -> bytes:
        self.hands.end.hold()
        return rest

    # What passes, for it must be the same at the other end.

    def note_heard(self, came: bytes) -> None:
        """Take note of what the relay hears."""
        for event in self._relay_hears.feed(came) if came else self._relay_hears.gap():
            if isinstance(event, Frame) and _is_request(asked := _fields(event.data)):
                self._is_done = self._is_done and event.data == self._asked
                self._asked, self._content = event.data, asked[CONTENT]
            elif event is Heard.ACK:
                self._is_done = True

    def note_carried(self) -> None:
        """Take note that the relay carries what it has heard last. What came again is carried once."""
        if self._asked == self._carried and not self._is_done:
            return
        self._passed = self._keep()
        self._passed.came += self._content
        self._carried, self._is_done = self._asked, False

    def note_said(self, data: bytes) -> None:
        """Take note of what the relay hands back: an answer that it sends again is handed back once."""
        for event in Decoder().feed(data):
            told = _fields(event.data) if isinstance(event, Frame) else {}
            back = told.get(CONTENT, b"") if told.get(CODE) == DONE else b""
            if self._passed is not None and back != self._passed.went:
                self._passed.went += back


class _Port:
    """The port while it is open. Fits `exchange.Link`."""

    def __init__(self, end: HandingEnd, port: Link) -> None:
        self._end = end
        self._port = port
        self._then: Callable[[], bytes] | None = None

    def read(self, wait_s: float) -> bytes:
        """Return what comes from the terminal."""
        came = self._disturbed(wait_s)
        self._end.note_heard(came)
        return came

    def write(self, data: bytes) -> None:
        """Send what goes to the terminal."""
        self._end.note_said(data)
        if self._end.hands.is_dead:
            raise PowerCut
        if data == bytes((ACK,)):
            if self._end.fault == our_end.OUR_ACK_LOST and self._end.is_first("our ack"):
                return
        elif self._end.fault:
            data = self._answer_leaving(data)
        self._end.hands.end.send(data, self._port.write, self._end.hands.die)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def _answer_leaving(self, data: bytes) -> bytes:
        is_first = self._end.is_first("our answer")
        match self._end.fault:
            case our_end.UNPLUG:
                raise _lost()
            case our_end.TORN_TO_TERMINAL:
                self._port.write(data[: len(data) // 2])
                raise _lost()
            case our_end.LOST_TO_TERMINAL:
                return b""
            case our_end.BROKEN_TO_TERMINAL:
                return _with_wrong_check(data)
        if not is_first:
            return data
        match self._end.fault:
            case our_end.LOST_ONCE_TO_TERMINAL:
                return b""
            case our_end.BROKEN_ONCE_TO_TERMINAL:
                return _with_wrong_check(data)
            case our_end.NOISE_TO_TERMINAL:
                return GARBAGE + data
        return data

    def _disturbed(self, wait_s: float) -> bytes:
        if (then := self._then) is not None:
            self._then = None
            return then()
        clock = self._end.hands.clock
        until_ms = clock.steady_ms() + round(wait_s * 1000)
        while True:
            left_s = max(until_ms - clock.steady_ms(), 0) / 1000
            came = self._end.disturbed(self._whole(left_s), self._do_then)
            if came or left_s == 0:
                return came

    def _do_then(self, then: Callable[[], bytes]) -> None:
        self._then = then

    def _whole(self, wait_s: float) -> bytes:
        """Return what comes, whole frames where they are."""
        came = self._patiently(wait_s)
        decoder = Decoder()
        decoder.feed(came)
        while decoder.waits_for_more and (more := self._patiently(_GAP_S)):
            decoder.feed(more)
            came += more
        return came

    def _patiently(self, wait_s: float) -> bytes:
        clock = self._end.hands.clock
        until_ms = clock.steady_ms() + round(wait_s * 1000)
        while True:
            if self._end.hands.is_dead:
                raise PowerCut
            if self._end.is_out:
                self._end.is_out = False
                raise _lost()
            left_s = max(until_ms - clock.steady_ms(), 0) / 1000
            if (came := self._port.read(min(left_s, _SLICE_S))) or left_s == 0:
                return came


def _fields(data: bytes) -> Fields:
    try:
        return unpack(data)
    except FramingFault:
        return {}


def _is_request(asked: Fields) -> bool:
    return asked.get(TYPE) == RELAY and CONTENT in asked


def _with_wrong_check(whole: bytes) -> bytes:
    return whole[:-1] + bytes((whole[-1] ^ 1,))


def _lost() -> LinkFault:
    return LinkFault("The line was lost")
