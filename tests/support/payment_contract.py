"""What does every link that takes money promise, whatever goes wrong on it?

Scenarios as data, played against a link and the emulator behind it; plain asserts, so whoever adds a
link can run them without pytest. `arm` and `moved` translate between the words used here and the emulator's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from subsidy import ids
from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Answer, Ask, Back, Payment, Say

FEN = 85_000
PATIENCE_S = 6.0
EXPLICIT = frozenset({Say.APPROVED, Say.DECLINED})

Moved = list[tuple[str, int]]


class Side(Protocol):
    """A link and the other side's books."""

    payment: Payment
    says_at_once: bool
    """Whether a yes to a payment is said in the answer to it, or only when asked for."""
    undoes_unknown: bool
    """Whether undoing what it never heard of is confirmed too: elsewhere it may say that it finds none."""

    def new_ask(self, fen: int) -> Ask:
        """Return an attempt that nobody has had before."""

    def arm(self, call: str, fault: str) -> None:
        """Let the next "take", "reverse" or "refund" be struck by a fault, named as in the tables below."""

    def end_day(self) -> None:
        """Let the other side close its day, after which it may give money back in another way."""

    def moved(self, pay_ref: str) -> Moved:
        """Return what the other side has booked: ("taken" or "given back", fen), in order."""

    def cannot_tell(self, fault: str) -> frozenset[Say]:
        """Return what this link may find beside, after a fault of which its other side keeps no account."""


@dataclass(frozen=True)
class Scenario:
    """A fault while money is taken: what may be answered, what is found, and what was really taken."""

    name: str
    fault: str
    took: frozenset[Say]
    found: frozenset[Say]
    taken: tuple[int, ...]


@dataclass(frozen=True)
class Reversal:
    """A fault while a paid attempt is undone: what may be answered at first."""

    name: str
    fault: str
    said: frozenset[Say]


@dataclass(frozen=True)
class Refund:
    """A fault while a paid attempt is given back: what may be answered at first, and in the end."""

    name: str
    fault: str
    said: frozenset[Say]
    ended: frozenset[Say] = frozenset({Say.APPROVED})


def _scenario(
    name: str, fault: str, took: set[Say], found: set[Say], taken: tuple[int, ...] = (FEN,)
) -> Scenario:
    return Scenario(name, fault, frozenset(took), frozenset(found), taken)


YES, NO, UNCLEAR = {Say.APPROVED}, {Say.DECLINED}, {Say.UNCLEAR}

SCENARIOS = (
    _scenario("nothing goes wrong", "", YES, YES),
    _scenario("an explicit no", "declined", NO, NO, ()),
    _scenario("the request is lost", "lost_request", UNCLEAR, {Say.NOT_FOUND}, ()),
    _scenario("the answer is lost", "lost_answer", UNCLEAR, YES),
    _scenario("the answer comes too late", "late_answer", UNCLEAR, YES),
    _scenario("the answer comes late but in time", "slow_answer", YES, YES),
    _scenario("the answer is broken", "broken_answer", UNCLEAR, YES),
    _scenario("something comes twice", "doubled", YES | UNCLEAR, YES),
    _scenario("another amount is taken", "wrong_amount", YES, YES, (1,)),
    _scenario("somebody else's answer comes", "strangers_answer", UNCLEAR, YES),
    _scenario("the other side is not sure, and took it", "unclear_charged", UNCLEAR, YES | UNCLEAR),
    _scenario(
        "the other side is not sure, and did not",
        "unclear_not_charged",
        UNCLEAR,
        {Say.UNCLEAR, Say.NOT_FOUND},
        (),
    ),
    _scenario("the other side is at work", "at_work", {Say.PENDING, Say.UNCLEAR}, {Say.PENDING}),
)

