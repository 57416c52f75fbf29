"""Which wallets take money, and what are they called on paper? One row each, for the shop and the centre."""

from enum import StrEnum
from typing import Self


class Wallet(StrEnum):
    """Who takes the money behind a payment code.

    A row has its value, which stands in configurations, links and books; `way`, what a receipt calls paying
    with it; and `order_no`, what the shopper's app calls the number of a payment.
    """

    way: str
    order_no: str

    WECHAT = "wechat", "微信支付", "微信订单号"
    ALIPAY = "alipay", "支付宝", "支付宝交易号"
    UNIONPAY = "unionpay", "云闪付", "云闪付订单号"

    def __new__(cls, value: str, way: str, order_no: str) -> Self:
        """Make the member of a row."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.way, member.order_no = way, order_no
        return member
