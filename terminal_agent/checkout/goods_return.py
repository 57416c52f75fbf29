"""What does the shop know of a return of goods, and of what else was said about a sale after its payment?"""

from enum import StrEnum

import msgspec

from subsidy.records.payment import Evidence
from terminal_agent.checkout.states import ReturnState

AGREED = ("accepted", "repeat")


class Wish(msgspec.Struct, frozen=True):
    """Who wants goods returned, who allowed it, and why."""

    operator: str
    supervisor: str
    reason: str


class Return(msgspec.Struct, frozen=True):
    """One try to return the goods of a sale; all tries of a sale have the same `refund_no`.

    `centre_said` is the centre's word on the `returning` entry, None until it came. While `mark` is None
    no refund was sent. `evidence` is what was said of the refund, never of the payment.
    """

    no: int
    state: ReturnState
    refund_no: str
    refund_fen: int
    wish: Wish
    centre_said: str | None
    mark: str | None
    evidence: Evidence
    begun_ms: int
    ended_ms: int | None

    @property
    def may_refund(self) -> bool:
        """Whether the centre has blocked the claim line and no refund was sent yet."""
        return self.state is ReturnState.BEGUN and self.centre_said in AGREED


class Goods(StrEnum):
    """What became of the goods of a sale that was found paid late."""

    HANDED_OVER = "handed_over"
    REFUND = "refund"


class LateAnswer(msgspec.Struct, frozen=True):
    """What the cashier said about a sale that was found paid late."""

    operator: str
    answer: Goods
    at_ms: int


class KeyedSlip(msgspec.Struct, frozen=True):
    """A paper slip, keyed in by a cashier. It goes to the night; it makes nothing paid."""

    operator: str
    voucher_no: str
    rrn: str
    amount_fen: int
    approved: bool