REVERSALS = (
    Reversal("nothing goes wrong", "", frozenset(YES)),
    Reversal("the reversal is lost", "lost_request", frozenset(UNCLEAR)),
    Reversal("its answer is lost", "lost_answer", frozenset(UNCLEAR)),
    Reversal("its answer comes too late", "late_answer", frozenset(UNCLEAR)),
    Reversal("its answer is broken", "broken_answer", frozenset(UNCLEAR)),
    Reversal("it comes twice", "doubled", frozenset(YES | UNCLEAR)),
    Reversal("it is refused", "declined", frozenset({Say.UNCLEAR, Say.DECLINED})),
)

REFUNDS = (
    Refund("nothing goes wrong", "", frozenset(YES)),
    Refund("the request is lost", "lost_request", frozenset(UNCLEAR)),
    Refund("its answer is lost", "lost_answer", frozenset(UNCLEAR)),
    Refund("its answer comes too late", "late_answer", frozenset(UNCLEAR)),
    Refund("its answer comes late but in time", "slow_answer", frozenset(YES)),
    Refund("its answer is broken", "broken_answer", frozenset(UNCLEAR)),
    Refund("it comes twice", "doubled", frozenset(YES)),
    Refund("somebody else's answer comes", "strangers_answer", frozenset(UNCLEAR)),
    Refund("it is refused", "declined", frozenset(YES | NO)),
    Refund(
        "the other side is not sure, and did it",
        "unclear_charged",
        frozenset(UNCLEAR),
        frozenset(YES | UNCLEAR),
    ),
    Refund(
        "the other side is not sure, and did not",
        "unclear_not_charged",
        frozenset(UNCLEAR),
        frozenset(YES | UNCLEAR),
    ),
)


def check(scenario: Scenario, side: Side) -> None:
    """Take money while something goes wrong, ask what became of it, and undo it."""
    ask = _prepared(side)
    if scenario.fault:
        side.arm("take", scenario.fault)

    took = side.payment.take(ask)
    later = set() if side.says_at_once or Say.APPROVED not in scenario.took else {Say.PENDING}
    assert took.say in scenario.took | later, took
    found = side.payment.query(ask)
    assert found.say in scenario.found | side.cannot_tell(scenario.fault), found
    if found.say is Say.PENDING:
        found = _until(lambda: side.payment.query(ask), EXPLICIT)

    assert side.moved(ask.pay_ref) == [("taken", fen) for fen in scenario.taken]
    for answer in (took, found):
        _is_true(answer, scenario)
        _hides_the_code(answer, ask)
    _undo(side, ask, found.evidence if found.evidence != Evidence() else took.evidence, scenario.taken)


def check_reversal(reversal: Reversal, side: Side) -> None:
    """Undo a paid attempt while something goes wrong, as often as it takes."""
    ask = _prepared(side)
    taken = _paid(side, ask)
    if reversal.fault:
        side.arm("reverse", reversal.fault)

    said = side.payment.reverse(ask, taken.evidence)
    assert said.say in reversal.said, said
    if said.say is Say.DECLINED:
        # Then the payment certainly stands, and a refund is what follows.
        assert side.moved(ask.pay_ref) == [("taken", FEN)]
        return
    _undo(side, ask, taken.evidence, (FEN,))


def check_refund(refund: Refund, side: Side, *, day_ended: bool) -> None:
    """Give a paid attempt back while something goes wrong, as often as it takes and twice more."""
    ask = _prepared(side)
    taken = _paid(side, ask)
    if day_ended:
        side.end_day()
    back = _back(side, ask, FEN, taken.evidence)
    if refund.fault:
        side.arm("refund", refund.fault)
    # Whoever gives back no longer has the payment code.
    late = msgspec.structs.replace(ask, pay_code=None)

    first = side.payment.refund(late, back)
    assert first.say in refund.said, first
    if first.say is Say.DECLINED:
        assert side.moved(ask.pay_ref) == [("taken", FEN)]
        return
    answers = [first, *(_until(lambda: side.payment.refund(late, back), refund.ended) for _ in range(3))]
    assert len({(one.say, one.approved_fen) for one in answers[1:]}) == 1
    for answer in answers:
        assert answer.approved_fen == (FEN if answer.say is Say.APPROVED else None)
        _hides_the_code(answer, ask)
    given_back = side.moved(ask.pay_ref)[1:]
    once = [("given back", FEN)]
    assert given_back == once or (given_back == [] and answers[-1].say is Say.UNCLEAR)


