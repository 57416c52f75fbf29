"""What may go wrong while money is taken, undone and given back, and what may be answered then?

Scenarios as data. A fault strikes one request: where and how it is made on a link, `counterparts.py` says.
"""

from dataclasses import dataclass

from terminal_agent.certify.side import in_words
from terminal_agent.checkout.ports import Say


@dataclass(frozen=True)
class Scenario:
    """A fault while money is taken: what may be answered, what is found, and what was really taken.

    `taken` holds shares of the sum asked for: WHOLE, or ONE_FEN or HALF where another amount is taken.
    """

    name: str
    fault: str
    took: frozenset[Say]
    found: frozenset[Say]
    taken: tuple[str, ...]

    def taken_fen(self, asked_fen: int) -> list[int]:
        """Return what is really taken when so much is asked for."""
        shares = {WHOLE: asked_fen, HALF: asked_fen // 2, ONE_FEN: 1}
        return [shares[one] for one in self.taken]

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        taken = "it is taken once" if self.taken == (WHOLE,) else "1 fen is taken"
        return (
            f"paying: {in_words(self.took)}; asked about: {in_words(self.found)}; "
            f"{taken if self.taken else 'nothing is taken'}; undone whole, once"
        )


@dataclass(frozen=True)
class Reversal:
    """A fault while a paid attempt is undone: what may be answered at first."""

    name: str
    fault: str
    said: frozenset[Say]

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        return f"undoing: {in_words(self.said)}; repeated until confirmed, undone once"


@dataclass(frozen=True)
class Question:
    """A fault while it is asked (or, as `call` says, taken) what was paid: what may be answered at first."""

    name: str
    fault: str
    said: frozenset[Say]
    call: str = "query"

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        return f"asked about: {in_words(self.said)}; asked again: yes, of the whole; it is taken once"


@dataclass(frozen=True)
class Refund:
    """A fault while a paid attempt is given back: what may be answered at first, and in the end."""

    name: str
    fault: str
    said: frozenset[Say]
    ended: frozenset[Say] = frozenset({Say.APPROVED})

    @property
    def must(self) -> str:
        """What has to be seen, in words."""
        return (
            f"giving back: {in_words(self.said)}; repeated: {in_words(self.ended)}, the same each time; "
            "given back once"
        )


WHOLE, HALF, ONE_FEN = "whole", "half", "one fen"


def _scenario(
    name: str, fault: str, took: set[Say], found: set[Say], taken: tuple[str, ...] = (WHOLE,)
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
    _scenario("the answer is torn off", "torn_answer", UNCLEAR, YES),
    _scenario("the answer's signature is wrong", "wrong_signature", UNCLEAR, YES),
    _scenario("something comes twice", "doubled", YES | UNCLEAR, YES),
    _scenario("another amount is taken", "wrong_amount", YES, YES, (ONE_FEN,)),
    _scenario("the answer of the payment before comes instead", "strangers_answer", UNCLEAR, YES),
    _scenario("the answer of the payment before comes first", "crossed_answer", YES | UNCLEAR, YES),
    _scenario("there is noise on the line", "noise", YES | UNCLEAR, YES),
    _scenario("the cable is pulled after the request", "unplug", UNCLEAR, YES | {Say.PENDING}),
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
    Reversal("its answer is torn off", "torn_answer", frozenset(UNCLEAR)),
    Reversal("it comes twice", "doubled", frozenset(YES | UNCLEAR)),
    Reversal("it is refused", "declined", frozenset({Say.UNCLEAR, Say.DECLINED})),
    Reversal("its answer comes late but in time", "slow_answer", frozenset(YES)),
    Reversal("its answer's signature is wrong", "wrong_signature", frozenset(UNCLEAR)),
    Reversal("the other side is not sure, and did it", "unclear_charged", frozenset(YES | UNCLEAR)),
    Reversal("the other side is not sure, and did not", "unclear_not_charged", frozenset(UNCLEAR)),
    Reversal("it is confirmed and not done", "confirmed_not_done", frozenset(UNCLEAR)),
)

QUESTIONS = (
    Question("the question is lost", "lost_request", frozenset(UNCLEAR)),
    Question("the answer is lost", "lost_answer", frozenset(UNCLEAR)),
    Question("the answer comes too late", "late_answer", frozenset(UNCLEAR)),
    Question("the answer comes late but in time", "slow_answer", frozenset(YES)),
    Question("the answer is broken", "broken_answer", frozenset(UNCLEAR)),
    Question("the answer is torn off", "torn_answer", frozenset(UNCLEAR)),
    Question("the answer's signature is wrong", "wrong_signature", frozenset(UNCLEAR)),
    Question("the answer is signed with a key that nobody knows", "unknown_key", frozenset(UNCLEAR)),
    Question("the answer of the payment before comes instead", "strangers_answer", frozenset(UNCLEAR)),
    Question("the answer names another merchant", "wrong_merchant", frozenset(UNCLEAR)),
    Question("the answer names another currency", "wrong_currency", frozenset(UNCLEAR)),
    Question("the answer is noise", "noise", frozenset(UNCLEAR)),
    Question("the other side is not sure", "unclear_charged", frozenset(UNCLEAR)),
    Question("it is not known yet", "not_known_yet", frozenset({Say.NOT_FOUND}), call="take"),
)

REFUNDS = (
    Refund("nothing goes wrong", "", frozenset(YES)),
    Refund("the request is lost", "lost_request", frozenset(UNCLEAR)),
    Refund("its answer is lost", "lost_answer", frozenset(UNCLEAR)),
    Refund("its answer comes too late", "late_answer", frozenset(UNCLEAR)),
    Refund("its answer comes late but in time", "slow_answer", frozenset(YES)),
    Refund("its answer is broken", "broken_answer", frozenset(UNCLEAR)),
    Refund("its answer is torn off", "torn_answer", frozenset(UNCLEAR)),
    Refund("it comes twice", "doubled", frozenset(YES)),
    Refund("the answer of the refund before comes instead", "strangers_answer", frozenset(UNCLEAR)),
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

NOT_SCANNED = "not_scanned"

SHOWN = (
    _scenario("the shopper scans and pays", "", {Say.PENDING}, YES),
    _scenario("the shopper never scans", NOT_SCANNED, {Say.PENDING}, {Say.PENDING}, ()),
    _scenario("no order is made", "declined", NO, {Say.NOT_FOUND}, ()),
    _scenario("the request is lost", "lost_request", UNCLEAR, {Say.NOT_FOUND}, ()),
    _scenario("the answer is lost, so nobody saw a code", "lost_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer comes too late", "late_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer comes late but in time", "slow_answer", {Say.PENDING}, YES),
    _scenario("the answer is broken", "broken_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer is torn off", "torn_answer", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the answer's signature is wrong", "wrong_signature", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the order comes twice", "doubled", {Say.PENDING}, YES),
    _scenario("the order is of another amount", "wrong_amount", {Say.PENDING}, YES, (ONE_FEN,)),
    _scenario("the other side is not sure, and made it", "unclear_charged", UNCLEAR, {Say.PENDING}, ()),
    _scenario("the other side is not sure, and did not", "unclear_not_charged", UNCLEAR, {Say.NOT_FOUND}, ()),
)
