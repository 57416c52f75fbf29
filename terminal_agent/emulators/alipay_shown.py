"""How does the emulated Alipay behave towards a code that is shown and waits to be scanned (precreate)?

An order number has one code. Until somebody scans it there is no payment to ask for or to cancel; it is paid
once, before its time is over.
"""

import hashlib
import re
from datetime import datetime

from terminal_agent.emulators.alipay_books import AlipayBooks, Offer, now_ms
from terminal_agent.emulators.alipay_orders import ORDER_NO, Json, answer, failed, fen_of, text_of
from terminal_agent.emulators.books import SHANGHAI
from terminal_agent.emulators.faults import Struck

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_CODE = "https://qr.alipay.com/"


class ScanRefused(Exception):
    """The shopper's phone says no. Says why."""


def make(books: AlipayBooks, content: Json, struck: Struck) -> Json:
    """Offer a payment, and say its code. The same once more is the same code."""
    order_no, fen = text_of(content, "out_trade_no"), fen_of(content, "total_amount")
    until = text_of(content, "time_expire")
    if not (ORDER_NO.fullmatch(order_no) and fen and _TIME.fullmatch(until) and text_of(content, "subject")):
        return failed("ACQ.INVALID_PARAMETER", order_no)
    if "declined" in struck:
        return failed(struck.word("declined", "code"), order_no)
    known = books.order(order_no)
    fen = struck.number("wrong_amount", "fen") or fen
    if known is None:
        due = datetime.strptime(until, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
        books.begin(
            "shown",
            order_no,
            fen,
            code_hash=_token(order_no),
            subject=text_of(content, "subject")[:40],
            store_id=text_of(content, "store_id")[:32],
            offer=Offer(struck.number("offer", "platform"), struck.number("offer", "merchant")),
            due_ms=round(due.timestamp() * 1000),
            then="",
            hidden_ms=now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0,
        )
    elif not known.is_offer or known.first.fen != fen:
        return failed("ACQ.TRADE_HAS_SUCCESS" if known.paid else "ACQ.CONTEXT_INCONSISTENT", order_no)
    return {**answer("10000"), "out_trade_no": order_no, "qr_code": _CODE + _token(order_no)}


def scan(books: AlipayBooks, code: str) -> Json:
    """Be the shopper who scans a code and pays. Raises ScanRefused."""
    order = books.offer_of(code.removeprefix(_CODE)) if code.startswith(_CODE) else None
    if order is None:
        raise ScanRefused("no such code")
    if not order.is_offer:
        raise ScanRefused("it was paid")
    if order.first.due_ms <= now_ms():
        raise ScanRefused("its time is over")
    line = books.add("pay", order.first.out_trade_no, order.first.fen)
    return {"out_trade_no": line.out_trade_no, "fen": line.fen}


def _token(order_no: str) -> str:
    return "EMU" + hashlib.sha256(order_no.encode()).hexdigest()[:16]
