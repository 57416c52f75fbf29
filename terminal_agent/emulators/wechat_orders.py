"""How does the emulated WeChat Pay behave, when all is well and when something goes wrong?

Its books say what moved: an order number is paid once, a payment code used once, a refund number given back
once, however often a request comes. It knows nothing of HTTP and signatures.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from terminal_agent.emulators.faults import Struck
from terminal_agent.emulators.wechat_books import Line, Order, WechatBooks, now_ms

Json = dict[str, Any]

# Made up: what a shopper must never be traced by stands in every answer, as it does in the real ones.
MADE_UP_OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
MADE_UP_ACCOUNT = "招商银行信用卡0403"
MADE_UP_PHONE = "13800138000"

_NO_PASSWORD_UP_TO_FEN = 100_000
_A_WEEK_MS = 7 * 24 * 3_600_000
_ORDER_NO = re.compile(r"[0-9A-Za-z_*-]{6,32}", re.ASCII)
_REFUND_NO = re.compile(r"[0-9A-Za-z_|*@-]{1,64}", re.ASCII)
_AUTH_CODE = re.compile(r"1[0-5][0-9]{16}", re.ASCII)
_MESSAGES = {
    "AUTH_CODE_INVALID": "每个二维码仅限使用一次，请刷新再试",
    "NOT_ENOUGH": f"余额不足，请联系{MADE_UP_PHONE}",
    "ORDER_CLOSED": "订单已关闭",
    "ORDER_NOT_EXIST": "订单不存在",
    "ORDER_PAID": "订单已支付",
    "ORDER_REVERSED": "订单已撤销",
    "OUT_TRADE_NO_USED": "商户订单号重复",
    "PARAM_ERROR": "参数错误",
    "RESOURCE_NOT_EXISTS": "退款单不存在",
    "SYSTEM_ERROR": "系统繁忙，请稍后重试",
    "USERPAYING": "需要用户输入支付密码",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what it says."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a shopper types a password, and a refund is under way."""

    password_ms: int
    refund_ms: int


