"""What does a scenario need of a link and of its other side, and how does it say what was broken?"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Payment, Say
from terminal_agent.checkout.sighting import Sighting

Moved = list[tuple[str, int]]
"""What the other side has booked of one payment, in order: ("taken" or "given back", fen)."""

EXPLICIT = frozenset({Say.APPROVED, Say.DECLINED})
TAKEN, GIVEN_BACK = "taken", "given back"

_LEAST_PATIENCE_S = 6.0
_AGAIN_S = 0.1
_WORDS = {
    Say.APPROVED: "yes",
    Say.DECLINED: "no",
    Say.NOT_FOUND: "it knows of none",
    Say.PENDING: "still at work",
    Say.UNCLEAR: "unclear",
}


class Broken(Exception):
    """A link or its other side did what must not be: what had to be seen, and what was."""

    def __init__(self, must: str, saw: str) -> None:
        super().__init__(f"had to be seen: {must}; was seen: {saw}")
        self.must = must
        self.saw = saw


class NotThere(Exception):
    """What a scenario needs is not there, such as a payment code: it was not tried."""


class Silent(NotThere):
    """The other side does not answer, or stays at work: nothing more can be tried."""


class Side(Protocol):
    """A link under test and the other side's books. Made anew for each scenario."""

    payment: Payment
    clock: Clock
    fen: int
    """The sum of each payment, at least 2."""
    says_at_once: bool
    """Whether a yes to a payment is said in the answer to it, or only when asked for."""
    can_be_asked: bool
    """Whether the other side can be asked what became of a payment."""
    undoes_unknown: bool
    """Whether undoing what it never heard of is confirmed too: elsewhere it may say that it finds none."""

    def new_ask(self) -> Ask:
        """Return an attempt of `fen` that nobody has had before. Raises NotThere."""

    def arm(self, call: str, fault: str) -> None:
        """Let the next "take", "query", "reverse" or "refund" be struck by a fault of `scenarios.py`."""

    def end_day(self) -> None:
        """Let the other side close its day, after which it may give money back in another way."""

    def moved(self, pay_ref: str) -> Moved | None:
        """Return what the other side has booked, None when its books cannot be seen."""

    def cannot_tell(self, fault: str) -> frozenset[Say]:
        """Return what this link may find beside, after a fault of which its other side keeps no account."""

    def restart(self) -> None:
        """Have the link as a new process has it: nothing is remembered, nothing cut off."""

    def cut_after(self, count: int | None) -> None:
        """Let the power fail once so many bytes of ours have left; None: never, and count from 0 again."""

    def sent(self) -> int:
        """Return how many bytes have left since."""

    def left_whole(self) -> bool:
        """Return whether what left last has left whole, and was not answered."""

    def scan(self, code: str) -> bool:
        """Be the shopper who scans a code and pays; return whether the other side took it."""


class ShownSide(Side, Protocol):
    """A link whose code the shopper scans. "reverse" is what closes an order there."""

    knows_unscanned: bool
    """Whether the other side knows of an order before its code is scanned."""


class Slip(msgspec.Struct, frozen=True):
    """What a terminal says of what was keyed in there; `name` is how it is found again.

    UNCLEAR when it has heard no answer, or none that says what became of the money.
    """

    name: str
    said: Say


class Keypad(Protocol):
    """Whoever keys in at a terminal that is only watched. Every call raises NotThere."""

    def sell(self, fen: int) -> Slip:
        """Charge so much."""

    def void(self, sale: Slip) -> Slip:
        """Void a sale of this day."""

    def refund(self, sale: Slip, fen: int) -> Slip:
        """Give so much of a sale back."""

    def reverse(self, slip: Slip) -> Slip:
        """Have the terminal reverse a sale or void, as it does by itself where it heard no answer."""

    def settle(self) -> None:
        """Close the terminal's day."""


class WatchedSide(Side, Protocol):
    """A terminal that is only watched: what is done there, a person keys in.

    "void" and "reverse" are two calls there.
    """

    @property
    def keypad(self) -> Keypad:
        """Return who keys in."""

    def sighted(self) -> list[Sighting]:
        """Return what was seen unasked, in order."""

    def meanwhile(self, do: Callable[[], Slip]) -> Callable[[], Slip]:
        """Have something keyed in while we go on; what is returned waits for its slip."""

    def until_held(self) -> None:
        """Return once something is kept back at our own end. Raises Broken when nothing ever is."""

    def release(self) -> None:
        """Let go on what is kept back."""

    def trouble(self, what: str) -> None:
        """Let the agent's power fail, whoever watches the line there, or its serial cable be out."""

    def must_be_untouched(self) -> None:
        """Raise Broken unless all that came in at one end of the line has gone out at the other."""


