"""What goes back where when the goods of a sale are returned? Pure: the same before and after.

The shopper gets what was paid, by the way it came, and never the subsidy: that goes back to its funders.
"""

import msgspec

from subsidy.policy.model import Tender
from subsidy.policy.split import Part
from terminal_agent.checkout.sale import Attempt, Sale


class GoesBack(msgspec.Struct, frozen=True):
    """What goes back where. `way` is "card", "cash", or the wallet's name in lower case; amounts in fen."""

    to_shopper_fen: int
    way: str
    masked_pan: str
    channel_no: str
    terminal_no: str
    subsidy_fen: int
    to_funders: tuple[Part, ...]


def what_goes_back(sale: Sale) -> GoesBack:
    """Return what goes back where of a sale that was paid."""
    assert sale.held is not None
    paid = sale.paid_attempt
    assert paid is not None
    return GoesBack(
        to_shopper_fen=paid.approved_fen or paid.amount_fen,
        way=way_of(paid),
        masked_pan=paid.evidence.masked_pan,
        channel_no=paid.evidence.channel_no,
        terminal_no=sale.request.terminal_no,
        subsidy_fen=sale.held.promise.amounts.subsidy_fen,
        to_funders=sale.split,
    )


def way_of(attempt: Attempt) -> str:
    """Return by which way the money came: "card", "cash", or the wallet that its link is named by."""
    if attempt.tender in (Tender.CARD, Tender.CASH):
        return attempt.tender.value
    return attempt.terminal_no.partition("@")[0].lower()