class Orders:
    """One merchant's orders at WeChat Pay."""

    def __init__(self, appid: str, mchid: str, books: WechatBooks, waits: Waits) -> None:
        self._appid = appid
        self._mchid = mchid
        self._books = books
        self._waits = waits

    def pay(self, body: Json, struck: Struck) -> Answer:
        """Take money for a new order from the wallet whose code was shown."""
        order_no, fen, code = text_of(body, "out_trade_no"), fen_of(body, "total"), _code_of(body)
        well = (
            _ORDER_NO.fullmatch(order_no)
            and fen > 0
            and _AUTH_CODE.fullmatch(code)
            and text_of(body, "description")
            and text_of(_part(body, "scene_info"), "device_ip")
        )
        if not well or not self.is_ours(body):
            return problem(400, "PARAM_ERROR")
        code_hash = hashlib.sha256(code.encode()).hexdigest()[:16]
        known = self._books.order(order_no)
        if known is not None:
            return self._pay_again(known, fen, code_hash)
        if self._books.order_of_code(code_hash) is not None:
            return problem(400, "AUTH_CODE_INVALID")
        description = text_of(body, "description")[:40]
        if "declined" in struck:
            self._books.write("declined", order_no, fen, code_hash=code_hash, description=description)
            return problem(403, struck.word("declined", "code"))
        return self._pay_new(order_no, fen, code_hash, description, struck)

    def query(self, order_no: str) -> Answer:
        """Say what became of an order."""
        order = self._books.order(order_no)
        if order is None or order.hidden_ms > now_ms():
            return problem(404, "ORDER_NOT_EXIST")
        return Answer(200, self._trade(order))

    def reverse(self, order_no: str, body: Json, struck: Struck) -> Answer:
        """Undo an order whole. An unknown one is closed before it can be paid."""
        if not _ORDER_NO.fullmatch(order_no) or not self.is_ours(body):
            return problem(400, "PARAM_ERROR")
        if "declined" in struck:
            return problem(400, struck.word("declined", "code"))
        order = self._books.order(order_no)
        confirmed = Answer(200, {"appid": self._appid, "mchid": self._mchid, "out_trade_no": order_no})
        if "reverse_lost" in struck:
            return confirmed
        state = "" if order is None else order.state
        if order is not None and order.is_shown:
            return problem(400, "INVALID_REQUEST")  # closed or refunded, never reversed
        if state == "USERPAYING":
            return problem(400, "USERPAYING")
        if state == "REFUND":
            return problem(400, "INVALID_REQUEST")
        paid = None if order is None else order.paid
        if state == "SUCCESS" and paid is not None and _ms_of(paid) + _A_WEEK_MS < now_ms():
            return problem(400, "REVERSE_EXPIRE")
        if state != "REVOKED":
            self._books.write("reversal", order_no, 0 if paid is None else paid.fen)
        return confirmed

    def refund(self, body: Json, struck: Struck) -> Answer:
        """Give back a part of a paid order, or the whole."""
        order_no, refund_no = text_of(body, "out_trade_no"), text_of(body, "out_refund_no")
        fen, total = fen_of(body, "refund"), fen_of(body, "total")
        if not _REFUND_NO.fullmatch(refund_no) or fen <= 0:
            return problem(400, "PARAM_ERROR")
        if "declined" in struck:
            return problem(403, struck.word("declined", "code"))
        order = self._books.order(order_no)
        if order is None or order.paid is None:
            return problem(404, "RESOURCE_NOT_EXISTS")
        earlier = order.refunds.get(refund_no)
        if earlier is not None:
            same = (earlier.fen, order.paid.fen) == (fen, total)
            return Answer(200, self._refund(order, earlier)) if same else problem(400, "INVALID_REQUEST")
        given_back = sum(one.fen for one in order.refunds.values())
        if order.state == "REVOKED" or total != order.paid.fen or given_back + fen > order.paid.fen:
            return problem(400, "INVALID_REQUEST")
        hidden_ms = now_ms() + struck.number("refund_unknown", "ms") if "refund_unknown" in struck else 0
        line = self._books.write(
            "refund",
            order_no,
            fen,
            out_refund_no=refund_no,
            due_ms=now_ms() + self._waits.refund_ms,
            hidden_ms=hidden_ms,
        )
        return problem(500, "SYSTEM_ERROR") if hidden_ms else Answer(200, self._refund(order, line))

    def refund_query(self, refund_no: str) -> Answer:
        """Say what became of a refund."""
        for line in self._books.lines:
            if line.kind == "refund" and line.out_refund_no == refund_no and line.hidden_ms <= now_ms():
                order = self._books.order(line.out_trade_no)
                assert order is not None
                return Answer(200, self._refund(order, line))
        return problem(404, "RESOURCE_NOT_EXISTS")

    def _pay_again(self, order: Order, fen: int, code_hash: str) -> Answer:
        if order.state == "REVOKED":
            return problem(400, "ORDER_REVERSED")
        if order.code_hash != code_hash or order.fen != fen:
            return problem(403, "OUT_TRADE_NO_USED")
        if order.then:
            return self._begun(order)
        return problem(400, "TRADE_ERROR" if order.state == "PAYERROR" else "ORDER_PAID")

    def _pay_new(self, order_no: str, fen: int, code_hash: str, description: str, struck: Struck) -> Answer:
        if "wrong_amount" in struck:
            fen = struck.number("wrong_amount", "fen")
        hidden_ms = now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0
        kind, then, due_ms = "charge", "", 0
        if "userpaying" in struck or fen > _NO_PASSWORD_UP_TO_FEN:
            kind = "paying"
            then = "declined" if struck.word("userpaying", "then") == "declines" else "charge"
            due_ms = now_ms() + (struck.number("userpaying", "ms") or self._waits.password_ms)
        if "not_paid_yet" in struck:
            kind, then, due_ms = "ordered", "charge", now_ms() + struck.number("not_paid_yet", "ms")
        self._books.write(
            kind,
            order_no,
            fen,
            code_hash=code_hash,
            description=description,
            due_ms=due_ms,
            then=then,
            hidden_ms=hidden_ms,
        )
        return self._begun(self._books.as_written(order_no))

    def _begun(self, order: Order) -> Answer:
        return Answer(202 if order.state == "USERPAYING" else 200, self._trade(order))

    def _trade(self, order: Order) -> Json:
        trade: Json = {
            "appid": self._appid,
            "mchid": self._mchid,
            "out_trade_no": order.out_trade_no,
            "trade_type": "NATIVE" if order.is_shown else "MICROPAY",
            "trade_state": order.state,
            "trade_state_desc": f"{order.state} {MADE_UP_PHONE}",
            "bank_type": "CMB_CREDIT",
            "attach": "",
            "payer": {"openid": MADE_UP_OPENID},
        }
        if order.paid is not None:
            fen = order.paid.fen
            trade["transaction_id"] = order.transaction_id
            trade["success_time"] = order.paid.at
            trade["amount"] = {"total": fen, "payer_total": fen, "currency": "CNY", "payer_currency": "CNY"}
            trade["promotion_detail"] = []
        return trade

    def _refund(self, order: Order, line: Line) -> Json:
        assert order.paid is not None
        done = line.due_ms <= now_ms()
        refund = {
            "refund_id": line.refund_id,
            "out_refund_no": line.out_refund_no,
            "transaction_id": order.transaction_id,
            "out_trade_no": order.out_trade_no,
            "channel": "ORIGINAL",
            "user_received_account": MADE_UP_ACCOUNT,
            "create_time": line.at,
            "status": "SUCCESS" if done else "PROCESSING",
            "funds_account": "AVAILABLE",
            "amount": {
                "total": order.paid.fen,
                "refund": line.fen,
                "payer_total": order.paid.fen,
                "payer_refund": line.fen,
                "currency": "CNY",
            },
        }
        return {**refund, "success_time": line.at} if done else refund

    def is_ours(self, body: Json) -> bool:
        """Whether a body names our merchant and its appid."""
        return body.get("appid") == self._appid and self.is_ours_at_least(body)

    def is_ours_at_least(self, body: Json) -> bool:
        """Whether a body names our merchant."""
        return body.get("mchid") == self._mchid


def problem(status: int, code: str) -> Answer:
    """Return a refusal or a fault."""
    return Answer(status, {"code": code, "message": _MESSAGES.get(code, "请求失败")})


def _ms_of(line: Line) -> int:
    return round(datetime.fromisoformat(line.at).timestamp() * 1000)


def _part(body: Json, key: str) -> Json:
    part = body.get(key)
    return part if isinstance(part, dict) else {}


def text_of(body: Json, key: str) -> str:
    """Return a text of a body, empty when there is none."""
    text = body.get(key)
    return text if isinstance(text, str) else ""


def _code_of(body: Json) -> str:
    return text_of(_part(body, "payer"), "auth_code")


def fen_of(body: Json, key: str) -> int:
    """Return one of a body's amounts in fen, 0 when there is none in CNY."""
    amount = _part(body, "amount")
    fen = amount.get(key)
    return fen if type(fen) is int and amount.get("currency") == "CNY" else 0
