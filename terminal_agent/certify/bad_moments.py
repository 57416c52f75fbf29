"""What if the shopper pays a code of ours at a moment at which nobody expects it?

Before and after it is closed, at the last second and too late, while our power is off, by an older code than
the one that stands there. Whatever is taken is known, and undone whole, once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify.show_a_code import undo_shown
from terminal_agent.certify.side import (
    EXPLICIT,
    TAKEN,
    ShownSide,
    back_of,
    must,
    must_agree,
    must_say,
    prepared,
    told,
    until,
)
from terminal_agent.checkout.ports import Ask, Say

_LONG_S = 60
_SHORT_S = 3
_LAST_MS, _AFTER_MS = 800, 200


@dataclass(frozen=True)
class Moment:
    """A moment at which the shopper pays, after the next closing was struck by `fault` if there is one.

    `is_short` where the code's time is made too short for any channel but an emulated one.
    """

    name: str
    must: str
    check: Callable[[ShownSide], None]
    fault: str = ""
    is_short: bool = False


def _before_it_is_closed(side: ShownSide) -> None:
    ask, code = _shown(side, _LONG_S)
    _scan(side, code)
    undo_shown(side, ask, Evidence(), [side.fen])


def _after_a_closing(fault: str, side: ShownSide) -> None:
    ask, code = _shown(side, _LONG_S)
    side.arm("reverse", fault)
    must_say("closing", side.payment.reverse(ask, Evidence()), frozenset({Say.UNCLEAR}))
    _scan(side, code)
    must_agree(side, ask, [(TAKEN, side.fen)])
    undo_shown(side, ask, Evidence(), [side.fen])
    _must_be_over(side, code)


def _at_the_last_second(side: ShownSide) -> None:
    ask, code = _shown(side, _SHORT_S)
    # Channels write the end in whole seconds.
    _wait_until(side, _end_ms(ask) // 1000 * 1000 - _LAST_MS)
    _scan(side, code)
    _must_be_paid(side, ask)
    _wait_until(side, _end_ms(ask) + _AFTER_MS)
    _must_be_paid(side, ask)
    undo_shown(side, ask, Evidence(), [side.fen])


def _too_late(side: ShownSide) -> None:
    ask, code = _shown(side, _SHORT_S)
    _wait_until(side, _end_ms(ask) + _AFTER_MS)
    _must_be_over(side, code)
    must_say("asked about", side.payment.query(ask), frozenset({Say.PENDING, Say.NOT_FOUND, Say.DECLINED}))
    undo_shown(side, ask, Evidence(), [])
    _must_be_over(side, code)


def _while_the_power_is_off(side: ShownSide) -> None:
    ask, code = _shown(side, _LONG_S)
    _scan(side, code)
    side.restart()
    _must_be_paid(side, ask)
    undo_shown(side, ask, Evidence(), [side.fen])


def _by_an_older_code(side: ShownSide) -> None:
    first, old = _shown(side)
    undo_shown(side, first, Evidence(), [])
    second, new = _shown(side, _LONG_S)
    _must_be_over(side, old)
    _scan(side, new)
    _must_be_paid(side, second)
    undo_shown(side, second, Evidence(), [side.fen])


def _one_of_two(side: ShownSide) -> None:
    second, other = _shown(side)
    ask, code = _shown(side, _LONG_S)
    _scan(side, code)
    must_say("asked about the other", side.payment.query(second), frozenset({Say.PENDING, Say.NOT_FOUND}))
    _must_be_paid(side, ask)
    closed = until(side, second, lambda: side.payment.reverse(second, Evidence()), EXPLICIT)
    must_say("closing the other", closed, frozenset({Say.APPROVED}))
    _must_be_over(side, other)
    undo_shown(side, ask, Evidence(), [side.fen])


def _asked_back_before(side: ShownSide) -> None:
    ask, code = _shown(side, _LONG_S)
    given = side.payment.refund(ask, back_of(side, ask, side.fen, Evidence()))
    must(given.say is not Say.APPROVED, "giving back what nobody has paid yet: not yes", told(given))
    _scan(side, code)
    _must_be_paid(side, ask)
    undo_shown(side, ask, Evidence(), [side.fen])


_UNDONE = "taken once, and undone whole, once"

MOMENTS = (
    Moment("before it is closed, and nobody has asked", _UNDONE, _before_it_is_closed),
    Moment(
        "after a closing that was lost", _UNDONE, partial(_after_a_closing, "lost_request"), "lost_request"
    ),
    Moment("after a closing that was refused", _UNDONE, partial(_after_a_closing, "declined"), "declined"),
    Moment(
        "after a closing that was confirmed and did not hold",
        _UNDONE,
        partial(_after_a_closing, "closed_not_held"),
        "closed_not_held",
    ),
    Moment(
        "at the last second",
        "taken once, still paid when its time is over, and undone whole, once",
        _at_the_last_second,
        is_short=True,
    ),
    Moment("when its time is over", "nothing is taken, also once it is closed", _too_late, is_short=True),
    Moment("while our power is off", "after the restart it is known; " + _UNDONE, _while_the_power_is_off),
    Moment("by an older code", "only the code that stands there can be paid; " + _UNDONE, _by_an_older_code),
    Moment("one of two that are shown at once", "only that one is paid; the other is closed", _one_of_two),
    Moment("after it was asked back", "nothing is given back before; " + _UNDONE, _asked_back_before),
)


def _shown(side: ShownSide, for_s: int | None = None) -> tuple[Ask, str]:
    """Return an attempt and its code, which is good for so long."""
    ask = prepared(side)
    if for_s is not None:
        ask = replace(ask, show_until_ms=side.clock.wall_ms() + for_s * 1000, show_for_s=for_s)
    took = side.payment.take(ask)
    must(bool(took.show), "showing a code: a code", told(took))
    return ask, took.show


def _end_ms(ask: Ask) -> int:
    assert ask.show_until_ms is not None
    return ask.show_until_ms


def _wait_until(side: ShownSide, at_ms: int) -> None:
    side.clock.sleep(max(at_ms - side.clock.wall_ms(), 0) / 1000)


def _scan(side: ShownSide, code: str) -> None:
    must(side.scan(code), "the shopper's scan is taken", "it is not")


def _must_be_over(side: ShownSide, code: str) -> None:
    must(not side.scan(code), "a scan of what is over is not taken", "it is")


def _must_be_paid(side: ShownSide, ask: Ask) -> None:
    found = until(side, ask, lambda: side.payment.query(ask), EXPLICIT)
    paid = (found.say, found.approved_fen) == (Say.APPROVED, side.fen)
    must(paid, f"asked about: yes of {side.fen} fen", told(found))
    must_agree(side, ask, [(TAKEN, side.fen)])
