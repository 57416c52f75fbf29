"""How does the emulated UnionPay behave, when all is well and when something goes wrong?

Its books say what moved: an order number is paid once, a payment code used once, a refund number given back
once, however often a request comes. It knows nothing of HTTP and signatures.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from terminal_agent.emulators.books import SHANGHAI
from terminal_agent.emulators.faults import Struck
from terminal_agent.emulators.unionpay_books import Line, UnionPayBooks, now_ms, settle_day_of
from terminal_agent.emulators.unionpay_signing import Form

# Made up: what a shopper must never be traced by stands in every answer, as it may in the real ones.
MADE_UP_CARD = "6216261000000000018"
MADE_UP_PHONE = "13800138000"

_NO_PASSWORD_UP_TO_FEN = 100_000
_ORDER_ID = re.compile(r"[0-9A-Za-z]{8,32}", re.ASCII)
_TIME = re.compile(r"20[0-9]{12}", re.ASCII)
_FEN = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_QR_NO = re.compile(r"62[0-9]{17}", re.ASCII)
_TERM_ID = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_SHOWN_CODE = "https://qr.95516.com/00010000/"
_MESSAGES = {
    "00": "成功[0000000]",
    "05": "交易已受理，请稍后查询交易结果[9100005]",
    "12": "重复交易[9100012]",
    "34": "查无此交易[2600000]",
}


class ScanRefused(Exception):
    """The shopper's phone says no. Says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every request has, in its shape."""

    order_id: str
    txn_time: str
    fen: int


