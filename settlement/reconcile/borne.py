"""Does anybody but a channel's file say who bore a part of a payment? Pure.

The subsidy is off the amount before a channel is asked for it, so an offer comes on top, and is no business
of the fund's: when the shop's record names the same parts, as the channel told it, the file only says so too.
What nobody has told of, or otherwise, may be the subsidy itself, taken off a second time; so may an offer of
exactly its amount, whoever names it. Then two people say whose it was (`offers/explain.py`).
"""

from collections.abc import Iterable

import msgspec

from settlement.offers.bearers import BorneBy
from settlement.reconcile.expect import Story
from settlement.reconcile.lines import Line, Moved


class Unexplained(msgspec.Struct, frozen=True):
    """What others bore of a payment, in which rows, and what is known of it."""

    fen: int
    lines: tuple[Line, ...]
    detail: str


def unexplained(story: Story, pay_ref: str, lines: Iterable[Line]) -> Unexplained | None:
    """Return what nobody has explained of the money that stayed with the shop, or None.

    Args:
        story: whose payment it is.
        pay_ref: the payment.
        lines: its rows, in their order.
    """
    rows = list(lines)
    sales = [one for one in rows if one.kind is Moved.SALE]
    stayed = sales[: max(2 * len(sales) - len(rows), 0)]
    borne = tuple(one for one in stayed if one.offer_fen)
    fen = sum(one.offer_fen for one in borne)
    if fen == 0:
        return None
    said = story.explained(pay_ref)
    if said is not None and said.fen == fen:
        # Once people have rejected the record, nobody pays a second time what the channel has given.
        if said.borne_by != BorneBy.SUBSIDY or story.record.state == "AVAILABLE_AGAIN":
            return None
        return Unexplained(fen, borne, f"it was the subsidy itself: {said.reference}")
    why = _not_told(story, pay_ref, fen, borne)
    return None if why is None else Unexplained(fen, borne, why)


def _not_told(story: Story, pay_ref: str, fen: int, borne: tuple[Line, ...]) -> str | None:
    """Return in what the shop's word on a payment is not the file's, or None when they are the same."""
    told = next((one for one in story.attempts if (one.pay_ref, one.state) == (pay_ref, "PAID")), None)
    others = 0 if told is None else told.evidence.offer_fen
    own = 0 if told is None else told.evidence.shop_offer_fen
    if others + own == 0:
        return "its record names no offer"
    in_file = [one.shop_offer_fen for one in borne if one.shop_offer_fen is not None]
    if others + own != fen or (len(in_file) == len(borne) and sum(in_file) != own):
        return f"its record names {others} fen of others and {own} fen of the shop"
    if fen == story.record.subsidy_fen:
        return "it is as much as the subsidy"
    return None
