"""Which moves may a sale, an attempt to pay and a return make? The journal's database refuses all others."""

from enum import StrEnum


class SaleState(StrEnum):
    """Where a sale stands at the shop. Values are stored: add new ones, never rename one."""

    NEW = "NEW"
    REFUSED = "REFUSED"
    ASKING = "ASKING"  # the hold is asked for: it may have been placed
    HELD = "HELD"  # the fund has promised; no attempt to pay is open
    PAYING = "PAYING"
    PARKED = "PARKED"  # an attempt is unknown beyond the resolver's time; the terminal is free
    PAID = "PAID"
    CLOSING = "CLOSING"  # not paid and never will be; the centre has not acknowledged it yet
    CLOSED = "CLOSED"
    RETURNING = "RETURNING"
    RETURNED = "RETURNED"


class AttemptState(StrEnum):
    """Where one try to take money stands."""

    INTENDED = "INTENDED"
    PAID = "PAID"
    NOT_PAID = "NOT_PAID"
    UNKNOWN = "UNKNOWN"
    REVERSING = "REVERSING"  # one way: whatever is heard now, this attempt is never the paid one
    GIVING_BACK = "GIVING_BACK"
    GIVEN_BACK = "GIVEN_BACK"


class ReturnState(StrEnum):
    """Where one return of goods stands. Its sale is RETURNING until it is REFUNDED or REFUSED."""

    BEGUN = "BEGUN"  # written down for the centre; nothing is refunded before that has agreed
    SENDING = "SENDING"  # the refund may have left; only an explicit answer ends this
    REFUNDED = "REFUNDED"
    REFUSED = "REFUSED"  # certainly nothing was refunded: the sale is PAID as before


S = SaleState
A = AttemptState
R = ReturnState

SALE_MOVES = frozenset(
    {
        (S.NEW, S.REFUSED),
        (S.NEW, S.ASKING),
        (S.ASKING, S.HELD),
        (S.ASKING, S.REFUSED),
        (S.ASKING, S.CLOSING),
        (S.HELD, S.PAYING),
        (S.HELD, S.CLOSING),
        (S.PAYING, S.PAID),
        (S.PAYING, S.HELD),
        (S.PAYING, S.CLOSING),
        (S.PAYING, S.PARKED),
        (S.PARKED, S.PAID),
        (S.PARKED, S.HELD),
        (S.PARKED, S.CLOSING),
        (S.CLOSING, S.CLOSED),
        (S.PAID, S.RETURNING),
        (S.RETURNING, S.RETURNED),
        (S.RETURNING, S.PAID),
    }
)

ATTEMPT_MOVES = frozenset(
    {
        (A.INTENDED, A.PAID),
        (A.INTENDED, A.NOT_PAID),
        (A.INTENDED, A.UNKNOWN),
        (A.UNKNOWN, A.PAID),
        (A.UNKNOWN, A.NOT_PAID),
        (A.UNKNOWN, A.REVERSING),
        (A.REVERSING, A.NOT_PAID),
        (A.REVERSING, A.GIVING_BACK),
        (A.GIVING_BACK, A.GIVEN_BACK),
    }
)

RETURN_MOVES = frozenset(
    {
        (R.BEGUN, R.SENDING),
        (R.BEGUN, R.REFUSED),
        (R.SENDING, R.REFUNDED),
        (R.SENDING, R.REFUSED),
    }
)

OPEN_SALES = (S.ASKING, S.HELD, S.PAYING, S.PARKED)
"""A serial number or qualification in one of these binds: another sale of it is that sale."""

OPEN_ATTEMPTS = (A.INTENDED, A.UNKNOWN, A.REVERSING, A.GIVING_BACK)
"""An attempt in one of these may still move money or need it moved back."""

LOST_ATTEMPTS = (A.NOT_PAID, A.REVERSING, A.GIVING_BACK, A.GIVEN_BACK)
"""An attempt in one of these never becomes the grant: another one may begin."""

UNDECIDED_ATTEMPTS = (A.UNKNOWN, A.REVERSING, A.GIVING_BACK)
"""An attempt in one of these is the resolver's."""
