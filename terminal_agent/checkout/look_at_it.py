"""What was seen at a watched terminal that a person has to look at, and what do they do?

It is written down when it is seen, and stands in status, doctor and at the till until it has gone away by
itself or somebody has said that it is seen to.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

import msgspec


class Odd(StrEnum):
    """What is odd. Values are stored: add new ones, never rename or reuse one."""

    CHARGED_BESIDE = "CHARGED_BESIDE"  # an amount that was armed a moment before, and was not any more
    VOID_UNDONE = "VOID_UNDONE"  # a void that had been confirmed was reversed: the sale stands again
    PART_WENT_BACK = "PART_WENT_BACK"
    WHICH_SALE = "WHICH_SALE"  # money went back under the number of a sale that it does not fit

    @property
    def zh(self) -> str:
        """What it is and what to do, for the cashier."""
        return _TEXTS[self][0]

    @property
    def en(self) -> str:
        """The same in English."""
        return _TEXTS[self][1]


_TEXTS = {
    Odd.CHARGED_BESIDE: (
        "终端上另收了一笔同金额款项，不属于任何补贴订单。如为本商品收款，请在终端上撤销该笔，"
        "再在收银机上重新支付或重新开单；如为其他商品，请确认已处理。",
        "The terminal charged this amount once more, for no subsidised sale. If it was for these goods, void "
        "it at the terminal and pay again at the till, or sell again; if for others, say that it is seen to.",
    ),
    Odd.VOID_UNDONE: (
        "终端上的撤销又被冲正，款项仍在门店。请重新撤销或退货，并告知服务平台。",
        "A void at the terminal was itself reversed, so the shop has the money. Void or refund it again, and "
        "tell the service platform.",
    ),
    Odd.PART_WENT_BACK: (
        "终端上退还了该笔的一部分。请告知服务平台。",
        "A part of a sale was refunded at the terminal. Tell the service platform.",
    ),
    Odd.WHICH_SALE: (
        "终端上退还了一笔款项，批次号和流水号与该单相同，其他内容不符，该单未作变动。请核对签购单。",
        "Money went back at the terminal under the batch and trace of this sale, and the rest does not fit: "
        "the sale was left as it is. Compare the slips, and return its goods at the till if they came back.",
    ),
}


class Look(msgspec.Struct, frozen=True):
    """One thing to look at, of the sale `record_id` if of any; `fen` is None where no amount was named."""

    no: int
    terminal_no: str
    what: Odd
    record_id: str | None
    fen: int | None
    batch: str
    trace: str
    at_ms: int


def is_charged_beside(looks: Iterable[Look]) -> bool:
    """Whether one of them is a charge beside its sale: its shopper may have paid, so nobody charges again."""
    return any(one.what is Odd.CHARGED_BESIDE for one in looks)


class LookJournal(Protocol):
    """What is kept of it. Every call is one transaction."""

    def look_at(
        self, link: str, what: Odd, record_id: str | None, fen: int | None, number: tuple[str, str]
    ) -> None:
        """Store something to look at; `number` is batch and trace of the charge it is about."""

    def beside_is_back(self, link: str, fen: int | None, number: tuple[str, str]) -> bool:
        """End a charge beside a sale whose money went back whole; whether there was one."""
