"""What does one row of a channel's or an acquirer's file say, whatever its layout?"""

import re
from enum import StrEnum

import msgspec

from subsidy import ids
from subsidy.masking import scrub

_OUR_SHAPE = re.compile(r"[A-Z2-7]{26}[0-9]{2}R?", re.ASCII)


class Moved(StrEnum):
    """What a row says has happened. Values are stored: add new ones, never rename or reuse one."""

    SALE = "sale"
    VOID = "void"  # taken back whole: a void at the terminal, a reversed order
    REFUND = "refund"
    REFUND_FAILED = "refund_failed"  # asked for and not given: the shopper has nothing back


class Line(msgspec.Struct, frozen=True):
    """One row. `day` is the file's, `own_day` the row's own date, both as 2026-01-31.

    `pay_ref` is the payment it is about, empty when the row is not of this programme (a terminal sells
    without subsidy too); `refund_no` is the number under which money went back, if it says one. `ref` is
    what the other side calls this movement. `raw` is the row without what is personal. `offer_fen` is how
    much of a payment others bore than the shopper, `shop_offer_fen` how much of that the shop: None where the
    file does not tell them apart.
    """

    source: str
    day: str
    line_no: int
    kind: Moved
    fen: int
    pay_ref: str
    refund_no: str
    merchant_no: str
    ref: str
    own_day: str
    raw: str
    offer_fen: int = 0
    shop_offer_fen: int | None = None

    @property
    def place(self) -> str:
        """Where it stands, as people look it up."""
        return f"{self.source}/{self.day}/{self.line_no}"

    @property
    def net_fen(self) -> int:
        """What the shopper was debited by it; below zero for money that went back."""
        return self.fen if self.kind is Moved.SALE else -self.fen

    @property
    def sale(self) -> str:
        """What all rows of one sale have in common; empty when the row is not of this programme."""
        return sale_of(self.pay_ref)


class Called(msgspec.Struct, frozen=True):
    """What the other side calls a movement of money. An empty text: it does not say.

    `names` are those by which other rows of its source point at it; `about` is the name of the charge that
    it gives back or puts right.
    """

    terminal_no: str
    batch: str
    trace: str
    rrn: str
    names: tuple[str, ...] = ()
    about: str = ""


class FileRead(msgspec.Struct, frozen=True):
    """A file that was read whole, with the totals that it states itself.

    `is_none` is the channel's word that nothing moved, in place of a file.
    """

    source: str
    day: str
    layout: str
    sha256: str
    lines: tuple[Line, ...]
    sales: int
    sale_fen: int
    backs: int
    back_fen: int
    is_none: bool = False


def is_our_shape(text: str) -> bool:
    """Whether `text` looks like an order or refund number of this programme."""
    return _OUR_SHAPE.fullmatch(text) is not None


def payment_of(text: str) -> str:
    """Return the pay_ref of an order or refund number; other text as it may be shown."""
    return text[:28] if is_our_shape(text) else scrub(text)


def sale_of(pay_ref: str) -> str:
    """Return what all payments of the same sale have in common."""
    return pay_ref[:26] if is_our_shape(pay_ref) else pay_ref


def sale_of_record(record_id: str) -> str:
    """Return what the rows of a record have in common."""
    return ids.pay_ref(record_id, 1)[:26]


def record_of(sale: str) -> str | None:
    """Return the record that a sale's rows are about, or None when their number cannot be one of ours."""
    found = ids.read_pay_ref(f"{sale}01") if len(sale) == 26 else None
    return None if found is None else found[0]
