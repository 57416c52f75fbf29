"""Is what is said of a terminal that is only watched what happened there, whatever goes wrong on its line?

The amount is armed, somebody charges it, voids it, gives it back, and the terminal reverses what it heard no
answer to. Scenarios as data, and a check for each of these four steps. A fault strikes on either side of us:
before us is between the terminal and us for a request, and between the acquirer and us for an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify import our_end
from terminal_agent.certify.scenarios import HALF, NO, ONE_FEN, UNCLEAR, WHOLE, YES, Scenario
from terminal_agent.certify.side import (
    GIVEN_BACK,
    TAKEN,
    NotThere,
    Slip,
    WatchedSide,
    back_of,
    in_words,
    must,
    must_agree,
    must_say,
    prepared,
    told,
    until,
)
from terminal_agent.certify.take_and_undo import must_be_true
from terminal_agent.checkout.ports import Answer, Ask, Say
from terminal_agent.checkout.sighting import Sight

_BOOKED_WITHIN_S = 3.0
_TOLD_WITHIN_S = 3.0
_LOOK_AGAIN_S = 0.02
_REVERSED = "REVERSED"


class Charge(Scenario):
    """A fault while the armed amount is charged: what the slip says (`took`), what is known and was taken."""

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        much = {(): "nothing is taken", (WHOLE,): "it is taken once"}.get(self.taken, "less is taken")
        return (
            f"slip: {in_words(self.took)}; known: {in_words(self.found)}; {much}; "
            "what the terminal or the cashier then takes back is known"
        )


@dataclass(frozen=True)
class Back:
    """A fault while money goes back by a void, refund or reversal: what its slip says, and what is known.

    `known` is yes where it is known to be back, still at work or unclear where it is not.
    """

    name: str
    fault: str
    slip: frozenset[Say]
    known: frozenset[Say]

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        return f"slip: {in_words(self.slip)}; is it back: {in_words(self.known)}; it goes back once"


@dataclass(frozen=True)
class WatchedMoment:
    """One moment, with the fault that makes it if there is one. `day_ends`: the acquirer closes its day."""

    name: str
    must: str
    check: Callable[[WatchedSide], None]
    fault: str = ""
    day_ends: bool = False


class Watched(NamedTuple):
    """All that is tried at one kind of terminal that is only watched, but for power cuts."""

    charges: tuple[Charge, ...]
    voids: tuple[Back, ...]
    refunds: tuple[Back, ...]
    reversals: tuple[Back, ...]
    moments: tuple[WatchedMoment, ...]


def _charge(
    name: str, fault: str, slip: set[Say], known: set[Say], taken: tuple[str, ...] = (WHOLE,)
) -> Charge:
    return Charge(name, fault, frozenset(slip), frozenset(known), taken)


WAITS = {Say.PENDING}

CHARGES = (
    _charge("nothing goes wrong", "", YES, YES),
    _charge("an explicit no", "declined", NO, NO, ()),
    _charge("less than asked is taken", "partial", YES, YES, (HALF,)),
    _charge("another amount is taken", "wrong_amount", YES, YES, (ONE_FEN,)),
    _charge("the acquirer is not sure, and took it", "unclear_charged", UNCLEAR, UNCLEAR),
    _charge("the acquirer is not sure, and did not", "unclear_not_charged", UNCLEAR, UNCLEAR, ()),
    _charge("the acquirer cannot be reached", our_end.NO_LINE, UNCLEAR, UNCLEAR, ()),
    _charge("the request is lost before us", our_end.LOST_TO_US, UNCLEAR, WAITS, ()),
    _charge("the request is torn off before us", our_end.TORN_TO_US, UNCLEAR, WAITS, ()),
    _charge("there is noise before the request", our_end.NOISE_TO_US, UNCLEAR, UNCLEAR, ()),
    _charge("the request is encrypted", our_end.ENCRYPTED_TO_US, UNCLEAR, UNCLEAR, ()),
    _charge("the request comes twice", our_end.DOUBLED_TO_US, YES, YES),
    _charge("the request is lost", our_end.LOST_REQUEST, UNCLEAR, UNCLEAR, ()),
    _charge("the request is torn off", our_end.TORN_REQUEST, UNCLEAR, UNCLEAR, ()),
    _charge("the terminal's cable is pulled after the request", our_end.UNPLUG, UNCLEAR, UNCLEAR),
    _charge("the answer is lost before us", our_end.LOST_ANSWER, UNCLEAR, UNCLEAR),
    _charge("the answer is torn off before us", our_end.TORN_ANSWER, UNCLEAR, UNCLEAR),
    _charge("the answer is lost behind us", our_end.LOST_TO_TERMINAL, UNCLEAR, YES),
    _charge("the answer is torn off behind us", our_end.TORN_TO_TERMINAL, UNCLEAR, YES),
    _charge("the answer comes when the terminal has hung up", our_end.LATE_ANSWER, UNCLEAR, UNCLEAR),
    _charge("the answer comes late but in time", our_end.SLOW_ANSWER, YES, YES),
    _charge("the answer comes twice", our_end.DOUBLED, YES, YES),
    _charge("the answer of the sale before comes instead", our_end.STRANGERS_ANSWER, UNCLEAR, UNCLEAR),
    _charge("the answer of the sale before comes first", our_end.CROSSED_ANSWER, YES, YES),
    _charge("there is noise before the answer", our_end.NOISE, UNCLEAR, UNCLEAR),
)


def _back(name: str, fault: str, slip: set[Say], known: set[Say]) -> Back:
    return Back(name, fault, frozenset(slip), frozenset(known))


def _backs(unheard: set[Say]) -> tuple[Back, ...]:
    """Return the faults that any of the three may meet. `unheard`: what a yes means to nobody there."""
    return (
        _back("nothing goes wrong", "", YES, YES),
        _back("it is refused", "declined", NO, WAITS),
        _back("the acquirer is not sure, and did it", "unclear_charged", UNCLEAR, WAITS),
        _back("the acquirer is not sure, and did not", "unclear_not_charged", UNCLEAR, WAITS),
        _back("the acquirer cannot be reached", our_end.NO_LINE, UNCLEAR, WAITS),
        _back("it is lost before us", our_end.LOST_TO_US, UNCLEAR, WAITS),
        _back("it is torn off before us", our_end.TORN_TO_US, UNCLEAR, WAITS),
        _back("there is noise before it", our_end.NOISE_TO_US, UNCLEAR, WAITS),
        _back("it comes twice", our_end.DOUBLED_TO_US, YES, YES),
        _back("it is lost", our_end.LOST_REQUEST, UNCLEAR, WAITS),
        _back("it is torn off", our_end.TORN_REQUEST, UNCLEAR, WAITS),
        _back("the terminal's cable is pulled after it", our_end.UNPLUG, UNCLEAR, WAITS),
        _back("its answer is lost before us", our_end.LOST_ANSWER, UNCLEAR, WAITS),
        _back("its answer is torn off before us", our_end.TORN_ANSWER, UNCLEAR, WAITS),
        _back("its answer is lost behind us", our_end.LOST_TO_TERMINAL, UNCLEAR, YES),
        _back("its answer is torn off behind us", our_end.TORN_TO_TERMINAL, UNCLEAR, YES),
        _back("its answer comes when the terminal has hung up", our_end.LATE_ANSWER, UNCLEAR, unheard),
        _back("its answer comes late but in time", our_end.SLOW_ANSWER, YES, YES),
        _back("its answer comes twice", our_end.DOUBLED, YES, YES),
        _back("the answer of the one before comes instead", our_end.STRANGERS_ANSWER, UNCLEAR, WAITS),
        _back("the answer of the one before comes first", our_end.CROSSED_ANSWER, YES, YES),
        _back("there is noise before its answer", our_end.NOISE, UNCLEAR, WAITS),
    )


# A void that the terminal does not hear a yes to is reversed by it, so that yes counts for nothing.
VOIDS = _backs(unheard=WAITS)
REFUNDS = _backs(unheard=YES)
REVERSALS = _backs(unheard=YES)


def check_charge(charge: Charge, side: WatchedSide) -> None:
    """Charge the armed amount while something goes wrong, and have it taken back."""
    ask = armed(side)
    if charge.fault:
        side.arm("take", charge.fault)
    began_ms = side.clock.steady_ms()
    slip = side.keypad.sell(side.fen)
    must_print("charging", slip, charge.took)
    found, is_back = _found(side, ask, slip, charge.found)
    taken = charge.taken_fen(side.fen)
    must_be_booked(side, ask, taken, taken if is_back else [])
    was_sent = any(one.sight is Sight.SALE_SENT for one in side.sighted())
    # What nobody could read may have been a sale: that stays open, and is listed.
    ends = UNCLEAR if found.say is Say.UNCLEAR and not was_sent else NO
    late = replace(ask, given_up=True)
    if not is_back:
        must_be_true(found, taken)
    if slip.said is Say.APPROVED:
        must_say("undoing", side.payment.reverse(late, Evidence()), frozenset(WAITS))
        must_print("voiding", side.keypad.void(slip), frozenset(YES))
    elif slip.said is Say.UNCLEAR:
        must_print("reversing", side.keypad.reverse(slip), frozenset(YES if taken else NO))
        if was_sent and not taken:
            ends = _no_original(side, late, slip, began_ms)
    ended = until(side, ask, partial(side.payment.query, late), frozenset(ends))
    undone = side.payment.reverse(late, ended.evidence)
    must_say("undoing", undone, frozenset(YES if ended.say is Say.DECLINED else WAITS))
    must_be_booked(side, ask, taken, taken)
    if taken:
        must_have_told(side, ask, Sight.MONEY_BACK, 1)
    side.must_be_untouched()


def _found(side: WatchedSide, ask: Ask, slip: Slip, says: frozenset[Say]) -> tuple[Answer, bool]:
    """Return what is known of a charge, and whether a terminal that heard nothing has reversed it itself."""
    query = partial(side.payment.query, ask)
    found = until(side, ask, query, says | NO if slip.said is Say.UNCLEAR else says)
    is_back = found.evidence.code == _REVERSED and found.say is Say.DECLINED
    if not is_back:
        must_say("asked about", found, says)
    return found, is_back


def _no_original(side: WatchedSide, ask: Ask, slip: Slip, began_ms: int) -> set[Say]:
    """Expect "no such sale" to be believed only once the sale cannot be on its way any more.

    Returns how it ends: for a terminal that sends no second reversal it stays open, and is listed.
    """
    limit_ms = round(2000 * side.payment.clocks.host_timeout_s)
    said = side.payment.query(ask)
    if side.clock.steady_ms() - began_ms < limit_ms:
        must_say("asked about", said, frozenset(UNCLEAR))
    side.clock.sleep(limit_ms / 1000)
    again = side.keypad.reverse(slip)
    must_print("reversing", again, frozenset(NO | UNCLEAR))
    return NO if again.said is Say.DECLINED else UNCLEAR


def check_void(back: Back, side: WatchedSide) -> None:
    """Void a sale while something goes wrong. One without a yes is reversed and repeated."""
    ask, sale = charged(side)
    stands = [side.fen]
    undone = partial(side.payment.reverse, replace(ask, given_up=True), Evidence())
    must_say("undoing", undone(), frozenset(WAITS))
    if back.fault:
        side.arm("void", back.fault)
    void = side.keypad.void(sale)
    must_print("voiding", void, back.slip)
    said = until(side, ask, undone, back.known)
    if void.said is Say.UNCLEAR:
        side.keypad.reverse(void)
        must_be_booked(side, ask, stands, [])
        # It was said to be back and is not: nothing takes that word back, so a person is told.
        must_have_told(side, ask, Sight.VOID_UNDONE, 1 if said.say is Say.APPROVED else 0)
    if void.said is not Say.APPROVED:
        must_print("voiding", side.keypad.void(sale), frozenset(YES))
    must_be_back(side, ask)


def check_refund(back: Back, side: WatchedSide) -> None:
    """Give a sale back while something goes wrong, and once more where the slip is no yes."""
    ask, sale = charged(side)
    asked = back_of(side, ask, side.fen, Evidence())
    given = partial(side.payment.refund, ask, asked)
    must_say("giving back", given(), frozenset(WAITS))
    if back.fault:
        side.arm("refund", back.fault)
    slip = side.keypad.refund(sale, side.fen)
    must_print("giving back", slip, back.slip)
    said = until(side, ask, given, back.known)
    if slip.said is not Say.APPROVED:
        again = side.keypad.refund(sale, side.fen)
        # A refund whose yes nobody has seen stays open: it may be done, and no second one is made of it.
        is_known = Say.APPROVED in (said.say, again.said)
        said = until(side, ask, given, frozenset(YES if is_known else WAITS))
    _must_be_of(side, said)
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def check_reversal(back: Back, side: WatchedSide) -> None:
    """Reverse a sale that was not answered while something goes wrong, as often as it takes."""
    ask, sale = unanswered(side)
    undone = partial(side.payment.reverse, ask, Evidence())
    if back.fault:
        side.arm("reverse", back.fault)
    slip = side.keypad.reverse(sale)
    must_print("reversing", slip, back.slip)
    until(side, ask, undone, back.known)
    if slip.said is not Say.APPROVED:
        must_print("reversing", side.keypad.reverse(sale), frozenset(YES))
    must_be_back(side, ask)


def do_one(side: WatchedSide, call: str) -> None:
    """Do the same as `call` once, undisturbed, so that there is an answer before."""
    _, sale = charged(side)
    keypad = side.keypad
    back = {"refund": lambda: keypad.refund(sale, side.fen), "reverse": lambda: keypad.reverse(sale)}
    must_print("giving back", back.get(call, lambda: keypad.void(sale))(), frozenset(YES))


def armed(side: WatchedSide) -> Ask:
    """Return a new attempt that is armed."""
    ask = prepared(side)
    must_say("arming", side.payment.take(ask), frozenset(WAITS))
    return ask


def charged(side: WatchedSide) -> tuple[Ask, Slip]:
    """Return an attempt that was armed and charged, and its slip."""
    ask = armed(side)
    slip = side.keypad.sell(side.fen)
    must_print("charging", slip, frozenset(YES))
    must_be_paid(side, ask)
    return ask, slip


def unanswered(side: WatchedSide) -> tuple[Ask, Slip]:
    """Return an attempt whose answer was lost before us, and its slip. Raises NotThere."""
    ask = armed(side)
    side.arm("take", our_end.LOST_ANSWER)
    slip = side.keypad.sell(side.fen)
    must_print("charging", slip, frozenset(UNCLEAR))
    _, is_back = _found(side, ask, slip, frozenset(UNCLEAR))
    if is_back:
        raise NotThere("the terminal reverses by itself, at once: nothing can be done to it before")
    return ask, slip


def must_charge(side: WatchedSide, fen: int) -> Slip:
    """Have so much charged, and return the slip of the yes."""
    slip = side.keypad.sell(fen)
    must_print("charging", slip, frozenset(YES))
    return slip


def must_void(side: WatchedSide, sale: Slip) -> Slip:
    """Have a sale voided, and return the slip of the yes."""
    slip = side.keypad.void(sale)
    must_print("voiding", slip, frozenset(YES))
    return slip


def gives_up(side: WatchedSide, ask: Ask, says: set[Say]) -> None:
    """Let the cashier give an attempt up, and expect one of these answers."""
    said = side.payment.query(replace(ask, given_up=True))
    must_say("given up", said, frozenset(says))


def must_be_paid(side: WatchedSide, ask: Ask) -> None:
    """Raise Broken unless an attempt is known to be paid, whole."""
    found = until(side, ask, partial(side.payment.query, ask), frozenset(YES))
    must_be_true(found, [side.fen])


def must_be_back(side: WatchedSide, ask: Ask) -> None:
    """Raise Broken unless it is known that all of an attempt is back, and was taken and given back once."""
    until(side, ask, partial(side.payment.query, ask), frozenset(NO))
    must_say("undoing", side.payment.reverse(ask, Evidence()), frozenset(YES))
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def must_be_booked(side: WatchedSide, ask: Ask, taken: list[int], back: list[int]) -> None:
    """Raise Broken unless their books come to say this, to the fen: an answer may not wait for them."""
    wanted = [(TAKEN, fen) for fen in taken] + [(GIVEN_BACK, fen) for fen in back]
    until_ms = side.clock.steady_ms() + round(_BOOKED_WITHIN_S * 1000)
    while side.moved(ask.pay_ref) not in (None, wanted) and side.clock.steady_ms() < until_ms:
        side.clock.sleep(_LOOK_AGAIN_S)
    must_agree(side, ask, wanted)


def must_print(call: str, slip: Slip, says: frozenset[Say]) -> None:
    """Raise Broken unless a slip says one of `says`."""
    saw = f"{call}, by its slip: {told(Answer(slip.said))}"
    must(slip.said in says, f"{call}, by its slip: {in_words(says)}", saw)


def must_have_told(side: WatchedSide, ask: Ask, sight: Sight, times: int) -> None:
    """Raise Broken unless so much comes to be told unasked: the slip may be out before it is."""
    until_ms = side.clock.steady_ms() + round(_TOLD_WITHIN_S * 1000)
    while (count := count_told(side, ask, sight)) < times and side.clock.steady_ms() < until_ms:
        side.clock.sleep(_LOOK_AGAIN_S)
    must(count == times, f"told unasked: {sight.value}, {times} times", f"{count} times")


def count_told(side: WatchedSide, ask: Ask, sight: Sight) -> int:
    """Return how often this was told, once everything that has passed was looked at."""
    side.payment.query(ask)
    return sum(one.sight is sight for one in side.sighted())


def _must_be_of(side: WatchedSide, said: Answer) -> None:
    whole = said.approved_fen == (side.fen if said.say is Say.APPROVED else None)
    must(whole, f"a yes of {side.fen} fen", told(said))
