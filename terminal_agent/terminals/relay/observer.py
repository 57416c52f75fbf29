"""How are the bytes that pass turned into what is known, without ever holding them up?

Whoever passes bytes on puts a copy here first, and waits for nothing: the box between is bounded, and what
does not fit is left out, which breaks the view and nothing else. One thread takes from it in order, so an
arming has its place among the bytes. If that thread dies, bytes still pass and nothing is known any more.
"""

from collections.abc import Callable
from enum import Enum, auto

import msgspec

from terminal_agent.checkout.ports import Answer, Clock
from terminal_agent.checkout.sighting import Tell
from terminal_agent.system import BoundedBox, Mailbox
from terminal_agent.terminals.relay.cut_frames import Cutter, Unreadable
from terminal_agent.terminals.relay.seen import Understand
from terminal_agent.terminals.relay.watch import UNCLEAR, Watch
from terminal_agent.traces.write_trace import Note

MOST_BYTES = 1 << 20
_WAIT_S = 1.0
_ANSWER_S = 2.0
_EVENT_SIZE = 64  # what an event without bytes counts in the box

Log = Callable[..., None]


class Way(Enum):
    """In which direction bytes pass."""

    TO_ACQUIRER = auto()
    TO_TERMINAL = auto()


class _Passed(msgspec.Struct, frozen=True):
    connection: int
    way: Way
    content: bytes
    at_ms: int

    def __repr__(self) -> str:
        return f"_Passed({len(self.content)} bytes)"


class _Opened(msgspec.Struct, frozen=True):
    connection: int
    has_begun: bool
    at_ms: int


class _HungUp(msgspec.Struct, frozen=True):
    """From here on the terminal is not there for an answer."""

    connection: int


class _Closed(msgspec.Struct, frozen=True):
    connection: int


class _Broken(msgspec.Struct, frozen=True):
    """A connection that the terminal wanted could not be had: it may go another way."""


class _Lost(msgspec.Struct, frozen=True):
    """Here bytes were left out."""


class _Asked(msgspec.Struct, frozen=True):
    question: Callable[[Watch, list[int]], Answer]
    reply: Mailbox[Answer]


_Event = _Passed | _Opened | _HungUp | _Closed | _Broken | _Lost | _Asked


