"""What is known of a purchase before the fund is asked?

For now every fact comes from the centre, with the hash of the pack that counts; what only the shop
knows (a link for this tender, a sale of this item that is open here) is added as refusals.
"""

import msgspec

from subsidy.policy.decide import Decision, Granted, Refused, decide
from subsidy.policy.model import Pack, Tender
from subsidy.policy.refusals import Refusal, in_order
from subsidy.wire import v1
from terminal_agent.checkout.ports import Centre, CentreUnreachable, Clock


class Question(msgspec.Struct, frozen=True):
    """A purchase with the shopper's code, which is never stored.

    `also` are refusals that the shop itself has found; they join the decision's.
    """

    item: v1.Item
    prices: v1.Prices
    qualification_code: str
    terminal_no: str
    tender: Tender
    also: frozenset[Refusal] = frozenset()


class Decided(msgspec.Struct, frozen=True):
    """What the pack says on the facts, and which pack that was. None when nobody could be asked."""

    decision: Decision
    pack_hash: str
    skew_ms: int


class Deadline:
    """How much of a wait is left, measured on the steady clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._until_ms = clock.steady_ms() + int(seconds * 1000)

    def left_s(self) -> float:
        """Return the seconds that are left. Raises CentreUnreachable when none are."""
        left_ms = self._until_ms - self._clock.steady_ms()
        if left_ms <= 0:
            raise CentreUnreachable("no answer within the till's wait")
        return left_ms / 1000


def decide_here(centre: Centre, clock: Clock, question: Question, deadline: Deadline) -> Decided:
    """Ask the centre for the facts and decide on them with the pack that counts.

    Raises CentreUnreachable and CentreDenied.
    """
    answer = centre.facts(
        v1.FactsRequest(
            v=1,
            item=question.item,
            prices=question.prices,
            qualification_code=question.qualification_code,
            terminal_no=question.terminal_no,
            tender=question.tender,
        ),
        deadline.left_s(),
    )
    pack: Pack = centre.pack(answer.pack_hash, deadline.left_s())
    decision = decide(pack, answer.facts)
    if question.also:
        found = set(decision.reasons) if isinstance(decision, Refused) else set()
        if Refusal.SERIAL_INVALID in question.also:
            found.discard(Refusal.SERIAL_MISSING)  # it was there, only not one that can be asked about
        decision = Refused(in_order(found | question.also))
    return Decided(decision, answer.pack_hash, answer.centre_ms - clock.wall_ms())


def to_pay(decision: Granted, prices: v1.Prices) -> int:
    """Return what the shopper pays under a grant."""
    return decision.final_price_fen - decision.subsidy_fen - prices.trade_in_fen
