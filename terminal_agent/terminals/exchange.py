"""How is one request handed to a terminal, and its answer brought back?

The rule that guards the money: a frame is sent again only while not a single byte came back that could
have been its ACK. After that, whatever happens, nothing is sent again: the caller asks for the last
transaction instead.
"""

from typing import Protocol

import msgspec

from terminal_agent.checkout.ports import Clock
from terminal_agent.terminals import framing
from terminal_agent.terminals.dialect import TAGGED, Dialect
from terminal_agent.terminals.framing import Decoder, Event, Frame, FramingFault, Heard
from terminal_agent.terminals.profile import Manners
from terminal_agent.terminals.read_answer import PROGRESS, Said, read_answer


class LinkFault(Exception):
    """The line to the terminal is not there, is in use, or was lost. Says which, and what to do."""


class Link(Protocol):
    """An open line. Every trouble with it is a `LinkFault`."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, wait_s: float) -> bytes:
        """Return what has arrived, waiting up to `wait_s` for its first byte; empty if none came."""

    def close(self) -> None:
        """Give the line back. Never fails."""


class Wanted(msgspec.Struct, frozen=True):
    """Which answer is ours. An empty `nonce` takes any: a last transaction names its own."""

    kind: int
    nonce: str = ""
    pay_ref: str = ""

    def is_answered_by(self, said: Said) -> bool:
        """Whether `said` answers our request rather than an earlier one or somebody else's."""
        if said.kind != self.kind:
            return False
        return self.nonce == "" or (said.nonce == self.nonce and said.order in ("", self.pay_ref))


class Conversation:
    """One opening of the line: requests and answers, one at a time."""

    def __init__(self, link: Link, clock: Clock, manners: Manners, dialect: Dialect = TAGGED) -> None:
        self._link = link
        self._clock = clock
        self._manners = manners
        self._dialect = dialect
        self._ack = dialect.rules.signal(framing.ACK)
        self._nak = dialect.rules.signal(framing.NAK)
        self._decoder = Decoder(dialect.rules)
        self._damaged = 0

    def ask(self, request: bytes, wanted: Wanted, wait_s: float, cap_s: float) -> Said | None:
        """Send DATA and return its answer, or None when none came that can be believed.

        Progress reports restart `wait_s`, never `cap_s`. Raises LinkFault when the line is lost: the
        request may then have arrived all the same.
        """
        start = self._clock.steady_ms()
        cap = start + _ms(cap_s)
        self._damaged = 0
        heard = self._hand_over(framing.frame(request, self._dialect.rules))
        if heard is None:
            return None
        until = min(self._clock.steady_ms() + _ms(wait_s), cap)
        while True:
            for event in heard:
                if event is Heard.PROGRESS:
                    until = min(self._clock.steady_ms() + _ms(wait_s), cap)
                said = self._receive(event)
                if said is None:
                    continue
                if wanted.is_answered_by(said):
                    return said
                if said.kind == PROGRESS and said.nonce in ("", wanted.nonce):
                    until = min(self._clock.steady_ms() + _ms(wait_s), cap)
            if self._damaged >= self._manners.naks or self._clock.steady_ms() >= until:
                return None
            heard = self._listen(until)

    def _hand_over(self, frame: bytes) -> list[Event] | None:
        """Send `frame` until something comes back; None when nothing but silence and NAK did.

        A byte that is no NAK may be a damaged ACK or the start of the answer, so it ends the sending.
        """
        for _ in range(self._manners.sends):
            self._link.write(frame)
            until = self._clock.steady_ms() + _ms(self._manners.ack_wait_s)
            received = b""
            while (left_ms := until - self._clock.steady_ms()) > 0:
                received += self._link.read(left_ms / 1000)
                rest = received.replace(self._nak, b"")
                if not self._nak.startswith(rest):
                    break
                if received and not rest:
                    break
            if received.replace(self._nak, b""):
                return self._decoder.feed(received)
        return None

    def _listen(self, until_ms: int) -> list[Event]:
        left_s = max(until_ms - self._clock.steady_ms(), 0) / 1000
        if not self._decoder.waits_for_more:
            return self._decoder.feed(self._link.read(left_s))
        # Inside a frame, a silence as long as the gap breaks it off.
        received = self._link.read(self._manners.gap_s)
        return self._decoder.feed(received) if received else self._decoder.gap()

    def _receive(self, event: Event) -> Said | None:
        """Answer what was heard on the line, at once, and return what it says."""
        if isinstance(event, Frame):
            # Also what is not for us: a terminal that gets no ACK sends it again and again.
            self._link.write(self._ack)
            try:
                return read_answer(event.data, self._dialect.unpack)
            except FramingFault:
                return None
        if event is Heard.BROKEN:
            self._link.write(self._nak)
            self._damaged += 1
        return None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
