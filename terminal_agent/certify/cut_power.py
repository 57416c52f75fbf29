"""The power fails at our end before and after each byte that we send: is money moved once, and found?"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from msgspec.structs import replace

from subsidy.records.payment import Evidence
from terminal_agent.certify.our_end import PowerCut
from terminal_agent.certify.show_a_code import undo_found, undo_shown
from terminal_agent.certify.side import (
    GIVEN_BACK,
    TAKEN,
    Broken,
    ShownSide,
    Side,
    back_of,
    must,
    must_agree,
    must_say,
    paid,
    prepared,
    told,
    until,
)
from terminal_agent.certify.take_and_undo import undo
from terminal_agent.checkout.ports import Answer, Ask, Say

_NOT_PAID = frozenset({Say.PENDING, Say.NOT_FOUND})

PointsOf = Callable[[int], list[int]]
"""After how many of so many bytes the power is to fail."""

_MOST_WAIT_S = 5.0


def every_byte(length: int) -> list[int]:
    """Return every point."""
    return list(range(length + 1))


def some_bytes(length: int) -> list[int]:
    """Return points at both ends and between."""
    quarters = (length // 4, length // 2, length * 3 // 4)
    return sorted({0, 1, *quarters, length - 2, length - 1, length})


def both_ends(length: int) -> list[int]:
    """Return the points before and after a request that leaves whole or not at all."""
    return [0, length]


def check_cut_payment(side: Side, points: PointsOf) -> None:
    """Cut a payment at each point, begin anew, ask, and undo what was taken."""
    length = _measured(side)
    for at in points(length):
        ask = prepared(side)
        _cut(side, at, partial(side.payment.take, ask))
        with at_byte(at, length):
            _settle(side, ask)


def check_cut_undo(side: Side, points: PointsOf) -> None:
    """Cut the undoing of a payment at each point, begin anew, and undo it."""
    length: int | None = None
    left: list[int] | None = None
    while left is None or left:
        ask = prepared(side)
        evidence = paid(side, ask).evidence
        side.clock.sleep(side.payment.clocks.reverse_not_before_s)
        at = None if left is None else left.pop(0)
        late = replace(ask, pay_code=None)
        _cut(side, at, partial(side.payment.reverse, late, evidence))
        if left is None:
            length = side.sent()
            left = points(length)
        side.restart()
        with at_byte(at, length):
            undo(side, ask, evidence, [side.fen])


def check_cut_return(side: Side, points: PointsOf) -> None:
    """Cut a return at each point, begin anew, and give back the same."""
    length: int | None = None
    left: list[int] | None = None
    while left is None or left:
        ask = prepared(side)
        back = back_of(side, ask, side.fen, paid(side, ask).evidence)
        at = None if left is None else left.pop(0)
        late = replace(ask, pay_code=None)
        _cut(side, at, partial(side.payment.refund, late, back))
        if left is None:
            length = side.sent()
            left = points(length)
        side.restart()
        with at_byte(at, length):
            for _ in range(2):
                again = partial(side.payment.refund, late, back)
                given = until(side, ask, again, frozenset({Say.APPROVED}))
                must(given.approved_fen == side.fen, f"a yes of {side.fen} fen", told(given))
            must_agree(side, ask, [(TAKEN, side.fen), (GIVEN_BACK, side.fen)])


def check_cut_showing(side: ShownSide, points: PointsOf) -> None:
    """Cut the making of an order at each point, begin anew, and close it: nobody has seen its code."""
    length: int | None = None
    left: list[int] | None = None
    while left is None or left:
        ask = prepared(side)
        at = None if left is None else left.pop(0)
        _cut(side, at, partial(side.payment.take, ask))
        if left is None:
            length = side.sent()
            left = points(length)
        side.restart()
        with at_byte(at, length):
            found = until(side, ask, partial(side.payment.query, ask), _NOT_PAID)
            undo_found(side, ask, found, [])
            must_agree(side, ask, [])


def check_cut_closing(side: ShownSide, points: PointsOf) -> None:
    """Cut the closing of an order at each point, begin anew, and close it: then nobody can pay it."""
    length: int | None = None
    left: list[int] | None = None
    while left is None or left:
        ask = prepared(side)
        took = side.payment.take(ask)
        must(bool(took.show), "showing a code: a code", told(took))
        at = None if left is None else left.pop(0)
        _cut(side, at, partial(side.payment.reverse, ask, Evidence()))
        if left is None:
            length = side.sent()
            left = points(length)
        side.restart()
        with at_byte(at, length):
            undo_shown(side, ask, Evidence(), [])
            must(not side.scan(took.show), "a scan after it is closed is not taken", "it is")


def _measured(side: Side) -> int:
    """Return how many bytes of ours an undisturbed payment takes; it is undone."""
    ask = prepared(side)
    side.cut_after(None)
    took = side.payment.take(ask)
    length = side.sent()
    must_say("paying", took, frozenset({Say.APPROVED, Say.PENDING}))
    _settle(side, ask)
    return length


def _cut(side: Side, at: int | None, call: Callable[[], Answer]) -> None:
    side.cut_after(at)
    with suppress(PowerCut):
        call()


def _settle(side: Side, ask: Ask) -> None:
    """Ask, as a new process does, what became of a payment, and undo it."""
    left_whole = side.left_whole()
    side.restart()
    payment = side.payment
    late = replace(ask, pay_code=None)
    if left_whole and not payment.not_found_is_no:
        # It may still be on its way: "I know of none" would mean nothing.
        side.clock.sleep(min(2 * payment.clocks.host_timeout_s, _MOST_WAIT_S))
    taken, evidence = [side.fen], Evidence()
    if side.can_be_asked:
        known = frozenset({Say.APPROVED, Say.DECLINED, Say.NOT_FOUND})
        found = until(side, ask, lambda: payment.query(late), known)
        taken, evidence = [side.fen] if found.say is Say.APPROVED else [], found.evidence
        must_agree(side, ask, [(TAKEN, fen) for fen in taken])
    else:
        moved = side.moved(ask.pay_ref)
        must(moved in (None, [], [(TAKEN, side.fen)]), "taken once or not at all", str(moved))
        taken = [fen for _, fen in moved or []]
    undo(side, ask, evidence, taken)


class at_byte:
    """Says at which byte a promise was broken."""

    def __init__(self, at: int | None, length: int | None) -> None:
        self._where = f"after byte {at} of {length}" if at is not None else "undisturbed"

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, fault: BaseException | None, _trace: object) -> None:
        if isinstance(fault, Broken):
            raise Broken(fault.must, f"{self._where}: {fault.saw}") from None
