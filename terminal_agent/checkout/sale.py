"""What does the shop know of one sale?"""

import msgspec

from subsidy.policy.model import Tender
from subsidy.policy.refusals import Refusal
from subsidy.policy.split import Part
from subsidy.records.payment import Evidence
from subsidy.seal import Sealed
from subsidy.wire import v1
from terminal_agent.checkout.goods_return import LateAnswer, Return
from terminal_agent.checkout.states import (
    LOST_ATTEMPTS,
    OPEN_ATTEMPTS,
    OPEN_SALES,
    AttemptState,
    SaleState,
)

FOUND_LATE_MS = 5 * 60 * 1000
WATCHED = "watched"
"""The mark of a link that only watches: the cashier charges, voids and refunds at the terminal itself."""


class Request(msgspec.Struct, frozen=True):
    """What the till asked for, without the shopper's code. Amounts in fen."""

    till_no: str
    terminal_no: str
    operator: str
    item: v1.Item
    prices: v1.Prices
    tender: Tender
    expected_paid_fen: int | None


class Attempt(msgspec.Struct, frozen=True):
    """One try to take money. `mark` is what the link needed stored before money could move.

    While `mark` is None nothing was sent: the attempt is certainly not paid. `back_mark` is the same for
    giving the money back, of an attempt that could not be reversed.
    """

    no: int
    pay_ref: str
    tender: Tender
    terminal_no: str
    operator: str
    amount_fen: int
    state: AttemptState
    mark: str | None
    approved_fen: int | None
    evidence: Evidence
    begun_ms: int
    ended_ms: int | None
    back_mark: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether money may still move for it."""
        return self.state in OPEN_ATTEMPTS

    @property
    def is_watched(self) -> bool:
        """Whether it is made at the terminal by hand, while we only watch."""
        return self.mark == WATCHED

    @property
    def is_lost(self) -> bool:
        """Whether it will never be what was paid, be its money already back or on its way."""
        return self.state in LOST_ATTEMPTS


class Held(msgspec.Struct, frozen=True):
    """The fund's promise, as the centre sealed it and as it reads."""

    sealed: Sealed
    promise: v1.Promise

    @property
    def facts(self) -> msgspec.Raw:
        """The facts, in the bytes that the promise's hash is of."""
        return self.promise.facts


class Sale(msgspec.Struct, frozen=True):
    """One sale as the journal has it, attempts included, oldest first.

    `asked_wall_ms`, `asked_steady_ms` and `boot` say when the hold was asked for, on both clocks
    of that run of the agent. `same_as` is the sale that binds the same item or qualification. `returns` are
    the tries to return its goods, oldest first; `answered` is what was said when it was found paid late.
    """

    record_id: str
    state: SaleState
    request: Request
    reasons: tuple[Refusal, ...]
    same_as: str | None
    hold_no: int | None
    asked_wall_ms: int
    asked_steady_ms: int
    boot: str
    held: Held | None
    stop: bool
    why: str
    opened_ms: int
    paid_ms: int | None
    attempts: tuple[Attempt, ...]
    returns: tuple[Return, ...] = ()
    answered: LateAnswer | None = None

    @property
    def is_open(self) -> bool:
        """Whether it binds its serial number and qualification."""
        return self.state in OPEN_SALES

    @property
    def open_attempts(self) -> tuple[Attempt, ...]:
        """The attempts for which money may still move."""
        return tuple(one for one in self.attempts if one.is_open)

    @property
    def paid_attempt(self) -> Attempt | None:
        """The one attempt that became the grant."""
        return next((one for one in self.attempts if one.state is AttemptState.PAID), None)

    @property
    def is_lost(self) -> bool:
        """Whether nothing of what was tried will be its payment, though money may still be on its way back.

        Another way may be tried then while the hold lasts.
        """
        return self.state is SaleState.PAYING and not self.stop and all(one.is_lost for one in self.attempts)

    @property
    def found_late(self) -> bool:
        """Whether its payment became known so late that the goods may have stayed here."""
        return self.paid_ms is not None and self.paid_ms - self.opened_ms > FOUND_LATE_MS

    @property
    def to_pay_fen(self) -> int:
        """What the shopper pays, 0 until the fund has promised."""
        return self.held.promise.amounts.to_pay_fen if self.held else 0

    @property
    def split(self) -> tuple[Part, ...]:
        """What each funder bears, none until the fund has promised."""
        return self.held.promise.split if self.held else ()

    @property
    def held_until_ms(self) -> int | None:
        """The wall clock's milliseconds at which the hold's time is over, None without a promise."""
        return self.asked_wall_ms + self.held.promise.held_for_s * 1000 if self.held else None

    @property
    def promised_until_ms(self) -> int | None:
        """The centre's milliseconds at which the hold's time is over, None without a promise."""
        promise = self.held.promise if self.held else None
        return promise.placed_at_ms + promise.held_for_s * 1000 if promise else None

    def attempt(self, no: int) -> Attempt:
        """Return attempt `no`."""
        return next(one for one in self.attempts if one.no == no)

    def hold_is_over(self, wall_ms: int, steady_ms: int, boot: str) -> bool:
        """Whether the hold's time is past: no payment may start under it any more.

        Either clock past is past. A clock set back cannot lengthen it, since the other one goes
        on; after a restart the steady clock says nothing, so the hold counts as over.
        """
        until_ms = self.held_until_ms
        if until_ms is None or boot != self.boot:
            return True
        return wall_ms >= until_ms or steady_ms >= self.asked_steady_ms + until_ms - self.asked_wall_ms
