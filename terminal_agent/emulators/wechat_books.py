"""What does the emulated WeChat Pay know of money that moved?

One JSON line per event, on disk before it is answered. Of the kinds, "charge" took money, "reversal" and
"refund" gave back theirs (`fen`, 0 for a reversal of what was never paid); "ordered", "paying", "declined",
"shown" and "closed" moved none. From this file an emulator that was switched off knows its orders again.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from terminal_agent.emulators.books import SHANGHAI, BookFile


@dataclass(frozen=True, slots=True)
class Line:
    """One event of an order. `at` is Shanghai time, the `_ms` are Unix milliseconds, 0 for never.

    `code_hash` names the payment code without telling it, or is the token in a code that is shown. `due_ms`
    is when the shopper has typed the password or an order is carried out (then `then` comes: "charge" or
    "declined"), or a shown order's time is over, `hidden_ms` until when a query finds nothing.
    """

    no: int
    kind: str
    out_trade_no: str
    transaction_id: str
    fen: int
    out_refund_no: str
    refund_id: str
    code_hash: str
    description: str
    due_ms: int
    then: str
    hidden_ms: int
    at: str


@dataclass(slots=True)
class Order:
    """An order as its lines have left it. `fen` is what was asked, `paid` the charge.

    `is_shown`: it is paid by scanning.
    """

    out_trade_no: str
    state: str
    fen: int
    code_hash: str
    transaction_id: str
    description: str
    due_ms: int = 0
    then: str = ""
    hidden_ms: int = 0
    is_shown: bool = False
    paid: Line | None = None
    refunds: dict[str, Line] = field(default_factory=dict)


_STATES = {
    "charge": "SUCCESS",
    "ordered": "NOTPAY",
    "paying": "USERPAYING",
    "declined": "PAYERROR",
    "reversal": "REVOKED",
    "shown": "NOTPAY",
    "closed": "CLOSED",
}


class WechatBooks:
    """The books of one emulator, and the orders that follow from them."""

    def __init__(self, path: Path) -> None:
        self._file = BookFile(path, Line)
        self._orders: dict[str, Order] = {}
        self._codes: dict[str, str] = {}
        for line in self._file.lines:
            self._fold(line)

    @property
    def lines(self) -> list[Line]:
        """Everything that was booked, passwords that are due by now too."""
        for order in list(self._orders.values()):
            self._settle(order)
        return self._file.lines

    def order(self, out_trade_no: str) -> Order | None:
        """Return an order as it stands now."""
        order = self._orders.get(out_trade_no)
        if order is not None:
            self._settle(order)
        return order

    def as_written(self, out_trade_no: str) -> Order:
        """Return an order as its last line left it, also when its password is due by now."""
        return self._orders[out_trade_no]

    def order_of_code(self, code_hash: str) -> str | None:
        """Return the order that a payment code was used for."""
        return self._codes.get(code_hash)

    def write(
        self,
        kind: str,
        out_trade_no: str,
        fen: int,
        *,
        code_hash: str = "",
        description: str = "",
        out_refund_no: str = "",
        due_ms: int = 0,
        then: str = "",
        hidden_ms: int = 0,
        at_ms: int | None = None,
    ) -> Line:
        """Put an event on disk and return it."""
        no = len(self._file.lines) + 1
        order = self._orders.get(out_trade_no)
        at = datetime.fromtimestamp((at_ms or now_ms()) / 1000, SHANGHAI)
        gives_back = kind in ("reversal", "refund") and fen > 0
        line = Line(
            no=no,
            kind=kind,
            out_trade_no=out_trade_no,
            transaction_id=order.transaction_id if order is not None else f"4200{no:024d}",
            fen=fen,
            out_refund_no=out_refund_no,
            refund_id=f"5030{no:024d}" if gives_back else "",
            code_hash=code_hash,
            description=description,
            due_ms=due_ms,
            then=then,
            hidden_ms=hidden_ms,
            at=at.isoformat(timespec="seconds"),
        )
        self._file.append(line)
        self._fold(line)
        return line

    def close(self) -> None:
        """Give the file free."""
        self._file.close()

    def _settle(self, order: Order) -> None:
        if order.then and order.due_ms <= now_ms():
            self.write(
                order.then,
                order.out_trade_no,
                order.fen,
                code_hash=order.code_hash,
                description=order.description,
                hidden_ms=order.hidden_ms,
                at_ms=order.due_ms,
            )

    def _fold(self, line: Line) -> None:
        order = self._orders.get(line.out_trade_no)
        if order is None:
            order = self._orders[line.out_trade_no] = Order(
                line.out_trade_no, "", line.fen, line.code_hash, line.transaction_id, line.description
            )
        if line.code_hash:
            self._codes.setdefault(line.code_hash, line.out_trade_no)
        if line.kind == "refund":
            order.state = "REFUND"
            order.refunds[line.out_refund_no] = line
            return
        order.state = _STATES[line.kind]
        order.is_shown = order.is_shown or line.kind == "shown"
        order.due_ms, order.then = line.due_ms, line.then
        order.hidden_ms = max(order.hidden_ms, line.hidden_ms)
        if line.kind == "charge":
            order.paid = line


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000
