"""What does a decision look at?

In a facts file an absent fact is not judged, and null means "known to be none": a
`filed_price_fen` of null is PRICE_NOT_FILED. The facts of a real sale have no absent field but one that is
said only when it is true.
"""

import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from subsidy.money import MOST_FEN
from subsidy.policy.model import Tender

Amount = Annotated[int, Meta(ge=0, le=MOST_FEN)]
Text = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Instant = Annotated[datetime.datetime, Meta(tz=True)]

# Younger than the first facts that were stored and signed: those have no place for it.
_SAID_WHEN_TRUE = ("programme_stopped",)


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything one decision looks at. UNSET is "absent", None is "known to be none".

    `sold_at` is the centre's time of the grant, which picks the rows. Amounts are fen.
    `used_in_category` counts the person's grants of the programme year, open holds included;
    `fund_left_fen` is the largest grant up to which every funder can bear its part.
    `programme_stopped` is said only while people have stopped the programme.
    """

    sold_at: Instant
    programme: Text
    initial_price_fen: Amount
    merchant_discount_fen: Amount | None | UnsetType = UNSET
    trade_in_fen: Amount | None | UnsetType = UNSET
    merchant_active: bool | None | UnsetType = UNSET
    terminal_registered: bool | None | UnsetType = UNSET
    region: Text | None | UnsetType = UNSET
    tender: Tender | None | UnsetType = UNSET
    product_listed: bool | None | UnsetType = UNSET
    category: Text | None | UnsetType = UNSET
    energy_level: Annotated[int, Meta(ge=1, le=9)] | None | UnsetType = UNSET
    serial_no: Text | None | UnsetType = UNSET
    serial_taken: bool | None | UnsetType = UNSET
    filed_price_fen: Amount | None | UnsetType = UNSET
    qualification_known: bool | None | UnsetType = UNSET
    qualification_valid: bool | None | UnsetType = UNSET
    qualification_category: Text | None | UnsetType = UNSET
    qualification_in_use: bool | None | UnsetType = UNSET
    used_in_category: Annotated[int, Meta(ge=0, le=10**6)] | None | UnsetType = UNSET
    payer_matches: bool | None | UnsetType = UNSET
    risk_blocked: bool | None | UnsetType = UNSET
    fund_left_fen: Amount | None | UnsetType = UNSET
    programme_stopped: bool | None | UnsetType = UNSET

    def __post_init__(self) -> None:
        # An instant at the edge of the calendar has no day in Shanghai.
        if not 2000 <= self.sold_at.year <= 2999:
            raise ValueError("sold_at is not between the years 2000 and 2999")


def of_sale(facts: Facts) -> Facts:
    """Return `facts` when they can be those of a real sale. Raises ValueError naming absent ones."""
    absent = [
        name
        for name in facts.__struct_fields__
        if name not in _SAID_WHEN_TRUE and getattr(facts, name) is UNSET
    ]
    if absent:
        raise ValueError(f"the facts of a sale lack {', '.join(absent)}")
    return facts