def check_part(side: Side, *, day_ended: bool) -> None:
    """Give back a part, twice with the same words, and expect that part once."""
    ask = _prepared(side)
    taken = _paid(side, ask)
    if day_ended:
        side.end_day()
    back = _back(side, ask, FEN - 1, taken.evidence)
    for _ in range(2):
        answer = _until(lambda: side.payment.refund(ask, back), EXPLICIT)
        assert (answer.say, answer.approved_fen) == (Say.APPROVED, FEN - 1)
    assert side.moved(ask.pay_ref) == [("taken", FEN), ("given back", FEN - 1)]


def check_nothing_to_give_back(side: Side, fault: str) -> None:
    """Try to give back what was never paid: never asked for, or gone wrong as `fault` says."""
    ask = _prepared(side)
    evidence = Evidence()
    if fault:
        side.arm("take", fault)
        evidence = side.payment.take(ask).evidence
    back = _back(side, ask, FEN, evidence)
    for _ in range(2):
        assert side.payment.refund(ask, back).say is not Say.APPROVED
    assert side.moved(ask.pay_ref) == []


def _back(side: Side, ask: Ask, fen: int, evidence: Evidence) -> Back:
    mark = side.payment.prepare(ask)
    assert mark is not None
    return Back(ids.refund_no(ask.pay_ref), fen, evidence, mark)


def _paid(side: Side, ask: Ask) -> Answer:
    """Have an attempt paid, and return the yes."""
    taken = side.payment.take(ask)
    if not side.says_at_once:
        assert taken.say is Say.PENDING
        taken = side.payment.query(ask)
    assert taken.say is Say.APPROVED
    return taken


def _prepared(side: Side) -> Ask:
    ask = side.new_ask(FEN)
    mark = side.payment.prepare(ask)
    assert mark is not None
    assert side.moved(ask.pay_ref) == []
    return msgspec.structs.replace(ask, mark=mark)


def _is_true(answer: Answer, scenario: Scenario) -> None:
    assert answer.approved_fen == (sum(scenario.taken) if answer.say is Say.APPROVED else None)
    if answer.say is Say.APPROVED:
        assert scenario.taken
    if answer.say is Say.DECLINED:
        assert not scenario.taken


def _undo(side: Side, ask: Ask, evidence: Evidence, taken: tuple[int, ...]) -> None:
    """Reverse until it is done, once more besides, and expect everything back once and no more."""
    # Later askers, such as a restarted agent, no longer have the payment code.
    late = msgspec.structs.replace(ask, pay_code=None)
    if taken or side.payment.reverses_blind:
        confirmed = taken or side.undoes_unknown
        undone = frozenset({Say.APPROVED} if confirmed else {Say.APPROVED, Say.NOT_FOUND})
        _until(lambda: side.payment.reverse(late, evidence), undone)
        assert side.payment.reverse(late, evidence).say is not Say.DECLINED
        assert side.payment.query(late).say is not Say.APPROVED
    else:
        assert side.payment.reverse(late, evidence).say is not Say.DECLINED
    moved = side.moved(ask.pay_ref)
    assert moved == [("taken", fen) for fen in taken] + [("given back", fen) for fen in taken]


def _until(step: Callable[[], Answer], says: frozenset[Say]) -> Answer:
    end = time.monotonic() + PATIENCE_S
    answer = step()
    while answer.say not in says:
        assert time.monotonic() < end, answer
        time.sleep(0.1)
        answer = step()
    return answer


def _hides_the_code(answer: Answer, ask: Ask) -> None:
    if ask.pay_code is not None:
        code = ask.pay_code.reveal()
        for shown in (repr(answer), str(msgspec.to_builtins(answer)), repr(ask)):
            assert code not in shown


