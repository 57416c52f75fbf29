"""What if somebody charges or voids at a watched terminal at a moment at which nobody expects it?

While nothing is armed, after its time, while the cashier gives up, twice, with another amount. Nothing is
taken for the attempt that is none, and what is beside it is told for people.
"""

from functools import partial

from subsidy.records.payment import Evidence
from terminal_agent.certify import our_end
from terminal_agent.certify.scenarios import NO, UNCLEAR, YES
from terminal_agent.certify.side import (
    TAKEN,
    WatchedSide,
    booked,
    must,
    must_say,
    prepared,
    until,
)
from terminal_agent.certify.watch_a_line import (
    WAITS,
    WatchedMoment,
    armed,
    charged,
    gives_up,
    must_be_back,
    must_be_booked,
    must_be_paid,
    must_charge,
    must_have_told,
    must_print,
    must_void,
)
from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.checkout.sighting import Sight

_LAST_CALL, _NEARLY = 0.76, 0.85
"""Which part of its time is over when the till has stopped asking, and when there is hardly any left."""


def _nothing_is_armed(side: WatchedSide) -> None:
    prepared(side)
    plain = must_charge(side, side.fen)
    ask = armed(side)
    _must_be_nobodys(side, ask)
    must_void(side, plain)
    _must_be_nobodys(side, ask)
    gives_up(side, ask, NO)
    must_be_booked(side, ask, [], [side.fen])
    side.must_be_untouched()


def _its_time_ends(side: WatchedSide) -> None:
    ask = armed(side)
    _wait_until_it_is_over(side)
    must_say("asked about", side.payment.query(ask), frozenset(NO))
    must_be_booked(side, ask, [], [])


def _the_till_stops_asking(side: WatchedSide) -> None:
    ask = armed(side)
    side.clock.sleep(side.payment.clocks.answer_wait_s * _LAST_CALL)
    _must_be_nobodys(side, ask)
    must_have_told(side, ask, Sight.LAST_CALL, 1)
    sale = must_charge(side, side.fen)
    must_be_paid(side, ask)
    must_void(side, sale)
    must_be_back(side, ask)


def _after_its_time(side: WatchedSide) -> None:
    ask = armed(side)
    _wait_until_it_is_over(side)
    _charged_beside(side, ask)


def _after_it_was_given_up(side: WatchedSide) -> None:
    ask = armed(side)
    gives_up(side, ask, NO)
    _charged_beside(side, ask)


def _while_given_up(fault: str, side: WatchedSide) -> None:
    """Give up while a request or its answer is on its way: what was begun counts."""
    ask = armed(side)
    side.arm("take", fault)
    slip = side.meanwhile(lambda: side.keypad.sell(side.fen))
    side.until_held()
    gives_up(side, ask, WAITS)
    side.release()
    sale = slip()
    must_print("charging", sale, frozenset(YES))
    must_be_paid(side, ask)
    must_void(side, sale)
    must_be_back(side, ask)


def _given_up_and_torn_off(side: WatchedSide) -> None:
    ask = armed(side)
    side.arm("take", our_end.HELD_AND_TORN)
    slip = side.meanwhile(lambda: side.keypad.sell(side.fen))
    side.until_held()
    gives_up(side, ask, WAITS)
    side.release()
    must_print("charging", slip(), frozenset(UNCLEAR))
    until(side, ask, partial(side.payment.query, ask), frozenset(NO))
    must_be_booked(side, ask, [], [])
    side.must_be_untouched()


def _its_time_ends_meanwhile(side: WatchedSide) -> None:
    ask = armed(side)
    side.arm("take", our_end.HELD_ANSWER)
    armed_for_s = side.payment.clocks.answer_wait_s
    side.clock.sleep(armed_for_s * _NEARLY)
    slip = side.meanwhile(lambda: side.keypad.sell(side.fen))
    side.until_held()
    side.clock.sleep(armed_for_s * (1 - _NEARLY))
    must_say("asked about", side.payment.query(ask), frozenset(WAITS))
    side.release()
    sale = slip()
    if sale.said is Say.APPROVED:
        must_be_paid(side, ask)
        must_void(side, sale)
    else:  # it waits less long than that, and has hung up
        must_print("reversing", side.keypad.reverse(sale), frozenset(YES))
    must_be_back(side, ask)


def _of_another_amount(side: WatchedSide) -> None:
    ask = armed(side)
    other = must_charge(side, side.fen - 1)
    _must_be_nobodys(side, ask)
    must_void(side, other)
    _must_be_nobodys(side, ask)
    sale = must_charge(side, side.fen)
    must_be_paid(side, ask)
    must_void(side, sale)
    until(side, ask, partial(side.payment.query, ask), frozenset(NO))
    _must_sum_to_nothing(side, ask)


def _twice(side: WatchedSide) -> None:
    ask, first = charged(side)
    second = must_charge(side, side.fen)
    must_be_paid(side, ask)
    must_have_told(side, ask, Sight.SALE_NOT_OURS, 1)
    must_void(side, second)
    must_be_paid(side, ask)
    must_void(side, first)
    until(side, ask, partial(side.payment.query, ask), frozenset(NO))
    _must_sum_to_nothing(side, ask)


def _after_a_refusal(side: WatchedSide) -> None:
    ask = armed(side)
    side.arm("take", "declined")
    must_print("charging", side.keypad.sell(side.fen), frozenset(NO))
    until(side, ask, partial(side.payment.query, ask), frozenset(NO))
    _charged_beside(side, ask)


