"""The agent's power fails before and after each byte that passes through it: do the bytes pass again at once?

Whatever was under way, the agent knows nothing of it afterwards and says so. What the terminal then undoes is
seen by the new process, and is told with the batch and trace by which the journal finds the sale.
"""

from collections.abc import Callable
from typing import NamedTuple

from terminal_agent.certify.cut_power import PointsOf, at_byte
from terminal_agent.certify.scenarios import NO, YES
from terminal_agent.certify.side import Slip, WatchedSide
from terminal_agent.certify.watch_a_line import (
    armed,
    charged,
    count_told,
    must_be_booked,
    must_have_told,
    must_print,
    unanswered,
)
from terminal_agent.certify.watched_blindly import begin_anew
from terminal_agent.checkout.ports import Ask, Say
from terminal_agent.checkout.sighting import Sight

EITHER = frozenset(YES | NO)


class Step(NamedTuple):
    """What is under way: how it begins, what is keyed in, and what follows once the agent is there again.

    `begin` returns the attempt and the slip of its sale, None where that is what is keyed in. `follow` says
    whether money went back by it: of what went back as the power failed only the files may know.
    """

    name: str
    begin: Callable[[WatchedSide], tuple[Ask, Slip | None]]
    key_in: Callable[[WatchedSide, Slip | None], Slip]
    follow: Callable[[WatchedSide, Ask, Slip | None, Slip], bool]


def check_step(step: Step, side: WatchedSide, points: PointsOf) -> None:
    """Cut a step at each point of what passes, both ways, begin anew, and have it ended at the terminal."""
    length: int | None = None
    left: list[int] | None = None
    while left is None or left:
        ask, sale = step.begin(side)
        at = None if left is None else left.pop(0)
        side.cut_after(at)
        slip = step.key_in(side, sale)
        if left is None:
            length = side.sent()
            left = points(length)
        side.restart()
        with at_byte(at, length):
            begin_anew(side, ask)
            told_before = count_told(side, ask, Sight.MONEY_BACK)
            # By the new run of the agent, so that the journal finds what went back.
            if step.follow(side, ask, sale, slip):
                must_have_told(side, ask, Sight.MONEY_BACK, told_before + 1)
    side.must_be_untouched()


def _armed(side: WatchedSide) -> tuple[Ask, Slip | None]:
    return armed(side), None


def _sell(side: WatchedSide, _: Slip | None) -> Slip:
    return side.keypad.sell(side.fen)


def _void(side: WatchedSide, sale: Slip | None) -> Slip:
    assert sale is not None
    return side.keypad.void(sale)


def _refund(side: WatchedSide, sale: Slip | None) -> Slip:
    assert sale is not None
    return side.keypad.refund(sale, side.fen)


def _reverse(side: WatchedSide, sale: Slip | None) -> Slip:
    assert sale is not None
    return side.keypad.reverse(sale)


def _after_a_sale(side: WatchedSide, ask: Ask, _: Slip | None, slip: Slip) -> bool:
    if slip.said is Say.APPROVED:
        must_print("voiding", side.keypad.void(slip), frozenset(YES))
        must_be_booked(side, ask, [side.fen], [side.fen])
        return True
    back = side.keypad.reverse(slip)
    must_print("reversing", back, EITHER)
    taken = [side.fen] if back.said is Say.APPROVED else []
    must_be_booked(side, ask, taken, taken)
    return bool(taken)


def _after_a_void(side: WatchedSide, ask: Ask, sale: Slip | None, slip: Slip) -> bool:
    assert sale is not None
    is_repeated = slip.said is not Say.APPROVED
    if is_repeated:
        must_print("reversing", side.keypad.reverse(slip), EITHER)
        must_be_booked(side, ask, [side.fen], [])
        must_print("voiding", side.keypad.void(sale), frozenset(YES))
    must_be_booked(side, ask, [side.fen], [side.fen])
    return is_repeated


def _after_a_refund(side: WatchedSide, ask: Ask, sale: Slip | None, slip: Slip) -> bool:
    assert sale is not None
    again = None
    if slip.said is not Say.APPROVED:
        # Refused where it was done: the acquirer gives no more back than was taken.
        again = side.keypad.refund(sale, side.fen)
        must_print("giving back", again, EITHER)
    must_be_booked(side, ask, [side.fen], [side.fen])
    return again is not None and again.said is Say.APPROVED


def _after_a_reversal(side: WatchedSide, ask: Ask, sale: Slip | None, slip: Slip) -> bool:
    assert sale is not None
    is_repeated = slip.said is not Say.APPROVED
    if is_repeated:
        must_print("reversing", side.keypad.reverse(sale), frozenset(YES))
    must_be_booked(side, ask, [side.fen], [side.fen])
    return is_repeated


STEPS = (
    Step("charging", _armed, _sell, _after_a_sale),
    Step("voiding", charged, _void, _after_a_void),
    Step("giving back", charged, _refund, _after_a_refund),
    Step("reversing", unanswered, _reverse, _after_a_reversal),
)
