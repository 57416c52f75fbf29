"""Is a payment told as it is and undone whole, whatever goes wrong while it is taken or undone?"""

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify.scenarios import Reversal, Scenario
from terminal_agent.certify.side import (
    EXPLICIT,
    GIVEN_BACK,
    TAKEN,
    Side,
    must,
    must_agree,
    must_hide_the_code,
    must_say,
    paid,
    prepared,
    told,
    until,
)
from terminal_agent.checkout.ports import Answer, Ask, Say


def check(scenario: Scenario, side: Side) -> None:
    """Take money while something goes wrong, ask what became of it, and undo it."""
    ask = prepared(side)
    if scenario.fault:
        side.arm("take", scenario.fault)
    taken = scenario.taken_fen(side.fen)

    took = side.payment.take(ask)
    later = set() if side.says_at_once or Say.APPROVED not in scenario.took else {Say.PENDING}
    must_say("paying", took, scenario.took | later)
    found = side.payment.query(ask)
    may_find = scenario.found | later if side.can_be_asked else frozenset({Say.UNCLEAR})
    must_say("asked about", found, may_find | side.cannot_tell(scenario.fault))
    if found.say is Say.PENDING:
        found = until(side, ask, lambda: side.payment.query(ask), EXPLICIT)

    must_agree(side, ask, [(TAKEN, fen) for fen in taken])
    for answer in (took, found):
        must_be_true(answer, taken)
        must_hide_the_code(answer, ask)
    undo(side, ask, found.evidence if found.evidence != Evidence() else took.evidence, taken)


def check_reversal(reversal: Reversal, side: Side) -> None:
    """Undo a paid attempt while something goes wrong, as often as it takes."""
    ask = prepared(side)
    taken = paid(side, ask)
    if reversal.fault:
        side.arm("reverse", reversal.fault)
    side.clock.sleep(side.payment.clocks.reverse_not_before_s)

    said = side.payment.reverse(ask, taken.evidence)
    must_say("undoing", said, reversal.said)
    if said.say is Say.DECLINED:
        # Then the payment certainly stands, and a refund is what follows.
        must_agree(side, ask, [(TAKEN, side.fen)])
        return
    if Say.UNCLEAR in side.cannot_tell(reversal.fault):
        # A terminal that did not say what became of its void is not told to void again: a person looks.
        again = [side.payment.reverse(ask, taken.evidence) for _ in range(2)]
        for answer in again:
            must_say("undoing", answer, frozenset({Say.APPROVED, Say.UNCLEAR}))
        stands = [(TAKEN, side.fen)]
        done = [*stands, (GIVEN_BACK, side.fen)]
        must_agree(side, ask, done, *([] if again[-1].say is Say.APPROVED else [stands]))
        return
    undo(side, ask, taken.evidence, [side.fen])


def undo(side: Side, ask: Ask, evidence: Evidence, taken: list[int]) -> None:
    """Reverse until it is done, once more besides, and expect everything back once and no more."""
    payment = side.payment
    # Later askers, such as a restarted agent, no longer have the payment code.
    late = replace(ask, pay_code=None)
    side.clock.sleep(payment.clocks.reverse_not_before_s)
    if taken or payment.reverses_blind:
        confirmed = taken or side.undoes_unknown
        undone = frozenset({Say.APPROVED} if confirmed else {Say.APPROVED, Say.NOT_FOUND})
        until(side, ask, lambda: payment.reverse(late, evidence), undone)
        _must_not_stand(payment.reverse(late, evidence))
        again = payment.query(late)
        must(again.say is not Say.APPROVED, "asked after it was undone: not yes", told(again))
    else:
        _must_not_stand(payment.reverse(late, evidence))
    must_agree(side, ask, [(TAKEN, fen) for fen in taken] + [(GIVEN_BACK, fen) for fen in taken])


def _must_not_stand(said: Answer) -> None:
    must(said.say is not Say.DECLINED, "undone once more: not that the payment stands", told(said))


def must_be_true(answer: Answer, taken: list[int]) -> None:
    """Raise Broken when an answer says something else of a payment than what was taken."""
    if answer.say is Say.APPROVED:
        must(answer.approved_fen == sum(taken) and bool(taken), f"a yes of {sum(taken)} fen", told(answer))
    else:
        must(answer.approved_fen is None, "an amount only with a yes", told(answer))
    must(not (answer.say is Say.DECLINED and taken), "no explicit no to what was taken", told(answer))
