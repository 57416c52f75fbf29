"""What if the agent is off or blind while something happens at a watched terminal? It says so; bytes pass.

Whoever watches dies or stumbles, the line cannot be read, the power fails. What was armed then is unclear,
what is armed next is seen from its beginning, and what goes back is told.
"""

from functools import partial

from subsidy.records.payment import Evidence
from terminal_agent.certify import our_end
from terminal_agent.certify.scenarios import NO, UNCLEAR
from terminal_agent.certify.side import WatchedSide, must, must_say, prepared, ready, until
from terminal_agent.certify.watch_a_line import (
    WAITS,
    WatchedMoment,
    armed,
    charged,
    gives_up,
    must_be_back,
    must_be_booked,
    must_charge,
    must_have_told,
    must_print,
    must_void,
)
from terminal_agent.certify.watched_ends import POWER_OFF, WATCHER_DIES, WATCHER_STUMBLES
from terminal_agent.checkout.ports import Ask
from terminal_agent.checkout.sighting import Sight


def begin_anew(side: WatchedSide, ask: Ask) -> None:
    """Expect a new process to know nothing of what another one has armed, and to say so."""
    ready(side, ask)
    must_say("asked about", side.payment.query(ask), frozenset(UNCLEAR))
    must_say("undoing", side.payment.reverse(ask, Evidence()), frozenset(WAITS))


def _while_the_power_is_off(side: WatchedSide) -> None:
    ask = armed(side)
    side.trouble(POWER_OFF)
    sale = side.keypad.sell(side.fen)
    must_print("charging", sale, frozenset(UNCLEAR))
    side.restart()
    begin_anew(side, ask)
    must_print("reversing", side.keypad.reverse(sale), frozenset(NO))
    must_be_booked(side, ask, [], [])
    side.must_be_untouched()


def _after_the_power_was_off(side: WatchedSide) -> None:
    ask = armed(side)
    side.restart()
    begin_anew(side, ask)
    sale = must_charge(side, side.fen)
    must_say("asked about", side.payment.query(ask), frozenset(UNCLEAR))
    must_void(side, sale)
    must_have_told(side, ask, Sight.MONEY_BACK, 1)
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def _voided_after_the_power_was_off(side: WatchedSide) -> None:
    ask, sale = charged(side)
    number = next((one.evidence.batch, one.evidence.trace) for one in side.sighted())
    side.restart()
    begin_anew(side, ask)
    must_void(side, sale)
    must_have_told(side, ask, Sight.MONEY_BACK, 1)
    back = side.sighted()[-1].evidence
    must((back.batch, back.trace) == number, "told with the sale's batch and trace", "with others")
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def _the_watcher_dies(side: WatchedSide) -> None:
    ask = armed(side)
    side.trouble(WATCHER_DIES)
    sale = must_charge(side, side.fen)
    must_say("asked about", side.payment.query(ask), frozenset(UNCLEAR))
    must_void(side, sale)
    must(side.payment.prepare(ask) is None, "nothing can be armed that nobody watches", "it can")
    must_say("asked about", side.payment.query(ask), frozenset(UNCLEAR))
    must_be_booked(side, ask, [side.fen], [side.fen])
    side.must_be_untouched()


def _the_watcher_stumbles(side: WatchedSide) -> None:
    ask = armed(side)
    side.trouble(WATCHER_STUMBLES)
    sale = must_charge(side, side.fen)
    until(side, ask, partial(side.payment.query, ask), frozenset(UNCLEAR))
    must_void(side, sale)
    must_be_booked(side, ask, [side.fen], [side.fen])
    again, sale = charged(side)
    must_void(side, sale)
    must_be_back(side, again)


def _noise_while_nothing_is_armed(side: WatchedSide) -> None:
    prepared(side)
    side.arm("take", our_end.NOISE_TO_US)
    slip = side.keypad.sell(side.fen)
    must_print("charging", slip, frozenset(UNCLEAR))
    must_print("reversing", side.keypad.reverse(slip), frozenset(NO))
    ask = armed(side)
    gives_up(side, ask, NO)
    must_be_booked(side, ask, [], [])
    side.must_be_untouched()


def _encrypted_before(side: WatchedSide) -> None:
    ask = armed(side)
    side.arm("take", our_end.ENCRYPTED_TO_US)
    slip = side.keypad.sell(side.fen)
    must_print("charging", slip, frozenset(UNCLEAR))
    until(side, ask, partial(side.payment.query, ask), frozenset(UNCLEAR))
    must(side.payment.prepare(ask) is None, "nothing can be armed on a line that cannot be read", "it can")
    must_print("reversing", side.keypad.reverse(slip), frozenset(NO))
    again, sale = charged(side)  # in clear again
    must_void(side, sale)
    must_be_back(side, again)


_BLIND = "unclear, never not paid; the bytes pass"

CHARGED_BLINDLY = (
    WatchedMoment("while the power is off", _BLIND, _while_the_power_is_off, POWER_OFF),
    WatchedMoment("after the power was off", _BLIND, _after_the_power_was_off, POWER_OFF),
    WatchedMoment(
        "and voided after the power was off",
        "told with the sale's own batch and trace",
        _voided_after_the_power_was_off,
        POWER_OFF,
    ),
    WatchedMoment("while whoever watches dies", _BLIND, _the_watcher_dies, WATCHER_DIES),
    WatchedMoment(
        "while whoever watches stumbles",
        f"{_BLIND}; what is armed next is seen",
        _the_watcher_stumbles,
        WATCHER_STUMBLES,
    ),
    WatchedMoment(
        "in noise while nothing is armed",
        "what is armed next is seen from its beginning",
        _noise_while_nothing_is_armed,
        our_end.NOISE_TO_US,
    ),
    WatchedMoment(
        "encrypted, and then in clear",
        "nothing is armed on what cannot be read, and again on what can",
        _encrypted_before,
        our_end.ENCRYPTED_TO_US,
    ),
)