SHOWN = (
    _scenario("the shopper scans and pays", "", {Say.PENDING}, YES),
    _scenario("the shopper never scans", "not_scanned", {Say.PENDING}, {Say.PENDING}, ()),
    _scenario("no order is made", "declined", NO, {Say.NOT_FOUND}, ()),
    _scenario("the request is lost", "lost_request", UNCLEAR, {Say.NOT_FOUND}, ()),
    _scenario("the answer is lost, so nobody saw a code", "lost_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer comes too late", "late_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer comes late but in time", "slow_answer", {Say.PENDING}, YES),
    _scenario("the answer is broken", "broken_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the order comes twice", "doubled", {Say.PENDING}, YES),
    _scenario("the order is of another amount", "wrong_amount", {Say.PENDING}, YES, (1,)),
    _scenario("the other side is not sure, and made it", "unclear_charged", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the other side is not sure, and did not", "unclear_not_charged", UNCLEAR, {Say.NOT_FOUND}, ()),
)


class ShownSide(Side, Protocol):
    """A link whose code the shopper scans. "reverse" is what closes an order there."""

    knows_unscanned: bool
    """Whether the other side knows of an order before its code is scanned."""

    def scan(self, code: str) -> bool:
        """Be the shopper who scans and pays; return whether the other side took it."""


def check_shown(scenario: Scenario, side: ShownSide) -> None:
    """Show a code while something goes wrong, let the shopper scan what is to be seen, and undo it.

    What was not paid must be impossible to pay once it is undone.
    """
    ask = _prepared(side)
    if scenario.fault not in ("", "not_scanned"):
        side.arm("take", scenario.fault)

    took = side.payment.take(ask)
    assert took.say in scenario.took, took
    assert bool(took.show) == (took.say is Say.PENDING)
    if took.show and scenario.fault != "not_scanned":
        assert side.scan(took.show)
        assert not side.scan(took.show)
    found = side.payment.query(ask)
    unscanned = set() if side.knows_unscanned else {Say.NOT_FOUND}
    assert found.say in scenario.found | (unscanned if Say.PENDING in scenario.found else set()), found

    assert side.moved(ask.pay_ref) == [("taken", fen) for fen in scenario.taken]
    if found.say is not Say.NOT_FOUND or not side.knows_unscanned:
        _undo_shown(side, ask, found.evidence, scenario.taken)
    else:
        assert side.payment.reverse(ask, found.evidence).say in (Say.NOT_FOUND, Say.APPROVED)
    if took.show:
        assert not side.scan(took.show)


def check_close(reversal: Reversal, side: ShownSide) -> None:
    """Close an unpaid order while something goes wrong, as often as it takes: then nobody can pay it."""
    ask = _prepared(side)
    shown = side.payment.take(ask).show
    assert shown
    if reversal.fault:
        side.arm("reverse", reversal.fault)
    said = side.payment.reverse(ask, Evidence())
    assert said.say in {Say.APPROVED, Say.UNCLEAR}, said
    if said.say is Say.APPROVED:
        assert not side.scan(shown)
    _undo_shown(side, ask, Evidence(), ())
    assert not side.scan(shown)
    assert side.moved(ask.pay_ref) == []


def _undo_shown(side: ShownSide, ask: Ask, evidence: Evidence, taken: tuple[int, ...]) -> None:
    undone = _until(lambda: side.payment.reverse(ask, evidence), EXPLICIT)
    if undone.say is Say.DECLINED:
        # It stands: a refund of the whole of what was taken is what follows.
        (fen,) = taken
        back = _back(side, ask, fen, evidence)
        whole = msgspec.structs.replace(ask, amount_fen=fen)
        given = _until(lambda: side.payment.refund(whole, back), EXPLICIT)
        assert (given.say, given.approved_fen) == (Say.APPROVED, fen)
    assert side.payment.query(ask).say is not Say.APPROVED
    moved = side.moved(ask.pay_ref)
    assert moved == [("taken", fen) for fen in taken] + [("given back", fen) for fen in taken]
