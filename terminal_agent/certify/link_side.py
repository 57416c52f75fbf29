"""How does one link stand before the scenarios: its payments, its faults, its books and its people?"""

from collections.abc import Callable
from typing import Protocol

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.certify.control import Control
from terminal_agent.certify.counterparts import Counterpart
from terminal_agent.certify.on_watched_lines import LineInOurHands
from terminal_agent.certify.our_end import NEED_ONE_BEFORE, OurEnd
from terminal_agent.certify.show_a_code import undo_shown
from terminal_agent.certify.side import (
    EXPLICIT,
    Keypad,
    Moved,
    NotThere,
    Slip,
    back_of,
    booked,
    must,
    must_say,
    paid,
    prepared,
    told,
    until,
)
from terminal_agent.certify.take_and_undo import undo
from terminal_agent.certify.watch_a_line import do_one
from terminal_agent.checkout.ports import Answer, Ask, Back, Clock, Payment, Say, Secret
from terminal_agent.checkout.sighting import Sighting
from terminal_agent.system import Mailbox, spawn

_OUR_NAME = "certify"
_MOST_KEYED_S = 660.0


class People(Protocol):
    """Whoever stands at the link: a shopper with a phone, a person who looks."""

    def pay_code(self) -> Secret:
        """Return a payment code that is good now. Raises NotThere."""

    def scan(self, code: str) -> bool:
        """Scan a code and pay; return whether that was taken. Raises NotThere."""


class Witness:
    """A link that writes down what is asked of it and what it says. Fits `checkout.ports.Payment`."""

    def __init__(self, payment: Payment, seen: Callable[[str], None]) -> None:
        self._payment = payment
        self._seen = seen
        self.clocks = payment.clocks
        self.not_found_is_no = payment.not_found_is_no
        self.reverses_blind = payment.reverses_blind

    def prepare(self, ask: Ask) -> str | None:
        """Pass on."""
        return self._payment.prepare(ask)

    def take(self, ask: Ask) -> Answer:
        """Pass on, and write down."""
        return self._told("paying", self._payment.take(ask))

    def query(self, ask: Ask) -> Answer:
        """Pass on, and write down."""
        return self._told("asked about", self._payment.query(ask))

    def reverse(self, ask: Ask, evidence: Evidence) -> Answer:
        """Pass on, and write down."""
        return self._told("undoing", self._payment.reverse(ask, evidence))

    def refund(self, ask: Ask, back: Back) -> Answer:
        """Pass on, and write down."""
        return self._told("giving back", self._payment.refund(ask, back))

    def _told(self, call: str, answer: Answer) -> Answer:
        self._seen(f"{call}: {told(answer)}")
        return answer


class WrittenDown:
    """Who keys in, with what the slips say written down. Fits `side.Keypad`."""

    def __init__(self, keypad: Keypad, seen: Callable[[str], None]) -> None:
        self._keypad = keypad
        self._seen = seen

    def sell(self, fen: int) -> Slip:
        """Pass on, and write down."""
        return self._told(f"charge of {fen} fen", self._keypad.sell(fen))

    def void(self, sale: Slip) -> Slip:
        """Pass on, and write down."""
        return self._told("void", self._keypad.void(sale))

    def refund(self, sale: Slip, fen: int) -> Slip:
        """Pass on, and write down."""
        return self._told(f"refund of {fen} fen", self._keypad.refund(sale, fen))

    def reverse(self, slip: Slip) -> Slip:
        """Pass on, and write down."""
        return self._told("reversal", self._keypad.reverse(slip))

    def settle(self) -> None:
        """Pass on."""
        self._keypad.settle()

    def _told(self, what: str, slip: Slip) -> Slip:
        self._seen(f"slip of a {what}: {told(Answer(slip.said))}")
        return slip