class Observer:
    """Watches one terminal's line. `run` is its thread; everything else may be called from any other."""

    def __init__(
        self,
        understand: Understand,
        no_original_ms: int,
        clock: Clock,
        most_bytes: int = MOST_BYTES,
        note: Note | None = None,
    ) -> None:
        self._understand = understand
        self._note = note
        self._clock = clock
        self._box: BoundedBox[_Event] = BoundedBox(most_bytes, _Lost())
        self._cutters: dict[int, dict[Way, Cutter]] = {}
        self._begun: set[int] = set()
        self._no_original_ms = no_original_ms
        self.armed: str | None = None
        """The pay_ref that is armed now."""
        self.runs = False
        self._is_dead = False
        self.unreadable: Unreadable | None = None
        self.frames_seen = 0
        self.frames_not_understood = 0
        self.breaks = 0

    # Called by whoever passes bytes on, before it does so.

    def passed(self, connection: int, way: Way, content: bytes) -> None:
        """Take a copy of what is about to pass. Never waits, never raises."""
        self._put(_Passed(connection, way, content, self._clock.steady_ms()), len(content))

    def opened(self, connection: int, *, has_begun: bool = False) -> None:
        """A connection through us begins. `has_begun`: with a request of which nothing can pass yet."""
        self._put(_Opened(connection, has_begun, self._clock.steady_ms()))

    def hung_up(self, connection: int) -> None:
        """The terminal has ended its half of a connection: a yes that comes now reaches nobody."""
        self._put(_HungUp(connection))

    def closed(self, connection: int) -> None:
        """A connection through us has ended."""
        self._put(_Closed(connection))

    def not_connected(self) -> None:
        """The terminal asked for a connection that it did not get."""
        self._put(_Broken())

    def _put(self, event: _Event, size: int = 0) -> None:
        if not self._is_dead:
            self._box.put(event, size + _EVENT_SIZE)

    # Called by the payment's worker.

    @property
    def can_see(self) -> bool:
        """Whether a sale can be watched now: the thread lives, and more than cipher text has passed.

        Other garbage does not count: whoever knocks at the port would keep the till from selling.
        """
        understood = self.frames_seen > self.frames_not_understood
        return self.runs and (understood or self.unreadable is not Unreadable.ENCRYPTED)

    def arm(self, pay_ref: str, fen: int, for_s: float) -> Answer:
        """Arm a sale, and say what is known of it."""
        now_ms = self._clock.steady_ms()

        def question(watch: Watch, inside: list[int]) -> Answer:
            watch.arm(pay_ref, fen, now_ms, now_ms + round(for_s * 1000), inside)
            return watch.word(pay_ref)

        return self._ask(question)

    def word(self, pay_ref: str, *, disarm: bool = False) -> Answer:
        """Say what was seen of an attempt; with `disarm` let nothing more be it, first."""
        now_ms = self._clock.steady_ms()

        def question(watch: Watch, inside: list[int]) -> Answer:
            watch.pass_time(now_ms, inside)
            if disarm:
                watch.disarm(pay_ref, inside)
            return watch.word(pay_ref)

        return self._ask(question)

    def _ask(self, question: Callable[[Watch, list[int]], Answer]) -> Answer:
        if not self.runs:
            return UNCLEAR
        reply: Mailbox[Answer] = Mailbox()
        self._box.put(_Asked(question, reply))
        return reply.take(_ANSWER_S) or UNCLEAR

    # The thread.

    def run(self, terminal_no: str, tell: Tell, log: Log) -> None:
        """Look at what passes until the process ends. What goes wrong here breaks the view, and is logged."""
        watch = Watch(terminal_no, self._no_original_ms, tell)
        self.runs = True
        try:
            while True:
                event = self._box.take(_WAIT_S)
                if event is None:
                    continue
                try:
                    self._take(watch, event)
                except Exception as wrong:
                    # Only its kind: what a parser complains of may hold a card number.
                    log("relay.observer_failed", error=type(wrong).__name__)
                    self._break_all(watch)
                self.armed = watch.armed
        except BaseException as wrong:
            # Nothing more is known from here on; the bytes pass without us.
            log("relay.observer_dead", error=type(wrong).__name__)
        finally:
            self.runs, self._is_dead = False, True

    def _take(self, watch: Watch, event: _Event) -> None:
        match event:
            case _Passed():
                self._look(watch, event)
            case _Opened(connection, has_begun, at_ms):
                watch.pass_time(at_ms, self._inside())  # what ends now does not wait for it
                self._cutters[connection] = {way: Cutter() for way in Way}
                self._begun |= {connection} if has_begun else set()
                watch.opened(connection)
                self._say(connection, "opened")
            case _HungUp(connection):
                watch.hung_up(connection)
            case _Closed(connection):
                self._cutters.pop(connection, None)
                self._begun.discard(connection)
                watch.closed(connection)
                self._say(connection, "closed")
            case _Broken():
                self._break(watch)
            case _Lost():
                self._break_all(watch)
            case _Asked(question, reply):
                reply.put(question(watch, self._inside()))

    def _look(self, watch: Watch, event: _Passed) -> None:
        watch.pass_time(event.at_ms, self._inside())
        cutters = self._cutters.get(event.connection)
        if cutters is None:  # its beginning was left out
            self._break(watch)
            return
        self._begun.discard(event.connection)
        cutter = cutters[event.way]
        was_lost = cutter.lost is not None
        for frame in cutter.feed(event.content):
            self.frames_seen += 1
            if self._note is not None:
                self._note.frame(event.way.name.lower(), event.connection, frame)
            seen = self._understand(frame)
            if seen is None or seen.is_answer is (event.way is Way.TO_ACQUIRER):
                self.frames_not_understood += 1
                self._break(watch)
            else:
                self.unreadable = None
                watch.message(event.connection, seen, event.at_ms)
        if cutter.lost is not None:
            if self._note is not None:
                self._note.unread(event.way.name.lower(), event.connection, len(event.content))
                if not was_lost:
                    self._note.said(event.way.name.lower(), event.connection, cutter.lost.value)
            self.unreadable = cutter.lost
            self._break(watch)

    def _say(self, connection: int, what: str) -> None:
        if self._note is not None:
            self._note.said("", connection, what)

    def _inside(self) -> list[int]:
        inside = [no for no, cutters in self._cutters.items() if cutters[Way.TO_ACQUIRER].is_inside]
        return [*inside, *self._begun]

    def _break_all(self, watch: Watch) -> None:
        for cutters in self._cutters.values():
            for cutter in cutters.values():
                cutter.lose()
        self._break(watch)

    def _break(self, watch: Watch) -> None:
        self.breaks += 1
        watch.broken()
