"""What does the emulated UnionPay know of money that moved?

One JSON line per event, on disk before it is answered. Of the kinds, "charge" took money, "reversal" and
"refund" gave back theirs (`fen`, 0 for a reversal of what was never paid); "paying", "shown" and "declined"
moved none. From this file an emulator that was switched off knows its orders again.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from terminal_agent.emulators.books import SHANGHAI, BookFile

_DAY_ENDS_H = 23


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `at` is Shanghai time, the `_ms` are Unix milliseconds, 0 for never.

    `order_id` and `txn_time` name it together; a refund has its own, and `orig` is the order's that it is of.
    `code_hash` names the payment code without telling it. `due_ms` is when the shopper has typed the
    password (then `then` comes) or a shown order's time is over, `hidden_ms` until when a query finds
    nothing. `offer_fen` of the amount was borne by a coupon of UnionPay's.
    """

    no: int
    kind: str
    order_id: str
    txn_time: str
    orig: str
    query_id: str
    fen: int
    offer_fen: int
    code_hash: str
    due_ms: int
    then: str
    hidden_ms: int
    at: str

    @property
    def settle_day(self) -> str:
        """The day on which it is settled."""
        return settle_day_of(datetime.fromisoformat(self.at))


@dataclass(slots=True)
class Order:
    """An order or a refund as its lines have left it. `fen` is what was asked."""

    order_id: str
    txn_time: str
    state: str
    fen: int
    query_id: str
    code_hash: str = ""
    due_ms: int = 0
    then: str = ""
    offer_fen: int = 0
    hidden_ms: int = 0
    paid: Line | None = None
    refunded_fen: int = 0


STATES = {
    "charge": "PAID",
    "paying": "PAYING",
    "shown": "SHOWN",
    "declined": "FAILED",
    "reversal": "REVERSED",
    "refund": "PAID",
}


class UnionPayBooks:
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
        for order in list(self._orders.values()):
            self._settle(order)
        return self._file.lines

    def order(self, order_id: str) -> Order | None:
        """Return an order or a refund as it stands now."""
        order = self._orders.get(order_id)
        if order is not None:
            self._settle(order)
        return order

    def is_used(self, code_hash: str) -> bool:
        """Whether a payment code was used."""
        return code_hash in self._codes

    def shown(self, code_hash: str) -> Order | None:
        """Return the order whose code is shown under this name."""
        found = [one for one in self._orders.values() if one.code_hash == code_hash]
        return self.order(found[0].order_id) if found else None

    def write(
        self,
        kind: str,
        order_id: str,
        txn_time: str,
        fen: int,
        *,
        orig: str = "",
        offer_fen: int = 0,
        code_hash: str = "",
        due_ms: int = 0,
        then: str = "",
        hidden_ms: int = 0,
        at_ms: int | None = None,
    ) -> Line:
        """Put an event on disk and return it."""
        no = len(self._file.lines) + 1
        at = datetime.fromtimestamp((at_ms or now_ms()) / 1000, SHANGHAI)
        known = self._orders.get(order_id)
        line = Line(
            no=no,
            kind=kind,
            order_id=order_id,
            txn_time=txn_time,
            orig=orig,
            query_id=f"{at:%Y%m%d%H%M%S}{no:07d}" if known is None else known.query_id,
            fen=fen,
            offer_fen=offer_fen,
            code_hash=code_hash,
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
        if order.state == "PAYING" and order.due_ms <= now_ms():
            offer_fen = order.offer_fen if order.then == "charge" else 0
            self.write(
                order.then,
                order.order_id,
                order.txn_time,
                order.fen,
                at_ms=order.due_ms,
                offer_fen=offer_fen,
            )

    def _fold(self, line: Line) -> None:
        order = self._orders.get(line.order_id)
        if order is None:
            order = self._orders[line.order_id] = Order(
                line.order_id, line.txn_time, "", line.fen, line.query_id, line.code_hash
            )
        if line.code_hash:
            self._codes.add(line.code_hash)
        order.state = STATES[line.kind]
        order.due_ms, order.then, order.offer_fen = line.due_ms, line.then, line.offer_fen
        order.hidden_ms = max(order.hidden_ms, line.hidden_ms)
        if line.kind in ("charge", "refund"):
            order.paid = line
        if line.kind == "refund":
            self._orders[line.orig].refunded_fen += line.fen


def settle_day_of(at: datetime) -> str:
    """Return the settlement day of an instant in Shanghai: it ends at 23:00."""
    return (at + timedelta(days=at.hour >= _DAY_ENDS_H)).date().isoformat()


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000
