"""What did WeChat Pay say, and what of it may be kept?

Its answers gain fields as it likes, so unknown ones are passed over. What is kept stands here by name and
shape; the shopper's openid, bank and whatever text comes along is dropped unread.
"""

import re
from typing import TypeVar

import msgspec

from subsidy.records.payment import Evidence
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from terminal_agent.channels.one_exchange import MOST_BYTES
from terminal_agent.channels.signed_client import Reply

CURRENCY = "CNY"

_WORD = re.compile(r"[A-Z_]{1,32}", re.ASCII)
# Longer than any card, phone or identity number.
_CHANNEL_NO = re.compile(r"[0-9]{24,32}", re.ASCII)
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\+08:00", re.ASCII)

_Said = TypeVar("_Said", "Trade", "Offers", "RefundSaid", "NativeOrder", "Problem")


class Amount(msgspec.Struct, frozen=True):
    """Fen. `total` is the order's, `refund` what of it is given back."""

    total: int | None = None
    refund: int | None = None
    currency: str = ""


class Trade(msgspec.Struct, frozen=True):
    """A payment, as the answers to paying, asking and undoing tell it."""

    mchid: str = ""
    out_trade_no: str = ""
    transaction_id: str = ""
    trade_state: str = ""
    success_time: str = ""
    amount: Amount = Amount()


class RefundSaid(msgspec.Struct, frozen=True):
    """A refund."""

    out_refund_no: str = ""
    out_trade_no: str = ""
    refund_id: str = ""
    status: str = ""
    success_time: str = ""
    amount: Amount = Amount()


class Shares(msgspec.Struct, frozen=True):
    """What the shopper paid of an order's total, in fen."""

    total: int
    payer_total: int


class Coupon(msgspec.Struct, frozen=True):
    """Who bore how much by a coupon, in fen."""

    wechatpay_contribute: int = 0
    merchant_contribute: int = 0
    other_contribute: int = 0


class Offers(msgspec.Struct, frozen=True):
    """What of a payment's answer is read on its own: it says nothing of whether it was paid."""

    amount: Shares
    promotion_detail: tuple[Coupon, ...]


class NativeOrder(msgspec.Struct, frozen=True):
    """An order that waits to be paid by scanning its code."""

    code_url: str = ""


class Problem(msgspec.Struct, frozen=True):
    """A refusal or a fault. `message` is for people and may say anything: it is not read."""

    code: str = ""


def read(reply: Reply, as_type: type[_Said]) -> _Said | None:
    """Return what a signed answer says, or None when it says nothing that can be read."""
    try:
        return json_bytes.decode(reply.body, as_type, MOST_BYTES)
    except NotStrict:
        return None


def offers_of(reply: Reply) -> tuple[int, int]:
    """Return what WeChat and others bore of a payment, and what the shop bore; nothing unless it adds up.

    What cannot be read of them spoils no answer.
    """
    said = read(reply, Offers)
    if said is None:
        return 0, 0
    theirs = sum(one.wechatpay_contribute + one.other_contribute for one in said.promotion_detail)
    ours = sum(one.merchant_contribute for one in said.promotion_detail)
    payer = said.amount.payer_total
    adds_up = min(payer, theirs, ours) >= 0 and payer + theirs + ours == said.amount.total
    return (theirs, ours) if adds_up else (0, 0)


def code_of(reply: Reply) -> str:
    """Return the error code of an answer, or nothing when it names none."""
    problem = read(reply, Problem)
    return problem.code if problem is not None and _WORD.fullmatch(problem.code) else ""


def evidence_of(
    *, code: str, text: str = "", merchant_no: str = "", channel_no: str = "", success_time: str = ""
) -> Evidence:
    """Return what may be kept, each part only in its own shape. `text` is ours, never theirs."""
    time = _TIME.fullmatch(success_time)
    return Evidence(
        code=code if _WORD.fullmatch(code) else "",
        text=text,
        merchant_no=merchant_no,
        channel_no=channel_no if _CHANNEL_NO.fullmatch(channel_no) else "",
        host_date="".join(time.groups()[:3]) if time else "",
        host_time="".join(time.groups()[3:]) if time else "",
    )