def must(holds: bool, what: str, saw: str) -> None:
    """Raise Broken unless a promise holds."""
    if not holds:
        raise Broken(what, saw)


def must_say(call: str, answer: Answer, says: frozenset[Say]) -> None:
    """Raise Broken unless the answer to a call is one of `says`."""
    must(answer.say in says, f"{call}: {in_words(says)}", f"{call}: {told(answer)}")


def must_agree(side: Side, ask: Ask, *possible: Moved) -> None:
    """Raise Broken unless the other side's books, where they can be seen, say one of these, to the fen."""
    moved = side.moved(ask.pay_ref)
    if moved is not None:
        wanted = " or ".join(booked(one) for one in possible)
        must(moved in possible, f"their books: {wanted}", f"their books: {booked(moved)}")


def must_hide_the_code(answer: Answer, ask: Ask) -> None:
    """Raise Broken when an answer shows the payment code, which is money for a minute."""
    if ask.pay_code is not None:
        code = ask.pay_code.reveal()
        shown = any(code in text for text in (repr(answer), str(msgspec.to_builtins(answer)), repr(ask)))
        must(not shown, "the payment code in no answer", "it stands in one")


def in_words(says: frozenset[Say]) -> str:
    """Return what may be said, in words."""
    return " or ".join(_WORDS[say] for say in Say if say in says)


def told(answer: Answer) -> str:
    """Return an answer in words, without anything of the shopper."""
    of = "" if answer.approved_fen is None else f" of {answer.approved_fen} fen"
    code = f" ({answer.evidence.code})" if answer.evidence.code else ""
    return f"{_WORDS[answer.say]}{of}{code}"


def booked(moved: Moved) -> str:
    """Return books in words."""
    return ", ".join(f"{what} {fen}" for what, fen in moved) or "nothing"


def prepared(side: Side) -> Ask:
    """Return a new attempt with its mark, once the other side is there. Raises NotThere, Broken."""
    ask = side.new_ask()
    mark = ready(side, ask)
    must_agree(side, ask, [])
    return msgspec.structs.replace(ask, mark=mark)


def paid(side: Side, ask: Ask) -> Answer:
    """Have an attempt paid, by whoever scans where a code is shown, and return the yes."""
    taken = side.payment.take(ask)
    if taken.show:
        must(side.scan(taken.show), "the shopper's scan is taken", "it is not")
    if taken.say is Say.PENDING and (taken.show or not side.says_at_once):
        taken = until(side, ask, lambda: side.payment.query(ask), EXPLICIT)
    must_say("paying", taken, frozenset({Say.APPROVED}))
    return taken


def back_of(side: Side, ask: Ask, fen: int, evidence: Evidence) -> Back:
    """Return what a return of `fen` is asked with, prepared now. Raises NotThere."""
    return Back(ids.refund_no(ask.pay_ref), fen, evidence, ready(side, ask))


def ready(side: Side, ask: Ask) -> str:
    """Return what `prepare` says, once the other side is done with what went before."""
    end = side.clock.steady_ms() + round(_patience_s(side) * 1000)
    while (mark := side.payment.prepare(ask)) is None:
        if side.clock.steady_ms() > end:
            raise Silent("the other side does not answer, or is at work")
        side.clock.sleep(_AGAIN_S)
    return mark


def _patience_s(side: Side) -> float:
    clocks = side.payment.clocks
    return max(clocks.resolver_s + 2 * clocks.host_timeout_s, _LEAST_PATIENCE_S)


def until(side: Side, ask: Ask, step: Callable[[], Answer], says: frozenset[Say]) -> Answer:
    """Repeat a call as the agent does until it answers one of `says`; Broken when it never does."""
    patience_s = _patience_s(side)
    if ask.show_until_ms is not None:
        patience_s += max(ask.show_until_ms - side.clock.wall_ms(), 0) / 1000
    end = side.clock.steady_ms() + round(patience_s * 1000)
    answer = step()
    while answer.say not in says:
        in_time = side.clock.steady_ms() < end
        must(in_time, f"{in_words(says)} within {patience_s:.0f} s", told(answer))
        side.clock.sleep(side.payment.clocks.poll_every_s)
        answer = step()
    return answer
