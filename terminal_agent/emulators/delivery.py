"""How does a frame reach the till: sent, waited for, sent again?

A terminal waits 2 s for the ACK of a frame and sends it three times in all. A new request from the till ends
that: the till has moved on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from terminal_agent.emulators.wire import TAGGED, Wire

ACK_WAIT_S = 2.0
SENDS = 3
# A stray 02 after ordinary garbage, followed by what could be the length of a long frame.
_NOISE_AFTER_ACK = b"\xff\x00\x7e\x02\x10"
_NOISE_BEFORE_ANSWER = b"\x00\xaa\x02\x00\x09\x55"
_NOISE_PAUSE_S = 0.3

Later = Callable[[float, Callable[[], None]], None]


@dataclass(slots=True)
class Parcel:
    """One frame on its way, and how its delivery is disturbed."""

    middle: bytes
    spoiled_sends: int = 0
    pause_s: float | None = None
    noisy: bool = False
    when_sent: Callable[[], None] | None = None
    sent: int = 0


class Delivery:
    """Sends one parcel after the other, each until it is acknowledged or given up."""

    def __init__(self, write: Callable[[bytes], None], later: Later, spoken: Wire = TAGGED) -> None:
        self._write = write
        self._spoken = spoken
        self._later = later
        self._waiting: list[Parcel] = []
        self._round = 0
        self._is_out = False  # the whole of the first parcel has left

    def deliver(self, *parcels: Parcel) -> None:
        """Send `parcels` in order, in place of whatever was still being sent."""
        self._waiting = list(parcels)
        self._send()

    def drop(self) -> None:
        """Stop sending."""
        self._waiting = []
        self._is_out = False
        self._round += 1

    def heard_ack(self) -> None:
        """Go on to the next parcel."""
        if self._is_out:
            self._waiting.pop(0)
            self._send()

    def heard_nak(self) -> None:
        """Send the same parcel again, unless nothing was said yet that could have been misheard."""
        if self._is_out:
            self._send()

    def _send(self) -> None:
        self._round += 1
        self._is_out = False
        while self._waiting and self._waiting[0].sent >= SENDS:
            self._waiting.pop(0)
        if not self._waiting:
            return
        parcel = self._waiting[0]
        parcel.sent += 1
        frame = self._spoken.wrap(parcel.middle, parcel.sent <= parcel.spoiled_sends)
        taken_s = 0.0
        if parcel.noisy:
            self._write(_NOISE_AFTER_ACK)
            taken_s = _NOISE_PAUSE_S
            frame = _NOISE_BEFORE_ANSWER + frame
        pieces = [frame] if parcel.pause_s is None else [bytes((one,)) for one in frame]
        for piece in pieces:
            self._after(taken_s, partial(self._write, piece))
            taken_s += parcel.pause_s or 0.0
        self._after(taken_s, lambda: self._note_sent(parcel))
        self._after(taken_s + ACK_WAIT_S, self._send)

    def _note_sent(self, parcel: Parcel) -> None:
        self._is_out = True
        if parcel.when_sent is not None and parcel.sent == 1:
            parcel.when_sent()

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        """Do `step` at once or later, unless by then something else is being sent."""
        if seconds == 0.0:
            step()
            return
        this_round = self._round

        def do_if_current() -> None:
            if self._round == this_round:
                step()

        self._later(seconds, do_if_current)
