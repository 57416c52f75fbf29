"""Is a code that we show paid once, and impossible to pay once it is undone?"""

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify.scenarios import NOT_SCANNED, Reversal, Scenario
from terminal_agent.certify.side import (
    EXPLICIT,
    GIVEN_BACK,
    TAKEN,
    ShownSide,
    Side,
    back_of,
    must,
    must_agree,
    must_say,
    prepared,
    told,
    until,
)
from terminal_agent.checkout.ports import Answer, Ask, Say


def check_shown(scenario: Scenario, side: ShownSide) -> None:
    """Show a code while something goes wrong, let the shopper scan what is to be seen, and undo it.

    What was not paid must be impossible to pay once it is undone.
    """
    ask = prepared(side)
    if scenario.fault not in ("", NOT_SCANNED):
        side.arm("take", scenario.fault)
    taken = scenario.taken_fen(side.fen)

    took = side.payment.take(ask)
    must_say("showing a code", took, scenario.took)
    must(bool(took.show) == (took.say is Say.PENDING), "a code, and only while it is waited for", told(took))
    if took.show and scenario.fault != NOT_SCANNED:
        must(side.scan(took.show), "the shopper's scan is taken", "it is not")
        must(not side.scan(took.show), "a second scan is not taken", "it is")
    found = side.payment.query(ask)
    unscanned = set() if side.knows_unscanned else {Say.NOT_FOUND}
    must_say("asked about", found, scenario.found | (unscanned if Say.PENDING in scenario.found else set()))

    must_agree(side, ask, [(TAKEN, fen) for fen in taken])
    undo_found(side, ask, found, taken)
    if took.show:
        must(not side.scan(took.show), "a scan after it is undone is not taken", "it is")


def check_close(reversal: Reversal, side: ShownSide) -> None:
    """Close an unpaid order while something goes wrong, as often as it takes: then nobody can pay it."""
    ask = prepared(side)
    took = side.payment.take(ask)
    must(bool(took.show), "showing a code: a code", told(took))
    if reversal.fault:
        side.arm("reverse", reversal.fault)
    said = side.payment.reverse(ask, Evidence())
    must_say("closing", said, frozenset({Say.APPROVED, Say.UNCLEAR}))
    if said.say is Say.APPROVED:
        must(not side.scan(took.show), "a scan after it is closed is not taken", "it is")
    undo_shown(side, ask, Evidence(), [])
    must(not side.scan(took.show), "a scan after it is closed is not taken", "it is")
    must_agree(side, ask, [])


def undo_found(side: ShownSide, ask: Ask, found: Answer, taken: list[int]) -> None:
    """Undo what was found when it was asked about; an order that is not known needs no more than one try."""
    if found.say is not Say.NOT_FOUND or not side.knows_unscanned:
        undo_shown(side, ask, found.evidence, taken)
    else:
        undone = side.payment.reverse(ask, found.evidence)
        must_say("closing", undone, frozenset({Say.NOT_FOUND, Say.APPROVED}))


def undo_shown(side: Side, ask: Ask, evidence: Evidence, taken: list[int]) -> None:
    """Close an order until it is done, or give back what was paid, and expect nothing of it to stand."""
    side.clock.sleep(side.payment.clocks.reverse_not_before_s)
    undone = until(side, ask, lambda: side.payment.reverse(ask, evidence), EXPLICIT)
    if undone.say is Say.DECLINED:
        # It stands: a refund of the whole of what was taken is what follows.
        must(len(taken) == 1, "nothing stands that was not taken", told(undone))
        (fen,) = taken
        back = back_of(side, ask, fen, evidence)
        whole = replace(ask, amount_fen=fen)
        given = until(side, ask, lambda: side.payment.refund(whole, back), EXPLICIT)
        done = (given.say, given.approved_fen) == (Say.APPROVED, fen)
        must(done, f"giving back: yes of {fen} fen", told(given))
    again = side.payment.query(ask)
    must(again.say is not Say.APPROVED, "asked after it was undone: not yes", told(again))
    must_agree(side, ask, [(TAKEN, fen) for fen in taken] + [(GIVEN_BACK, fen) for fen in taken])
