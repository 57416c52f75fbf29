"""Who can have borne a part of a payment, and under which name does one of them owe it to the shop?"""

from enum import StrEnum

from settlement.writer.rows import OfferExplanation
from subsidy.policy.split import Part


class BorneBy(StrEnum):
    """Who bore it, as two people have found out. Values are stored: add new ones, never rename or reuse one.

    SHOP: it got that much less. SHOPPER: it was paid with what was the shopper's own, such as points.
    SUBSIDY: the channel itself has taken the subsidy off.
    """

    BANK = "bank"
    WECHAT = "wechat"
    ALIPAY = "alipay"
    UNIONPAY = "unionpay"
    OTHER = "other"
    SHOP = "shop"
    SHOPPER = "shopper"
    SUBSIDY = "subsidy"


_OWES_NOTHING = (BorneBy.SHOP, BorneBy.SHOPPER, BorneBy.SUBSIDY)


def payer(bearer: str) -> str:
    """Return the name under which it is booked: no funder of a pool has one like it."""
    return f"offer:{bearer}"


def owed(bearer: BorneBy, fen: int) -> Part | None:
    """Return who owes the shop how much, None when nobody does."""
    return None if bearer in _OWES_NOTHING else Part(payer(bearer), fen)


def owed_by(said: OfferExplanation) -> Part | None:
    """Return the same of what two people have said."""
    return owed(BorneBy(said.borne_by), said.fen)
