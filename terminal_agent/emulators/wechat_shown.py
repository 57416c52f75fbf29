"""How does the emulated WeChat Pay behave towards an order that waits for its code to be scanned (Native)?

An order number has one order and one code. It is paid when a shopper scans the code, once, before its time is
over and unless it was closed. After its time it stays NOTPAY until somebody closes it, as the real one may.
"""

import hashlib
import re
from datetime import datetime

from terminal_agent.emulators.faults import Struck
from terminal_agent.emulators.wechat_books import WechatBooks, now_ms
from terminal_agent.emulators.wechat_orders import Answer, Json, Orders, fen_of, problem, text_of

_ORDER_NO = re.compile(r"[0-9A-Za-z_*-]{6,32}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+08:00", re.ASCII)
_CODE = "weixin://wxpay/bizpayurl?pr="


class ScanRefused(Exception):
    """The shopper's phone says no. Says why."""


class ShownOrders:
    """The orders of one merchant that are paid by scanning."""

    def __init__(self, orders: Orders, books: WechatBooks) -> None:
        self._orders = orders
        self._books = books

    def make(self, body: Json, struck: Struck) -> Answer:
        """Make an order, and say its code. The same once more is the same order."""
        order_no, fen, until = (
            text_of(body, "out_trade_no"),
            fen_of(body, "total"),
            text_of(body, "time_expire"),
        )
        well = (
            _ORDER_NO.fullmatch(order_no)
            and fen > 0
            and _TIME.fullmatch(until)
            and text_of(body, "description")
            and text_of(body, "notify_url").startswith("https://")
        )
        if not well or not self._orders.is_ours(body):
            return problem(400, "PARAM_ERROR")
        if "declined" in struck:
            return problem(403, struck.word("declined", "code"))
        known = self._books.order(order_no)
        if known is None:
            if "wrong_amount" in struck:
                fen = struck.number("wrong_amount", "fen")
            hidden_ms = now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0
            self._books.write(
                "shown",
                order_no,
                fen,
                code_hash=_token(order_no),
                description=text_of(body, "description")[:40],
                due_ms=round(datetime.fromisoformat(until).timestamp() * 1000),
                hidden_ms=hidden_ms,
            )
        elif known.state != "NOTPAY":
            return problem(400, "ORDER_PAID" if known.paid else "ORDER_CLOSED")
        elif known.fen != fen:
            return problem(400, "INVALID_REQUEST")
        return Answer(200, {"code_url": _CODE + _token(order_no)})

    def close(self, order_no: str, body: Json, struck: Struck) -> Answer:
        """Close an order that was not paid."""
        if not _ORDER_NO.fullmatch(order_no) or not self._orders.is_ours_at_least(body):
            return problem(400, "PARAM_ERROR")
        if "declined" in struck:
            return problem(400, struck.word("declined", "code"))
        order = self._books.order(order_no)
        if order is None:
            return problem(404, "ORDER_NOT_EXIST")
        if order.state == "NOTPAY":
            if "close_lost" not in struck:
                self._books.write("closed", order_no, 0)
            return Answer(204, {})
        return problem(400, "ORDER_CLOSED" if order.state == "CLOSED" else "ORDER_PAID")

    def scan(self, code: str) -> Json:
        """Be the shopper who scans a code and pays. Raises ScanRefused."""
        order_no = self._books.order_of_code(code.removeprefix(_CODE)) if code.startswith(_CODE) else None
        order = self._books.order(order_no) if order_no is not None else None
        if order_no is None or order is None or not order.is_shown:
            raise ScanRefused("no such code")
        if order.state != "NOTPAY":
            raise ScanRefused(f"the order is {order.state}")
        if order.due_ms <= now_ms():
            raise ScanRefused("the order's time is over")
        line = self._books.write("charge", order_no, order.fen, code_hash=order.code_hash)
        return {"out_trade_no": order_no, "fen": line.fen}


def _token(order_no: str) -> str:
    return "EMU" + hashlib.sha256(order_no.encode()).hexdigest()[:16]
