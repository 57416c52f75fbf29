"""Is what was paid given back once, whatever goes wrong, and what was never paid not at all?"""

from msgspec.structs import replace

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.certify.scenarios import Refund
from terminal_agent.certify.side import (
    EXPLICIT,
    GIVEN_BACK,
    TAKEN,
    Side,
    back_of,
    must,
    must_agree,
    must_hide_the_code,
    must_say,
    paid,
    prepared,
    told,
    until,
)
from terminal_agent.checkout.ports import Say


def check_refund(refund: Refund, side: Side, *, day_ended: bool) -> None:
    """Give a paid attempt back while something goes wrong, as often as it takes and twice more."""
    ask = prepared(side)
    taken = paid(side, ask)
    if day_ended:
        side.end_day()
    back = back_of(side, ask, side.fen, taken.evidence)
    if refund.fault:
        side.arm("refund", refund.fault)
    # Whoever gives back no longer has the payment code.
    late = replace(ask, pay_code=None)
    stands, once = [(TAKEN, side.fen)], [(TAKEN, side.fen), (GIVEN_BACK, side.fen)]

    first = side.payment.refund(late, back)
    later = set() if side.says_at_once or Say.APPROVED not in refund.said else {Say.PENDING}
    must_say("giving back", first, refund.said | later)
    if first.say is Say.DECLINED:
        must_agree(side, ask, stands)
        return
    tries = [until(side, ask, lambda: side.payment.refund(late, back), refund.ended) for _ in range(3)]
    answers = [(one.say, one.approved_fen) for one in tries]
    must(len(set(answers)) == 1, "the same answer each time", "; ".join(told(one) for one in tries))
    for answer in (first, *tries):
        given = side.fen if answer.say is Say.APPROVED else None
        must(answer.approved_fen == given, f"a yes of {side.fen} fen", told(answer))
        must_hide_the_code(answer, ask)
    if tries[-1].say is Say.UNCLEAR:
        must_agree(side, ask, once, stands)
    else:
        must_agree(side, ask, once)


def check_part(side: Side, *, day_ended: bool) -> None:
    """Give back a part, twice with the same words, and expect that part once."""
    ask = prepared(side)
    taken = paid(side, ask)
    if day_ended:
        side.end_day()
    part = side.fen - 1
    back = back_of(side, ask, part, taken.evidence)
    for _ in range(2):
        answer = until(side, ask, lambda: side.payment.refund(ask, back), EXPLICIT)
        done = (answer.say, answer.approved_fen) == (Say.APPROVED, part)
        must(done, f"giving back a part: yes of {part} fen", told(answer))
    must_agree(side, ask, [(TAKEN, side.fen), (GIVEN_BACK, part)])


def check_too_much(side: Side) -> None:
    """Give the whole back, then a fen more under another number, and expect the whole once and no more."""
    ask = prepared(side)
    taken = paid(side, ask)
    back = back_of(side, ask, side.fen, taken.evidence)
    given = until(side, ask, lambda: side.payment.refund(ask, back), EXPLICIT)
    must_say("giving back", given, frozenset({Say.APPROVED}))
    record_id, attempt = ids.read_pay_ref(ask.pay_ref) or ("", 0)
    other_no = ids.refund_no(ids.pay_ref(record_id, attempt + 1))
    more = replace(back_of(side, ask, 1, taken.evidence), refund_no=other_no)
    for _ in range(2):
        answer = side.payment.refund(ask, more)
        must(answer.say is not Say.APPROVED, "giving back more than was paid: not yes", told(answer))
    must_agree(side, ask, [(TAKEN, side.fen), (GIVEN_BACK, side.fen)])


def check_nothing_to_give_back(side: Side, fault: str) -> None:
    """Try to give back what was never paid: never asked for, or gone wrong as `fault` says."""
    ask = prepared(side)
    evidence = Evidence()
    if fault:
        side.arm("take", fault)
        evidence = side.payment.take(ask).evidence
    back = back_of(side, ask, side.fen, evidence)
    for _ in range(2):
        answer = side.payment.refund(ask, back)
        must(answer.say is not Say.APPROVED, "giving back what was never paid: not yes", told(answer))
    must_agree(side, ask, [])
