"""What does the emulated Alipay know of money that moved?

One JSON line per event, on disk before it is answered. Of the kinds, "pay" took money, "cancel" and "refund"
gave back theirs (`fen`, 0 for the cancel of what was never paid); "shown", "waiting" and "declined" none.
From this file an emulator that was switched off knows its orders again.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from terminal_agent.emulators.books import SHANGHAI, BookFile


@dataclass(frozen=True, slots=True)
class Offer:
    """What others bear of an order, in fen: Alipay, and the shop as Alipay's merchant."""

    platform_fen: int = 0
    merchant_fen: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One event of an order. `at` is Shanghai time as Alipay writes it, the `_ms` are Unix milliseconds.

    `code_hash` names the payment code without telling it, and is what a shown one says. `due_ms` is when a
    shown code's time is over, or when the shopper has typed the password (then `then` comes: "pay" or
    "declined"), `hidden_ms` until when a query finds nothing.
    """

    no: int
    kind: str
    out_trade_no: str
    trade_no: str
    fen: int
    out_request_no: str
    code_hash: str
    subject: str
    store_id: str
    platform_fen: int
    merchant_fen: int
    due_ms: int
    then: str
    hidden_ms: int
    at: str


@dataclass(slots=True)
class Order:
    """An order as its lines have left it; `first` is how it began."""

    first: Line
    last: Line
    paid: Line | None = None
    refunds: dict[str, Line] = field(default_factory=dict)

    @property
    def is_offer(self) -> bool:
        """Whether it is a code that nobody has scanned: no payment yet."""
        return self.last.kind == "shown"

    @property
    def given_back(self) -> int:
        """How much of it went back, in fen."""
        cancelled = self.last.fen if self.last.kind == "cancel" else 0
        return cancelled + sum(one.fen for one in self.refunds.values())

    @property
    def status(self) -> str:
        """What Alipay calls its state. One that is given back whole is closed."""
        if self.last.kind == "waiting":
            return "WAIT_BUYER_PAY"
        if self.paid is None or self.given_back >= self.paid.fen:
            return "TRADE_CLOSED"
        return "TRADE_SUCCESS"


class AlipayBooks:
    """The books of one emulator, and the orders that follow from them."""

    def __init__(self, path: Path) -> None:
        self._file = BookFile(path, Line)
        self._orders: dict[str, Order] = {}
        self._codes: set[str] = set()
        for line in self._file.lines:
            self._fold(line)

    @property
    def lines(self) -> list[Line]:
        """Everything that was booked, passwords that are due by now too."""
        for order_no in list(self._orders):
            self.order(order_no)
        return self._file.lines

    def order(self, out_trade_no: str) -> Order | None:
        """Return an order as it stands now."""
        order = self._orders.get(out_trade_no)
        if order is not None and order.last.kind == "waiting" and order.last.due_ms <= now_ms():
            self.add(order.last.then, out_trade_no, order.first.fen, at_ms=order.last.due_ms)
        return order

    def payment(self, out_trade_no: str) -> Order | None:
        """Return an order as it stands now, once there is a payment of it."""
        order = self.order(out_trade_no)
        return None if order is None or order.is_offer else order

    def offer_of(self, token: str) -> Order | None:
        """Return the order whose shown code says `token`."""
        shown = (one for one in self._orders.values() if one.first.kind == "shown")
        return next((one for one in shown if one.first.code_hash == token), None)

    def was_used(self, code_hash: str) -> bool:
        """Whether a payment code was shown before."""
        return code_hash in self._codes

    def begin(
        self,
        kind: str,
        out_trade_no: str,
        fen: int,
        *,
        code_hash: str,
        subject: str,
        store_id: str,
        offer: Offer,
        due_ms: int,
        then: str,
        hidden_ms: int,
    ) -> Order:
        """Put a new order on disk and return it, as it was written."""
        no = self._next_no
        line = Line(
            no=no,
            kind=kind,
            out_trade_no=out_trade_no,
            trade_no=f"{_shown(now_ms())[:10].replace('-', '')}{no:020d}",
            fen=fen,
            out_request_no="",
            code_hash=code_hash,
            subject=subject,
            store_id=store_id,
            platform_fen=offer.platform_fen,
            merchant_fen=offer.merchant_fen,
            due_ms=due_ms,
            then=then,
            hidden_ms=hidden_ms,
            at=_shown(now_ms()),
        )
        self._append(line)
        return self._orders[out_trade_no]

    def add(
        self, kind: str, out_trade_no: str, fen: int, *, out_request_no: str = "", at_ms: int | None = None
    ) -> Line:
        """Put what becomes of an order on disk and return it."""
        first = self._orders[out_trade_no].first
        line = Line(
            no=self._next_no,
            kind=kind,
            out_trade_no=out_trade_no,
            trade_no=first.trade_no,
            fen=fen,
            out_request_no=out_request_no,
            code_hash="",
            subject=first.subject,
            store_id=first.store_id,
            platform_fen=first.platform_fen,
            merchant_fen=first.merchant_fen,
            due_ms=0,
            then="",
            hidden_ms=0,
            at=_shown(now_ms() if at_ms is None else at_ms),
        )
        self._append(line)
        return line

    def close(self) -> None:
        """Give the file free."""
        self._file.close()

    @property
    def _next_no(self) -> int:
        return len(self._file.lines) + 1

    def _append(self, line: Line) -> None:
        self._file.append(line)
        self._fold(line)

    def _fold(self, line: Line) -> None:
        order = self._orders.setdefault(line.out_trade_no, Order(line, line))
        if line.code_hash:
            self._codes.add(line.code_hash)
        if line.kind == "refund":
            order.refunds[line.out_request_no] = line
            return
        order.last = line
        if line.kind == "pay":
            order.paid = line


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000


def _shown(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, SHANGHAI):%Y-%m-%d %H:%M:%S}"