def _armed_anew(side: WatchedSide) -> None:
    first, second = armed(side), armed(side)
    must_say("asked about the first", side.payment.query(first), frozenset(NO))
    sale = must_charge(side, side.fen)
    must_be_paid(side, second)
    must_say("asked about the first", side.payment.query(first), frozenset(NO))
    must_void(side, sale)
    must_be_back(side, second)


def _an_older_one_is_voided(side: WatchedSide) -> None:
    older, sale = charged(side)
    ask = armed(side)
    must_void(side, sale)
    until(side, older, partial(side.payment.query, older), frozenset(NO))
    must_have_told(side, ask, Sight.MONEY_BACK, 1)
    _must_be_nobodys(side, ask)
    gives_up(side, ask, NO)
    must_be_booked(side, ask, [], [side.fen])
    side.must_be_untouched()


def _reversed_though_heard(side: WatchedSide) -> None:
    ask, sale = charged(side)
    must_print("reversing", side.keypad.reverse(sale), frozenset(YES))
    must_be_back(side, ask)
    must_have_told(side, ask, Sight.MONEY_BACK, 1)


def _the_void_is_reversed(side: WatchedSide) -> None:
    ask, sale = charged(side)
    void = must_void(side, sale)
    must_print("reversing", side.keypad.reverse(void), frozenset(YES))
    must_have_told(side, ask, Sight.VOID_UNDONE, 1)
    must_be_booked(side, ask, [side.fen], [])
    must_void(side, sale)
    must_be_back(side, ask)


def _a_part_goes_back(side: WatchedSide) -> None:
    ask, sale = charged(side)
    part = side.fen - 1
    must_print("giving back", side.keypad.refund(sale, part), frozenset(YES))
    must_be_paid(side, ask)
    must_say("undoing", side.payment.reverse(ask, Evidence()), frozenset(WAITS))
    must_have_told(side, ask, Sight.MONEY_BACK, 1)
    must(side.sighted()[-1].fen == part, f"told unasked: {part} fen went back", str(side.sighted()[-1].fen))
    must_be_booked(side, ask, [side.fen], [part])
    side.must_be_untouched()


def _on_another_day(side: WatchedSide) -> None:
    ask, sale = charged(side)
    side.end_day()
    must_print("giving back", side.keypad.refund(sale, side.fen), frozenset(YES))
    must_be_back(side, ask)


_BACK = "what is taken is known and taken back, once"
_BESIDE = "it is not the attempt, and is told for people"
_LATER = "what was begun counts; " + _BACK
_BLIND = "unclear, never not paid; the bytes pass"

CHARGED_AT = (
    WatchedMoment(
        "while nothing is armed", "it is nobody's, also once something is armed", _nothing_is_armed
    ),
    WatchedMoment("never", "when its time is over, nothing was paid", _its_time_ends),
    WatchedMoment(
        "at the last moment", "the till stops asking for it, and it counts", _the_till_stops_asking
    ),
    WatchedMoment("after its time", _BESIDE, _after_its_time),
    WatchedMoment("after it was given up", _BESIDE, _after_it_was_given_up),
    WatchedMoment(
        "while it is given up, half the request being here",
        _LATER,
        partial(_while_given_up, our_end.HELD_REQUEST),
        our_end.HELD_REQUEST,
    ),
    WatchedMoment(
        "while it is given up, half the request being here and no more",
        "it never was one, and nothing was paid",
        _given_up_and_torn_off,
        our_end.HELD_AND_TORN,
    ),
    WatchedMoment(
        "while it is given up, the answer being on its way",
        _LATER,
        partial(_while_given_up, our_end.HELD_ANSWER),
        our_end.HELD_ANSWER,
    ),
    WatchedMoment(
        "while its time ends, the answer being on its way",
        _LATER,
        _its_time_ends_meanwhile,
        our_end.HELD_ANSWER,
    ),
    WatchedMoment("with another amount", "it is not the attempt; the right one is", _of_another_amount),
    WatchedMoment("twice", f"the first is the attempt; of the second: {_BESIDE}", _twice),
    WatchedMoment("again after it was refused", _BESIDE, _after_a_refusal, "declined"),
    WatchedMoment("after another one was armed", "it is the one that was armed last", _armed_anew),
    WatchedMoment(
        "while an older one is voided", "the older one is back, the armed one waits", _an_older_one_is_voided
    ),
    WatchedMoment("and reversed though it was answered", _BACK, _reversed_though_heard),
    WatchedMoment("and voided, and the void reversed", "told for people: it stands", _the_void_is_reversed),
    WatchedMoment("and a part given back", "it stands, and the part is told for people", _a_part_goes_back),
    WatchedMoment("and given back once the day is closed", _BACK, _on_another_day, day_ends=True),
)


def _must_be_nobodys(side: WatchedSide, ask: Ask) -> None:
    must_say("asked about", side.payment.query(ask), frozenset(WAITS))


def _charged_beside(side: WatchedSide, ask: Ask) -> None:
    sale = must_charge(side, side.fen)
    must_say("asked about", side.payment.query(ask), frozenset(NO))
    must_have_told(side, ask, Sight.SALE_NOT_OURS, 1)
    must_void(side, sale)
    must_say("asked about", side.payment.query(ask), frozenset(NO))
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def _must_sum_to_nothing(side: WatchedSide, ask: Ask) -> None:
    moved = side.moved(ask.pay_ref) or []
    left = sum(fen if what == TAKEN else -fen for what, fen in moved)
    must(left == 0, "their books: nothing stands", f"their books: {booked(moved)}")
    side.must_be_untouched()


def _wait_until_it_is_over(side: WatchedSide) -> None:
    side.clock.sleep(side.payment.clocks.answer_wait_s)
