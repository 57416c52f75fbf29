"""How does the emulated Alipay behave, when all is well and when something goes wrong?

Its books say what moved: an order number is paid once, a payment code used once, a refund number given back
once, however often a request comes. It knows nothing of HTTP and signatures. Amounts are yuan as text.
"""

import hashlib
import re
from datetime import datetime
from typing import Any

from terminal_agent.emulators.alipay_books import AlipayBooks, Line, Offer, Order, now_ms
from terminal_agent.emulators.books import SHANGHAI
from terminal_agent.emulators.faults import Struck

Json = dict[str, Any]

# Made up: what a shopper must never be traced by stands in every answer, as it does in the real ones.
MADE_UP_ACCOUNT = "138****8000"
MADE_UP_USER = "2088102146225135"
MADE_UP_PHONE = "13800138000"

_NO_PASSWORD_UP_TO_FEN = 100_000
_A_DAY_MS = 24 * 3_600_000
ORDER_NO = re.compile(r"[0-9A-Za-z_]{6,64}", re.ASCII)
_AUTH_CODE = re.compile(r"(?:2[5-9]|30)[0-9]{14,22}", re.ASCII)
_YUAN = re.compile(r"(0|[1-9][0-9]{0,9})\.([0-9]{2})", re.ASCII)
_WITHIN = re.compile(r"[1-9][0-9]{0,3}[mhd]", re.ASCII)
_NAMES = {
    "10000": "Success",
    "10003": " order success pay inprocess",
    "20000": "Service Currently Unavailable",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
}


def pay(books: AlipayBooks, content: Json, struck: Struck, password_ms: int) -> Json:
    """Take money for a new order from the wallet whose code was shown."""
    order_no, fen, code = (
        text_of(content, "out_trade_no"),
        fen_of(content, "total_amount"),
        text_of(content, "auth_code"),
    )
    fixed = (text_of(content, "scene"), text_of(content, "product_code"))
    well = fixed == ("bar_code", "FACE_TO_FACE_PAYMENT") and text_of(content, "subject")
    if not (
        well
        and ORDER_NO.fullmatch(order_no)
        and fen
        and _WITHIN.fullmatch(text_of(content, "timeout_express"))
    ):
        return failed("ACQ.INVALID_PARAMETER", order_no)
    known = books.order(order_no)
    code_hash = hashlib.sha256(code.encode()).hexdigest()[:16]
    if known is not None:
        return _pay_again(known, fen, code_hash)
    if _AUTH_CODE.fullmatch(code) is None or books.was_used(code_hash):
        return failed("ACQ.PAYMENT_AUTH_CODE_INVALID", order_no)
    fen = struck.number("wrong_amount", "fen") or fen
    kind, then, due_ms = "pay", "", 0
    if "declined" in struck:
        kind = "declined"
    elif "userpaying" in struck or fen > _NO_PASSWORD_UP_TO_FEN:
        kind = "waiting"
        then = "declined" if struck.word("userpaying", "then") == "declines" else "pay"
        due_ms = now_ms() + (struck.number("userpaying", "ms") or password_ms)
    order = books.begin(
        kind,
        order_no,
        fen,
        code_hash=code_hash,
        subject=text_of(content, "subject")[:40],
        store_id=text_of(content, "store_id")[:32],
        offer=Offer(struck.number("offer", "platform"), struck.number("offer", "merchant")),
        due_ms=due_ms,
        then=then,
        hidden_ms=now_ms() + struck.number("not_found_lag", "ms") if "not_found_lag" in struck else 0,
    )
    if kind == "declined":
        return failed(struck.word("declined", "code"), order_no)
    return _paid(order) if kind == "pay" else {**answer("10003"), **_named(order)}


def query(books: AlipayBooks, content: Json) -> Json:
    """Say what became of an order."""
    order_no = text_of(content, "out_trade_no")
    order = books.payment(order_no)
    if order is None or order.first.hidden_ms > now_ms():
        return failed("ACQ.TRADE_NOT_EXIST", order_no)
    said = {
        **_named(order),
        "buyer_logon_id": MADE_UP_ACCOUNT,
        "buyer_user_id": MADE_UP_USER,
        "trade_status": order.status,
        "total_amount": yuan(order.first.fen),
        "point_amount": "0.00",
    }
    if order.paid is not None:
        said |= {**_amounts(order.paid), "send_pay_date": order.paid.at}
    return {**answer("10000"), **said}


def cancel(books: AlipayBooks, content: Json, struck: Struck) -> Json:
    """Undo an order whole. Of one that it does not know it says done, and what was done it does not say."""
    order_no = text_of(content, "out_trade_no")
    if "declined" in struck:
        return failed(struck.word("declined", "code"), order_no)
    order = books.payment(order_no)
    if order is None:
        return {**answer("10000"), "out_trade_no": order_no, "retry_flag": "N"}
    paid = order.paid
    done = {**answer("10000"), **_named(order), "retry_flag": "N", "action": "refund" if paid else "close"}
    if "cancel_lost" in struck or order.status == "TRADE_CLOSED":
        return done
    if paid is not None and _age_ms(paid) > _A_DAY_MS:
        return failed("ACQ.TRADE_CANCEL_TIME_OUT", order_no)
    books.add("cancel", order_no, 0 if paid is None else paid.fen - order.given_back)
    return done


