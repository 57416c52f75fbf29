"""Is a payment known for what it is, whatever goes wrong while it is asked about?"""

from collections.abc import Callable

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify.scenarios import Question
from terminal_agent.certify.side import (
    EXPLICIT,
    TAKEN,
    Side,
    must,
    must_agree,
    must_hide_the_code,
    must_say,
    prepared,
    told,
    until,
)
from terminal_agent.checkout.ports import Ask, Say

Undo = Callable[[Ask, Evidence, list[int]], None]


def check_question(question: Question, side: Side, undo: Undo) -> None:
    """Have an attempt paid, ask about it while something goes wrong, ask again, and undo it."""
    ask = prepared(side)
    if question.call == "take":
        side.arm("take", question.fault)
    took = side.payment.take(ask)
    if took.show:
        must(side.scan(took.show), "the shopper's scan is taken", "it is not")
    if question.call == "query":
        side.arm("query", question.fault)
    # Whoever asks no longer has the payment code.
    late = replace(ask, pay_code=None)

    said = side.payment.query(late)
    must_say("asked about", said, question.said)
    found = until(side, ask, lambda: side.payment.query(late), EXPLICIT)
    yes = (found.say, found.approved_fen) == (Say.APPROVED, side.fen)
    must(yes, f"asked again: yes of {side.fen} fen", told(found))
    for answer in (said, found):
        must_hide_the_code(answer, ask)
    must_agree(side, ask, [(TAKEN, side.fen)])
    undo(ask, found.evidence, [side.fen])
