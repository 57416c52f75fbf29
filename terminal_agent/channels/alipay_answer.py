"""What did Alipay say, and what of it may be kept?

Its answers gain fields as it likes, so unknown ones are passed over. What is kept stands here by name and
shape; the shopper's account, name and whatever text comes along is dropped unread. Amounts are yuan with up
to two decimals, as text or as a number, and never become a number with a point here.
"""

import re

import msgspec

from subsidy.records.payment import Evidence
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from terminal_agent.channels.alipay_client import Believed
from terminal_agent.channels.one_exchange import MOST_BYTES

CURRENCY = "CNY"

_CODE = re.compile(r"[0-9]{5}|[A-Z_]{1,32}|ACQ\.[A-Z_]{1,60}|(?:isv|isp|aop)\.[a-z-]{1,60}", re.ASCII)
# Longer than any card, phone or identity number.
_TRADE_NO = re.compile(r"[0-9]{24,32}", re.ASCII)
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})", re.ASCII)
_YUAN = re.compile(r'("?)(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,2}))?\1', re.ASCII)
_NOTHING = msgspec.Raw(b"")


class Said(msgspec.Struct, frozen=True):
    """An answer to any call; each has some of these."""

    code: str = ""
    sub_code: str = ""
    out_trade_no: str = ""
    out_request_no: str = ""
    trade_no: str = ""
    qr_code: str = ""
    trade_status: str = ""
    refund_status: str = ""
    retry_flag: str = ""
    action: str = ""
    trans_currency: str = CURRENCY
    gmt_payment: str = ""
    send_pay_date: str = ""
    gmt_refund_pay: str = ""
    total_amount: msgspec.Raw = _NOTHING
    refund_amount: msgspec.Raw = _NOTHING
    buyer_pay_amount: msgspec.Raw = _NOTHING
    discount_amount: msgspec.Raw = _NOTHING
    mdiscount_amount: msgspec.Raw = _NOTHING

    @property
    def reason(self) -> str:
        """Why it is so: the more exact of the two codes."""
        return self.sub_code or self.code


def read(answer: Believed) -> Said | None:
    """Return what a signed answer says, or None when it says nothing that can be read."""
    try:
        return json_bytes.decode(answer.body, Said, MOST_BYTES, fractions_elsewhere=True)
    except NotStrict:
        return None


def fen_of(amount: msgspec.Raw) -> int | None:
    """Return an amount in fen, or None when there is none above zero."""
    found = _YUAN.fullmatch(bytes(amount).decode("utf-8"))
    if found is None:
        return None
    return int(found[2]) * 100 + int((found[3] or "").ljust(2, "0")) or None


def offers_of(said: Said) -> tuple[int, int]:
    """Return what Alipay bore of a payment, and what the shop bore; nothing where the parts do not add up."""
    total, payer = fen_of(said.total_amount), fen_of(said.buyer_pay_amount) or 0
    theirs, ours = fen_of(said.discount_amount) or 0, fen_of(said.mdiscount_amount) or 0
    return (theirs, ours) if payer + theirs + ours == total else (0, 0)


def evidence_of(said: Said, app_id: str, code: str) -> Evidence:
    """Return what may be kept of an answer about our own order, each part only in its own shape."""
    time = _TIME.fullmatch(said.gmt_payment or said.send_pay_date or said.gmt_refund_pay)
    return Evidence(
        code=kept_code(code),
        merchant_no=app_id,
        channel_no=said.trade_no if _TRADE_NO.fullmatch(said.trade_no) else "",
        host_date="".join(time.groups()[:3]) if time else "",
        host_time="".join(time.groups()[3:]) if time else "",
    )


def kept_code(code: str) -> str:
    """Return a code of Alipay's when it has the shape of one."""
    return code if _CODE.fullmatch(code) else ""