def refund(books: AlipayBooks, content: Json, struck: Struck) -> Json:
    """Give back a part of a paid order, or the whole. The answer's sum is of all its refunds."""
    order_no, refund_no = text_of(content, "out_trade_no"), text_of(content, "out_request_no")
    fen = fen_of(content, "refund_amount")
    if not fen or ORDER_NO.fullmatch(refund_no) is None:
        return failed("ACQ.INVALID_PARAMETER", order_no)
    if "declined" in struck:
        return failed(struck.word("declined", "code"), order_no)
    order = books.payment(order_no)
    if order is None or order.paid is None:
        return failed("ACQ.TRADE_NOT_EXIST", order_no)
    earlier = order.refunds.get(refund_no)
    if earlier is None:
        if order.given_back + fen > order.paid.fen:
            return failed("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", order_no)
        books.add("refund", order_no, fen, out_request_no=refund_no)
    elif earlier.fen != fen:
        return failed("ACQ.DISCORDANT_REPEAT_REQUEST", order_no)
    return {
        **answer("10000"),
        **_named(order),
        "buyer_logon_id": MADE_UP_ACCOUNT,
        "fund_change": "Y" if earlier is None else "N",
        "refund_fee": yuan(order.given_back),
        "send_back_fee": yuan(fen),
    }


def refund_query(books: AlipayBooks, content: Json) -> Json:
    """Say what became of a refund. Of one that it does not know it says only that the call was done."""
    order_no, refund_no = text_of(content, "out_trade_no"), text_of(content, "out_request_no")
    order = books.payment(order_no)
    if order is None:
        return failed("ACQ.TRADE_NOT_EXIST", order_no)
    line = order.refunds.get(refund_no)
    if line is None or order.paid is None:
        return answer("10000")
    return {
        **answer("10000"),
        **_named(order),
        "out_request_no": refund_no,
        "refund_status": "REFUND_SUCCESS",
        "total_amount": yuan(order.paid.fen),
        "refund_amount": yuan(line.fen),
        "gmt_refund_pay": line.at,
    }


def answer(code: str) -> Json:
    """Return how an answer begins."""
    return {"code": code, "msg": _NAMES[code]}


def failed(reason: str, order_no: str, code: str = "40004") -> Json:
    """Return a refusal with its reason (sub_code)."""
    said = {**answer(code), "sub_code": reason, "sub_msg": f"业务处理失败，请联系{MADE_UP_PHONE}"}
    return {**said, "out_trade_no": order_no} if reason.startswith("ACQ.") else said


def text_of(content: Json, key: str) -> str:
    """Return a text, empty when there is none."""
    text = content.get(key)
    return text if isinstance(text, str) else ""


def yuan(fen: int) -> str:
    """Return fen as Alipay writes them."""
    return f"{fen // 100}.{fen % 100:02d}"


def _pay_again(order: Order, fen: int, code_hash: str) -> Json:
    order_no = order.first.out_trade_no
    if (order.first.code_hash, order.first.fen) != (code_hash, fen):
        return failed("ACQ.CONTEXT_INCONSISTENT", order_no)
    if order.status == "WAIT_BUYER_PAY":
        return {**answer("10003"), **_named(order)}
    reason = "ACQ.TRADE_HAS_CLOSE" if order.status == "TRADE_CLOSED" else "ACQ.TRADE_HAS_SUCCESS"
    return failed(reason, order_no)


def _paid(order: Order) -> Json:
    assert order.paid is not None
    return {
        **answer("10000"),
        **_named(order),
        "buyer_logon_id": MADE_UP_ACCOUNT,
        "buyer_user_id": MADE_UP_USER,
        "total_amount": yuan(order.paid.fen),
        **_amounts(order.paid),
        "gmt_payment": order.paid.at,
        "fund_bill_list": [
            {"fund_channel": "ALIPAYACCOUNT", "amount": yuan(order.paid.fen), "real_amount": 1.5}
        ],
        "store_name": "测试/门店",
    }


def _amounts(paid: Line) -> Json:
    """Return who bears what: the shop does not get its own offer, Alipay makes up for its."""
    said = {
        "receipt_amount": yuan(paid.fen - paid.merchant_fen),
        "invoice_amount": yuan(paid.fen - paid.platform_fen - paid.merchant_fen),
        "buyer_pay_amount": yuan(paid.fen - paid.platform_fen - paid.merchant_fen),
    }
    if paid.platform_fen or paid.merchant_fen:
        said |= {"discount_amount": yuan(paid.platform_fen), "mdiscount_amount": yuan(paid.merchant_fen)}
    return said


def _named(order: Order) -> Json:
    return {"trade_no": order.first.trade_no, "out_trade_no": order.first.out_trade_no}


def _age_ms(line: Line) -> int:
    return now_ms() - _ms_of(line.at)


def _ms_of(at: str) -> int:
    return round(datetime.strptime(at, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp() * 1000)


def fen_of(content: Json, key: str) -> int:
    """Return an amount in fen, 0 when there is none."""
    found = _YUAN.fullmatch(text_of(content, key))
    return 0 if found is None else int(found[1]) * 100 + int(found[2])