class LinkSide:
    """A link, before one scenario. Fits `side.ShownSide`, and `side.WatchedSide` with `watched`.

    With `end`, faults that can be made at our own end are made there; all others, and all without it, are
    made by the emulator behind `control`. Without `control` its books cannot be seen. `watched` are the line
    of a terminal that is only watched and who keys in there.
    """

    def __init__(
        self,
        counterpart: Counterpart,
        open_payment: Callable[[], Payment],
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        people: People,
        *,
        fen: int,
        end: OurEnd | None = None,
        control: Control | None = None,
        settles: dict[str, str] | None = None,
        watched: tuple[LineInOurHands, Keypad] | None = None,
    ) -> None:
        self._counterpart = counterpart
        self._open = open_payment
        self.clock = clock
        self._random_bytes = random_bytes
        self._people = people
        self._end = end
        if end is not None:
            end.clear()
        self._control = control
        self._watched = watched
        if watched is not None:
            watched[0].begin()
        self._told = 0
        self._settles = settles or {}
        self._calls = dict(counterpart.calls)  # its words, which change when its day ends
        self._last_line = 0
        self.fen = fen
        # A real channel may take its time; an emulator says at once what it says at once.
        self.says_at_once = counterpart.says_at_once and (control is not None or not counterpart.code_digits)
        self.can_be_asked = counterpart.can_be_asked
        self.undoes_unknown = counterpart.undoes_unknown
        self.knows_unscanned = counterpart.knows_unscanned
        self.seen: list[str] = []
        self.asks: list[Ask] = []
        self.payment: Payment = Witness(open_payment(), self.saw)

    def saw(self, what: str) -> None:
        """Write down what was seen; what is seen again and again stands once."""
        if not self.seen or self.seen[-1] != what:
            self.seen.append(what)

    def new_ask(self) -> Ask:
        """Return an attempt that nobody has had before."""
        now_ms = self.clock.wall_ms()
        one = self._counterpart
        if self._control is not None and (booked_since := self._control.books(self._last_line)):
            self._last_line = booked_since[-1]["no"]
        ask = Ask(
            ids.pay_ref(ids.record_id(now_ms, self._random_bytes(10)), 1),
            self.fen,
            operator=_OUR_NAME,
            till_no="1",
            pay_code=self._people.pay_code() if one.code_digits else None,
            show_until_ms=now_ms + round(one.show_for_s * 1000) if one.shown else None,
            show_for_s=round(one.show_for_s) if one.shown else None,
        )
        self.asks.append(ask)
        return ask

    def arm(self, call: str, fault: str) -> None:
        """Let the next call of this name be struck, at our end where that is possible."""
        if self._is_at_our_end(fault):
            assert self._end is not None
            self._end.arm(self._calls[call], fault)
            return
        made = self._counterpart.made(call, fault)
        assert made is not None, fault
        assert self._control is not None, fault
        self._control.arm(made.name, self._calls[call], made.options(self.payment.clocks))

    def rehearse(self, call: str, fault: str) -> None:
        """Do the same once before, undisturbed, where a fault needs the answer of the one before."""
        if fault not in NEED_ONE_BEFORE:
            return
        if self._is_at_our_end(fault):
            assert self._end is not None
            is_there = self._end.before(frozenset({self._calls[call]})) is not None
        else:
            is_there = self._control is not None and self._control.books() != []
        if not is_there:
            self._do_one(call)
            self.seen = []

    def must_be_struck(self) -> None:
        """Raise Broken when what was armed at our end has met no request: then nothing was tried."""
        if self._end is not None:
            must(not self._end.waits, "the request that was to be struck", "it was never sent")

    def _is_at_our_end(self, fault: str) -> bool:
        return self._end is not None and fault in self._counterpart.at_our_end

    def end_day(self) -> None:
        """Close the other side's day."""
        assert self._control is not None
        self._control.settle(self._settles)
        if self._watched is not None:
            self.keypad.settle()
        self._calls |= self._counterpart.day_ended

    def moved(self, pay_ref: str) -> Moved | None:
        """Return what the other side has booked, None without its control address."""
        if self._control is None:
            return None
        moved = self._counterpart.moved(self._control.books(self._last_line), pay_ref)
        self.saw(f"their books: {booked(moved)}")
        return moved

    def cannot_tell(self, fault: str) -> frozenset[Say]:
        """Return what this link may find beside, after such a fault."""
        return self._counterpart.may_find.get(fault, frozenset())

    def scan(self, code: str) -> bool:
        """Be the shopper."""
        taken = self._people.scan(code)
        self.saw("a scan: " + ("taken" if taken else "not taken"))
        return taken

    def restart(self) -> None:
        """Have the link as a new process has it."""
        if self._end is not None:
            self.cut_after(None)
        self.payment = Witness(self._open(), self.saw)

    def cut_after(self, count: int | None) -> None:
        """Let the power fail once so many bytes have left."""
        assert self._end is not None
        self._end.cut_after(count)

    def sent(self) -> int:
        """Return how many bytes have left since."""
        assert self._end is not None
        return self._end.sent

    def left_whole(self) -> bool:
        """Return whether what left last has left whole, and was not answered."""
        assert self._end is not None
        return self._end.left_whole

    @property
    def _line(self) -> LineInOurHands:
        assert self._watched is not None
        return self._watched[0]

    @property
    def keypad(self) -> Keypad:
        """Return who keys in at a terminal that is only watched."""
        assert self._watched is not None
        return WrittenDown(self._watched[1], self.saw)

    def sighted(self) -> list[Sighting]:
        """Return what was seen unasked on its line, and write down what is new."""
        found = list(self._line.sightings)
        for one in found[self._told :]:
            self.saw(f"told unasked: {one.sight.value}")
        self._told = len(found)
        return found

    def meanwhile(self, do: Callable[[], Slip]) -> Callable[[], Slip]:
        """Have something keyed in while we go on."""
        box: Mailbox[Slip | NotThere] = Mailbox()

        def work() -> None:
            try:
                box.put(do())
            except NotThere as missing:
                box.put(missing)

        def slip() -> Slip:
            found = box.take(_MOST_KEYED_S)
            if isinstance(found, Slip):
                return found
            raise found or NotThere("what was to be keyed in never came to an end")

        spawn("keypad", work)
        return slip

    def until_held(self) -> None:
        """Return once something is kept back at our own end."""
        assert self._end is not None
        must(self._end.until_held(), "the request that was to be struck", "it was never sent")

    def release(self) -> None:
        """Let go on what is kept back."""
        assert self._end is not None
        self._end.release()

    def trouble(self, what: str) -> None:
        """Let the agent's power fail, whoever watches the line there, or its serial cable be out."""
        self._line.trouble(what)

    def must_be_untouched(self) -> None:
        """Raise Broken unless the bytes have passed as they came."""
        self._line.must_be_untouched(self.clock)

    def _do_one(self, call: str) -> None:
        if self._watched is not None:
            do_one(self, call)
            return
        ask = prepared(self)
        taken = paid(self, ask)
        if call == "refund":
            back = back_of(self, ask, self.fen, taken.evidence)
            given = until(self, ask, lambda: self.payment.refund(ask, back), EXPLICIT)
            must_say("giving back", given, frozenset({Say.APPROVED}))
            return
        if call == "query":
            self.payment.query(ask)
        (undo_shown if self._counterpart.shown else undo)(self, ask, taken.evidence, [self.fen])
