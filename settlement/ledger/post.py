"""What does each event post, and can the pool bear it? Pure.

`postings` turns an event into moves between accounts, per funder; `apply` adds them to balances
and refuses to overdraw. Splits always follow the original grant: a return takes back from each
funder exactly what it bore.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from settlement.ledger.accounts import IDENTITY, NEVER_OVERDRAWN, Account
from subsidy.policy.split import Part


class Happening(StrEnum):
    """What can happen to money. Values are stored with the postings."""

    TOPPED_UP = "topped_up"
    MOVED_OUT = "moved_out"
    MOVED_IN = "moved_in"
    HOLD_PLACED = "hold_placed"
    HOLD_ENDED = "hold_ended"
    RECORD_BOOKED = "record_booked"
    RECORD_POISONED = "record_poisoned"
    LATE_RECORD = "late_record"
    LATE_GRANT_ENTERED = "late_grant_entered"
    LATE_GRANT_RETURNED = "late_grant_returned"
    LATE_GRANT_REJECTED = "late_grant_rejected"
    RETURNED_UNCLAIMED = "returned_unclaimed"
    RETURNED_IN_CLAIM = "returned_in_claim"
    CLAIM_SUBMITTED = "claim_submitted"
    CLAIM_PAID = "claim_paid"
    LINE_REJECTED = "line_rejected"
    LINE_TO_CORRECT = "line_to_correct"
    RETURNED_AFTER_PAYOUT = "returned_after_payout"
    MERCHANT_REPAID = "merchant_repaid"
    MERCHANT_REPAID_YEAR_CLOSED = "merchant_repaid_year_closed"
    BLOCKED_REJECTED = "blocked_rejected"
    KEPT_REJECTED = "kept_rejected"
    SUSPENSE_REJECTED = "suspense_rejected"
    BANK_OFFER_TAKEN = "bank_offer_taken"
    BANK_OFFER_WENT_BACK = "bank_offer_went_back"


class Booking(msgspec.Struct, frozen=True):
    """An event with its money: `parts` is what each funder bears, `year` the programme year.

    `pool` names the part of the year's money that it is of (`ledger/pools.py`), empty when it is not divided.
    """

    happening: Happening
    year: int
    parts: tuple[Part, ...]
    pool: str = ""


class Posting(msgspec.Struct, frozen=True):
    """`fen` added to one account of one funder, programme year and pool; negative takes away."""

    funder: str
    account: Account
    year: int
    fen: int
    pool: str = ""


Slot = tuple[str, Account, int, str]
"""(funder, account, programme year, pool): what a balance is of."""


def of(slot: Slot) -> str:
    """Return what people call a slot."""
    return place(f"{slot[0]} {slot[1].value}", slot[2], slot[3])


def place(what: str, year: int, pool: str) -> str:
    """Return what people call something of a programme year and pool."""
    return f"{what} {year} {pool}".rstrip()


class Overdrawn(Exception):
    """The postings would take more from an account than is there. Nothing was changed."""

    def __init__(self, slot: Slot, missing_fen: int) -> None:
        super().__init__(f"{of(slot)} lacks {missing_fen} fen")
        self.slot = slot
        self.missing_fen = missing_fen


# Every move is (from, to). What stands beside the pool moves in pairs of its own.
_MOVES: dict[Happening, tuple[tuple[Account, Account], ...]] = {
    Happening.TOPPED_UP: ((Account.APPROPRIATED, Account.AVAILABLE),),
    Happening.MOVED_OUT: ((Account.AVAILABLE, Account.APPROPRIATED),),
    Happening.MOVED_IN: ((Account.APPROPRIATED, Account.AVAILABLE),),
    Happening.HOLD_PLACED: ((Account.AVAILABLE, Account.HELD),),
    Happening.HOLD_ENDED: ((Account.HELD, Account.AVAILABLE),),
    Happening.RECORD_BOOKED: ((Account.HELD, Account.PAYABLE),),
    Happening.RECORD_POISONED: ((Account.HELD, Account.SUSPENSE),),
    Happening.LATE_RECORD: ((Account.LATE_GRANTS_CONTRA, Account.LATE_GRANTS_CLAIMED),),
    Happening.LATE_GRANT_ENTERED: (
        (Account.LATE_GRANTS_CLAIMED, Account.LATE_GRANTS_CONTRA),
        (Account.AVAILABLE, Account.PAYABLE),
    ),
    Happening.LATE_GRANT_RETURNED: ((Account.LATE_GRANTS_CLAIMED, Account.LATE_GRANTS_CONTRA),),
    Happening.LATE_GRANT_REJECTED: ((Account.LATE_GRANTS_CLAIMED, Account.LATE_GRANTS_CONTRA),),
    Happening.RETURNED_UNCLAIMED: ((Account.PAYABLE, Account.AVAILABLE),),
    Happening.RETURNED_IN_CLAIM: ((Account.IN_CLAIM, Account.AVAILABLE),),
    Happening.CLAIM_SUBMITTED: ((Account.PAYABLE, Account.IN_CLAIM),),
    Happening.CLAIM_PAID: ((Account.IN_CLAIM, Account.PAID), (Account.BANK, Account.PAID_OUT)),
    Happening.LINE_REJECTED: ((Account.IN_CLAIM, Account.AVAILABLE),),
    Happening.LINE_TO_CORRECT: ((Account.IN_CLAIM, Account.PAYABLE),),
    Happening.RETURNED_AFTER_PAYOUT: ((Account.RECOVERY_DUE, Account.MERCHANT_RECEIVABLE),),
    Happening.MERCHANT_REPAID: (
        (Account.MERCHANT_RECEIVABLE, Account.RECOVERY_DUE),
        (Account.PAID, Account.AVAILABLE),
        (Account.RECOVERED, Account.BANK),
    ),
    # The year's authority has lapsed: what comes back is the treasury's, never promised again.
    Happening.MERCHANT_REPAID_YEAR_CLOSED: (
        (Account.MERCHANT_RECEIVABLE, Account.RECOVERY_DUE),
        (Account.PAID, Account.APPROPRIATED),
        (Account.DUE_TO_TREASURY, Account.BANK),
    ),
    Happening.BLOCKED_REJECTED: ((Account.PAYABLE, Account.AVAILABLE),),
    Happening.KEPT_REJECTED: ((Account.HELD, Account.AVAILABLE),),
    Happening.SUSPENSE_REJECTED: ((Account.SUSPENSE, Account.AVAILABLE),),
    Happening.BANK_OFFER_TAKEN: ((Account.BANK_OFFER_DUE, Account.BANK_OFFER_RECEIVABLE),),
    Happening.BANK_OFFER_WENT_BACK: ((Account.BANK_OFFER_RECEIVABLE, Account.BANK_OFFER_DUE),),
}


def postings(booking: Booking) -> tuple[Posting, ...]:
    """Return what `booking` posts; parts of 0 fen post nothing."""
    year, pool = booking.year, booking.pool
    posted = []
    for taken_from, given_to in _MOVES[booking.happening]:
        for part in booking.parts:
            fen = part.fen
            assert fen >= 0
            if fen > 0:
                posted.append(Posting(part.funder, taken_from, year, -fen, pool))
                posted.append(Posting(part.funder, given_to, year, fen, pool))
    return tuple(posted)


def apply(balances: Mapping[Slot, int], posted: Sequence[Posting]) -> dict[Slot, int]:
    """Return the balances that change, after `posted`. Raises Overdrawn.

    Args:
        balances: the balances before; a slot that is not there is 0.
        posted: one event's postings.
    """
    after: dict[Slot, int] = {}
    for one in posted:
        slot = (one.funder, one.account, one.year, one.pool)
        after[slot] = after.get(slot, balances.get(slot, 0)) + one.fen
    for slot, fen in after.items():
        if fen < 0 and slot[1] in NEVER_OVERDRAWN:
            raise Overdrawn(slot, -fen)
    return after


def imbalance(balances: Mapping[Slot, int]) -> dict[tuple[str, int, str], int]:
    """Return by how much the books of each funder, year and pool fail: nowhere when they are true.

    Two things are asked: all accounts sum to zero, and what was appropriated is all accounted for.
    """
    total: dict[tuple[str, int, str], int] = {}
    accounted: dict[tuple[str, int, str], int] = {}
    for (funder, account, year, pool), fen in balances.items():
        place = (funder, year, pool)
        total[place] = total.get(place, 0) + fen
        if account is Account.APPROPRIATED or account in IDENTITY:
            accounted[place] = accounted.get(place, 0) + fen
    return {place: fen or accounted[place] for place, fen in total.items() if fen or accounted.get(place)}