class Orders:
    """One merchant's orders at UnionPay."""

    def __init__(self, mer_id: str, books: UnionPayBooks, password_ms: int) -> None:
        self._mer_id = mer_id
        self._books = books
        self._password_ms = password_ms
        self._settled = 0

    def pay(self, form: Form, struck: Struck) -> Form:
        """Have money taken for a new order from the wallet whose code was shown. 00: accepted, no more."""
        asked, code = self._asked(form), form.get("qrNo", "")
        if asked is None or not _QR_NO.fullmatch(code) or not _TERM_ID.fullmatch(form.get("termId", "")):
            return said("10")
        code_hash = hashlib.sha256(code.encode()).hexdigest()[:16]
        if self._books.order(asked.order_id) is not None:
            return said("12")
        if self._books.is_used(code_hash):
            return said("30")
        if "declined" in struck:
            self._books.write("declined", asked.order_id, asked.txn_time, asked.fen, code_hash=code_hash)
            return said(struck.word("declined", "code"))
        fen = struck.number("wrong_amount", "fen") or asked.fen
        hidden_ms = now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0
        kind, then, due_ms = "charge", "", 0
        if "userpaying" in struck or fen > _NO_PASSWORD_UP_TO_FEN:
            kind = "paying"
            then = "declined" if struck.word("userpaying", "then") == "declines" else "charge"
            due_ms = now_ms() + (struck.number("userpaying", "ms") or self._password_ms)
        self._books.write(
            kind,
            asked.order_id,
            asked.txn_time,
            fen,
            offer_fen=min(struck.number("offer", "fen"), fen),
            code_hash=code_hash,
            due_ms=due_ms,
            then=then,
            hidden_ms=hidden_ms,
        )
        return said("04" if "unclear_code" in struck else "00" if kind == "charge" else "05")

    def show(self, form: Form, struck: Struck) -> Form:
        """Make an order that is paid by scanning, and say its code."""
        asked, until = self._asked(form), form.get("payTimeout", "")
        if asked is None or not _TIME.fullmatch(until):
            return said("10")
        if "declined" in struck:
            return said(struck.word("declined", "code"))
        known = self._books.order(asked.order_id)
        token = hashlib.sha256(asked.order_id.encode()).hexdigest()[:32]
        if known is not None and (known.txn_time, known.fen, known.state) != (
            asked.txn_time,
            asked.fen,
            "SHOWN",
        ):
            return said("12")
        if known is None:
            self._books.write(
                "shown",
                asked.order_id,
                asked.txn_time,
                struck.number("wrong_amount", "fen") or asked.fen,
                code_hash=token,
                due_ms=_ms_of(until),
                hidden_ms=now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0,
            )
        if "unclear_code" in struck:
            return said("04")
        return {**said("00"), "qrCode": _SHOWN_CODE + token}

    def scan(self, code: str) -> dict[str, object]:
        """Be the shopper who scans a code and pays. Raises ScanRefused."""
        order = self._books.shown(code.removeprefix(_SHOWN_CODE)) if code.startswith(_SHOWN_CODE) else None
        if order is None:
            raise ScanRefused("no such code")
        if order.state != "SHOWN":
            raise ScanRefused(f"the order is {order.state}")
        if order.due_ms <= now_ms():
            raise ScanRefused("the order's time is over")
        line = self._books.write("charge", order.order_id, order.txn_time, order.fen)
        return {"order_id": order.order_id, "fen": line.fen}

    def query(self, form: Form) -> Form:
        """Say what became of an order or a refund."""
        order = self._books.order(form.get("orderId", ""))
        if order is None or order.txn_time != form.get("txnTime") or order.hidden_ms > now_ms():
            return said("34")
        if order.state == "REVERSED":
            return said("35")
        code = {"PAID": "00", "FAILED": "01"}.get(order.state, "05")
        answer = {
            **said("00"),
            "origRespCode": code,
            "origRespMsg": _MESSAGES.get(code, "失败"),
            "queryId": order.query_id,
            "txnAmt": str(order.fen),
            "currencyCode": "156",
            "traceNo": order.query_id[-6:],
            "settleDate": order.txn_time[4:8],
            "accNo": MADE_UP_CARD,
        }
        if order.paid is not None and order.paid.offer_fen:
            answer["couponInfo"] = (
                f'[{{"type":"DD01","spnsrId":"00010000","offstAmt":"{order.paid.offer_fen}"}}]'
            )
        return answer

    def reverse(self, form: Form, struck: Struck) -> Form:
        """Undo an order whole on its settlement day, paid or not."""
        asked = self._asked(form)
        if asked is None:
            return said("10")
        if "declined" in struck:
            return said(struck.word("declined", "code"))
        order = self._books.order(asked.order_id)
        if order is None or order.txn_time != asked.txn_time:
            return said("34")
        if order.state == "REVERSED":
            return said("00")
        if order.state == "PAYING":
            return said("05")
        if order.refunded_fen or (order.paid is not None and self._is_settled(order.paid)):
            return said("35")
        fen = 0 if order.paid is None else order.paid.fen
        self._books.write("reversal", order.order_id, order.txn_time, fen)
        return said("04" if "unclear_code" in struck else "00")

    def refund(self, form: Form, struck: Struck) -> Form:
        """Give back a part of a paid order, or the whole."""
        asked = self._asked(form)
        if asked is None:
            return said("10")
        if "declined" in struck:
            return said(struck.word("declined", "code"))
        if self._books.order(asked.order_id) is not None:
            return said("12")
        order = self._books.order(form.get("origOrderId", ""))
        if order is None or order.paid is None or order.txn_time != form.get("origTxnTime"):
            return said("35")
        if order.state != "PAID" or order.refunded_fen + asked.fen > order.paid.fen:
            return said("36")
        self._books.write("refund", asked.order_id, asked.txn_time, asked.fen, orig=order.order_id)
        return said("04" if "unclear_code" in struck else "00")

    def settle(self) -> int:
        """Close the settlement day now; return up to which line of the books."""
        self._settled = len(self._books.lines)
        return self._settled

    def _is_settled(self, paid: Line) -> bool:
        today = settle_day_of(datetime.fromtimestamp(now_ms() / 1000, SHANGHAI))
        return paid.no <= self._settled or paid.settle_day != today

    def _asked(self, form: Form) -> Asked | None:
        order_id, txn_time, fen = form.get("orderId", ""), form.get("txnTime", ""), form.get("txnAmt", "")
        well = (
            _ORDER_ID.fullmatch(order_id)
            and _TIME.fullmatch(txn_time)
            and _FEN.fullmatch(fen)
            and form.get("currencyCode") == "156"
        )
        return Asked(order_id, txn_time, int(fen)) if well else None


def said(code: str) -> Form:
    """Return what every answer says."""
    return {"respCode": code, "respMsg": f"{_MESSAGES.get(code, '失败')} {MADE_UP_PHONE}"}


def _ms_of(time: str) -> int:
    at = datetime.strptime(time, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    return round(at.timestamp() * 1000)
