"""What can one try to take money have ended in, and what proves it?"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from subsidy.money import MOST_FEN

Fen = Annotated[int, Meta(ge=0, le=MOST_FEN)]


class Outcome(StrEnum):
    """The three answers. Only an explicit yes or no counts; everything else is UNKNOWN."""

    PAID = "PAID"
    NOT_PAID = "NOT_PAID"
    UNKNOWN = "UNKNOWN"


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the other side said about a payment, masked: this is all that is ever kept of it.

    Drivers build it from an allow-list of fields; a field that is not here is dropped in the
    parser. `masked_pan` holds at most the first six and last four digits. All are as the other side
    wrote them; an empty text means it said nothing. An offer is a part of the amount that was taken: the
    shopper was debited what is left of it.
    """

    code: str = ""
    text: str = ""
    terminal_no: str = ""
    merchant_no: str = ""
    batch: str = ""
    trace: str = ""
    rrn: str = ""
    auth: str = ""
    masked_pan: str = ""
    host_date: str = ""
    host_time: str = ""
    channel_no: str = ""  # what a QR channel calls the payment, such as WeChat's transaction_id
    offer_fen: Fen = 0  # borne by the channel or a bank, which pays it to the shop
    shop_offer_fen: Fen = 0  # borne by the shop: it gets that much less
