"""What may go wrong where a watched terminal hands its frames over a serial line, and what is known then?

The scenarios of `watch_a_line.py`, with what is known there: a frame is acknowledged and sent again, so
noise and what is lost once do no harm, an answer that is not acknowledged was not heard, and one frame alone
is handed back. And those that only such a line has.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from terminal_agent.certify import our_end, watch_a_line, watched_blindly, watched_moments
from terminal_agent.certify.scenarios import NO, UNCLEAR, WHOLE, YES
from terminal_agent.certify.side import WatchedSide, prepared, until
from terminal_agent.certify.watch_a_line import (
    WAITS,
    Back,
    Charge,
    Watched,
    WatchedMoment,
    armed,
    gives_up,
    must_be_back,
    must_be_booked,
    must_be_paid,
    must_charge,
    must_void,
)
from terminal_agent.certify.watched_ends import CABLE_OUT
from terminal_agent.checkout.ports import Say

_NOBODY_WAITS = "the answer comes when nobody waits for it any more"
_YES, _UNCLEAR, _WAITS = frozenset(YES), frozenset(UNCLEAR), frozenset(WAITS)

_CHARGED: Mapping[str, dict[str, Any]] = {
    our_end.NOISE_TO_US: {"took": _YES, "found": _YES, "taken": (WHOLE,)},
    our_end.LOST_TO_TERMINAL: {"found": _UNCLEAR},
    our_end.TORN_TO_TERMINAL: {"found": _UNCLEAR},
    our_end.LATE_ANSWER: {"name": _NOBODY_WAITS},
    our_end.CROSSED_ANSWER: {"took": _UNCLEAR, "found": _UNCLEAR},
}


def _given_back(unheard: frozenset[Say]) -> Mapping[str, dict[str, Any]]:
    """Return what is other for a step. `unheard`: what a yes means there that the terminal does not hear."""
    return {
        our_end.NOISE_TO_US: {"slip": _YES, "known": _YES},
        our_end.UNPLUG: {"known": unheard},
        our_end.LOST_TO_TERMINAL: {"known": unheard},
        our_end.TORN_TO_TERMINAL: {"known": unheard},
        our_end.LATE_ANSWER: {"name": f"its {_NOBODY_WAITS.removeprefix('the ')}", "known": _WAITS},
        our_end.CROSSED_ANSWER: {"slip": _UNCLEAR, "known": _WAITS},
    }


def _charge(name: str, fault: str, slip: set[Say], known: set[Say], *taken: str) -> Charge:
    return Charge(name, fault, frozenset(slip), frozenset(known), taken)


CHARGES = (
    *(replace(one, **_CHARGED.get(one.fault, {})) for one in watch_a_line.CHARGES),
    _charge("the request is lost once, and comes again", our_end.LOST_ONCE_TO_US, YES, YES, WHOLE),
    _charge("the request fails its check once", our_end.BROKEN_ONCE_TO_US, YES, YES, WHOLE),
    _charge("what is handed over is no frame", our_end.NO_FRAME_TO_US, UNCLEAR, UNCLEAR),
    _charge("our ACK is lost, so the request comes again", our_end.OUR_ACK_LOST, YES, YES, WHOLE),
    _charge("the answer is lost once behind us", our_end.LOST_ONCE_TO_TERMINAL, YES, YES, WHOLE),
    _charge("the answer fails its check once", our_end.BROKEN_ONCE_TO_TERMINAL, YES, YES, WHOLE),
    _charge("the answer fails its check each time", our_end.BROKEN_TO_TERMINAL, UNCLEAR, UNCLEAR, WHOLE),
    _charge("there is noise behind us, before the answer", our_end.NOISE_TO_TERMINAL, YES, YES, WHOLE),
    _charge("the terminal's ACK is lost once", our_end.THEIR_ACK_LOST, YES, YES, WHOLE),
    _charge("the terminal's ACK is lost each time", our_end.THEIR_ACKS_LOST, YES, UNCLEAR, WHOLE),
    _charge("there is noise before the terminal's ACK", our_end.NOISE_FOR_THEIR_ACK, YES, YES, WHOLE),
)


def _backs(backs: tuple[Back, ...], unheard: frozenset[Say]) -> tuple[Back, ...]:
    other = _given_back(unheard)
    return (
        *(replace(one, **other.get(one.fault, {})) for one in backs),
        Back("it fails its check once", our_end.BROKEN_ONCE_TO_US, _YES, _YES),
        Back("our ACK is lost, so it comes again", our_end.OUR_ACK_LOST, _YES, _YES),
        Back("its answer fails its check each time", our_end.BROKEN_TO_TERMINAL, _UNCLEAR, unheard),
        Back("the terminal's ACK is lost once", our_end.THEIR_ACK_LOST, _YES, _YES),
    )


VOIDS = _backs(watch_a_line.VOIDS, _WAITS)
REFUNDS = _backs(watch_a_line.REFUNDS, _YES)
REVERSALS = _backs(watch_a_line.REVERSALS, _YES)


def _noise_while_nothing_is_armed(side: WatchedSide) -> None:
    prepared(side)
    side.arm("take", our_end.NOISE_TO_US)
    plain = must_charge(side, side.fen)
    ask = armed(side)
    must_void(side, plain)
    gives_up(side, ask, NO)
    must_be_booked(side, ask, [], [side.fen])
    side.must_be_untouched()


def _after_the_cable_was_out(side: WatchedSide) -> None:
    ask = armed(side)
    side.trouble(CABLE_OUT)
    until(side, ask, partial(side.payment.query, ask), _UNCLEAR)
    sale = must_charge(side, side.fen)
    must_be_paid(side, ask)
    must_void(side, sale)
    must_be_back(side, ask)


def _never_and_the_cable_was_out(side: WatchedSide) -> None:
    ask = armed(side)
    side.trouble(CABLE_OUT)
    until(side, ask, partial(side.payment.query, ask), _UNCLEAR)
    gives_up(side, ask, UNCLEAR)
    must_be_booked(side, ask, [], [])


_OTHER_MOMENTS: Mapping[str, dict[str, Any]] = {
    our_end.NOISE_TO_US: {
        "must": "what is charged there is nobody's, and what is armed next is seen from its beginning",
        "check": _noise_while_nothing_is_armed,
    }
}

MOMENTS = (
    *watched_moments.CHARGED_AT,
    *(replace(one, **_OTHER_MOMENTS.get(one.fault, {})) for one in watched_blindly.CHARGED_BLINDLY),
    WatchedMoment(
        "after the cable was out",
        "unclear until it is charged; what is seen then counts",
        _after_the_cable_was_out,
        CABLE_OUT,
    ),
    WatchedMoment(
        "never, and the cable was out",
        "never not paid: it may have gone another way",
        _never_and_the_cable_was_out,
        CABLE_OUT,
    ),
)

SCENARIOS = Watched(CHARGES, VOIDS, REFUNDS, REVERSALS, MOMENTS)
