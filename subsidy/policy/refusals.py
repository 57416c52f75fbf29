"""Why was a purchase refused? Every reason there is, most decisive first."""

from enum import StrEnum

import msgspec

from subsidy.policy.next_action import NextAction


class Refusal(StrEnum):
    """The reasons, in order of precedence.

    When several apply, all are kept in this order and the first one is the headline, so that the
    cashier tells the customer the same thing tomorrow. The values are stored in records and printed
    in reports: add new ones, never rename or reuse one.
    """

    PROGRAMME_CLOSED = "PROGRAMME_CLOSED"
    MERCHANT_NOT_ACTIVE = "MERCHANT_NOT_ACTIVE"
    TERMINAL_NOT_REGISTERED = "TERMINAL_NOT_REGISTERED"
    REGION_NOT_COVERED = "REGION_NOT_COVERED"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    TENDER_NOT_ALLOWED = "TENDER_NOT_ALLOWED"
    SALE_ALREADY_OPEN = "SALE_ALREADY_OPEN"
    PRODUCT_NOT_LISTED = "PRODUCT_NOT_LISTED"
    CATEGORY_NOT_COVERED = "CATEGORY_NOT_COVERED"
    ENERGY_LEVEL_NOT_COVERED = "ENERGY_LEVEL_NOT_COVERED"
    SERIAL_MISSING = "SERIAL_MISSING"
    SERIAL_INVALID = "SERIAL_INVALID"
    SERIAL_ALREADY_SUBSIDISED = "SERIAL_ALREADY_SUBSIDISED"
    PRICE_ABOVE_LIMIT = "PRICE_ABOVE_LIMIT"
    PRICE_NOT_FILED = "PRICE_NOT_FILED"
    PRICE_ABOVE_FILING = "PRICE_ABOVE_FILING"
    QUALIFICATION_UNKNOWN = "QUALIFICATION_UNKNOWN"
    QUALIFICATION_EXPIRED = "QUALIFICATION_EXPIRED"
    QUALIFICATION_WRONG_CATEGORY = "QUALIFICATION_WRONG_CATEGORY"
    QUALIFICATION_IN_USE = "QUALIFICATION_IN_USE"
    PERSON_QUOTA_USED = "PERSON_QUOTA_USED"
    PAYER_MISMATCH = "PAYER_MISMATCH"
    RISK_BLOCKED = "RISK_BLOCKED"
    FUND_EXHAUSTED = "FUND_EXHAUSTED"
    SUBSIDY_ZERO = "SUBSIDY_ZERO"
    TRADE_IN_TOO_HIGH = "TRADE_IN_TOO_HIGH"
    QUOTE_CHANGED = "QUOTE_CHANGED"
    HOLD_OVER = "HOLD_OVER"
    TOO_MANY_OPEN_HOLDS = "TOO_MANY_OPEN_HOLDS"
    CENTRE_UNREACHABLE = "CENTRE_UNREACHABLE"
    SALE_INTERRUPTED = "SALE_INTERRUPTED"
    HOST_DISK_LOW = "HOST_DISK_LOW"
    DEVICE_NOT_ACCEPTED = "DEVICE_NOT_ACCEPTED"

    @property
    def zh(self) -> str:
        """The sentence for the cashier."""
        return _TEXTS[self][0]

    @property
    def en(self) -> str:
        """The same in English."""
        return _TEXTS[self][1]

    @property
    def next_action(self) -> NextAction:
        """What the cashier can do about it."""
        return _TEXTS[self][2]

    @property
    def may_change_today(self) -> bool:
        """Whether asking again later today can give another answer."""
        return self in _MAY_CHANGE_TODAY


class Reason(msgspec.Struct, frozen=True):
    """One refusal as tills, slips and `policy decide` show it."""

    code: Refusal
    zh: str
    en: str
    next_action: NextAction


def in_order(refusals: set[Refusal]) -> tuple[Refusal, ...]:
    """Return `refusals`, most decisive first."""
    return tuple(one for one in Refusal if one in refusals)


def reason(refusal: Refusal) -> Reason:
    """Return `refusal` with its sentences."""
    return Reason(refusal, refusal.zh, refusal.en, refusal.next_action)


_TEXTS = {
    Refusal.PROGRAMME_CLOSED: (
        "补贴活动当日未开放。",
        "The programme is not open on this day.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.MERCHANT_NOT_ACTIVE: (
        "本商户或门店目前不能参与活动。",
        "This merchant or shop may not take part now.",
        NextAction.CALL_SUPPORT,
    ),
    Refusal.TERMINAL_NOT_REGISTERED: (
        "该终端未登记在本门店。",
        "This terminal is not registered to this shop.",
        NextAction.CALL_SUPPORT,
    ),
    Refusal.REGION_NOT_COVERED: (
        "本门店所在地区不在活动范围内。",
        "This shop's district is not covered.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.OUTSIDE_HOURS: (
        "当前不在活动核销时段内。",
        "Outside the programme's hours.",
        NextAction.TRY_LATER,
    ),
    Refusal.TENDER_NOT_ALLOWED: (
        "该支付方式不能享受补贴。",
        "This way of paying is not allowed.",
        NextAction.USE_ANOTHER_TENDER,
    ),
    Refusal.SALE_ALREADY_OPEN: (
        "该商品或资格码已有未完成的订单，请勿重复收款。",
        "This item or code has an open sale already: do not charge.",
        NextAction.DO_NOT_CHARGE,
    ),
    Refusal.PRODUCT_NOT_LISTED: (
        "该商品条码不在活动商品库中。",
        "This bar code is not in the product library.",
        NextAction.CHECK_THE_ITEM,
    ),
    Refusal.CATEGORY_NOT_COVERED: (
        "该品类当日不在补贴范围内。",
        "This category is not covered on this day.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.ENERGY_LEVEL_NOT_COVERED: (
        "该能效（水效）等级不在补贴范围内。",
        "This energy or water efficiency level is not covered.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.SERIAL_MISSING: (
        "缺少商品序列号。",
        "The serial number is missing.",
        NextAction.CHECK_THE_ITEM,
    ),
    Refusal.SERIAL_INVALID: (
        "商品序列号格式不正确。",
        "The serial number cannot be one.",
        NextAction.CHECK_THE_ITEM,
    ),
    Refusal.SERIAL_ALREADY_SUBSIDISED: (
        "该序列号的商品已享受或正在申请补贴。",
        "This serial number has had a subsidy or is being sold with one.",
        NextAction.CHECK_THE_ITEM,
    ),
    Refusal.PRICE_ABOVE_LIMIT: (
        "单件售价超过补贴限价。",
        "The price is above the programme's limit.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.PRICE_NOT_FILED: (
        "该商品没有备案价格。",
        "No price is filed for this product.",
        NextAction.CALL_SUPPORT,
    ),
    Refusal.PRICE_ABOVE_FILING: (
        "最终售价高于备案价格。",
        "The final price is above the filed price.",
        NextAction.CHECK_THE_PRICE,
    ),
    Refusal.QUALIFICATION_UNKNOWN: (
        "资格码不存在。",
        "The qualification code is not known.",
        NextAction.CHECK_THE_CODE,
    ),
    Refusal.QUALIFICATION_EXPIRED: (
        "资格码不在有效期内。",
        "The qualification is not valid at this time.",
        NextAction.CHECK_THE_CODE,
    ),
    Refusal.QUALIFICATION_WRONG_CATEGORY: (
        "资格码不适用于该品类。",
        "The qualification is for another category.",
        NextAction.CHECK_THE_CODE,
    ),
    Refusal.QUALIFICATION_IN_USE: (
        "资格码已使用或正在另一订单中使用。",
        "The qualification is used or in use in another sale.",
        NextAction.CHECK_THE_CODE,
    ),
    Refusal.PERSON_QUOTA_USED: (
        "该消费者本品类补贴名额已用完。",
        "This person's quota in the category is used.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.PAYER_MISMATCH: (
        "付款人与资格申领人不一致。",
        "The payer is not the person who holds the qualification.",
        NextAction.USE_ANOTHER_TENDER,
    ),
    Refusal.RISK_BLOCKED: (
        "该交易被风险控制拦截。",
        "The sale is blocked by risk control.",
        NextAction.CALL_SUPPORT,
    ),
    Refusal.FUND_EXHAUSTED: (
        "补贴资金余额不足。",
        "The fund does not have this amount left.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.SUBSIDY_ZERO: (
        "按规定计算的补贴为零。",
        "The subsidy comes to nothing.",
        NextAction.SELL_AT_FULL_PRICE,
    ),
    Refusal.TRADE_IN_TOO_HIGH: (
        "旧机抵扣金额过高，应付金额须大于零。",
        "The old item's value leaves nothing to pay.",
        NextAction.CORRECT_THE_REQUEST,
    ),
    Refusal.QUOTE_CHANGED: (
        "应付金额与报价不一致，未扣款。",
        "The amount to pay differs from the quote; nothing was charged.",
        NextAction.QUOTE_AGAIN,
    ),
    Refusal.HOLD_OVER: (
        "补贴预占已到期，不再扣款。",
        "The hold's time is over; nothing more is charged.",
        NextAction.SELL_AGAIN,
    ),
    Refusal.TOO_MANY_OPEN_HOLDS: (
        "本终端或门店未完成的订单过多。",
        "Too many sales of this terminal or shop are open.",
        NextAction.TRY_LATER,
    ),
    Refusal.CENTRE_UNREACHABLE: (
        "补贴平台暂时无法连接。",
        "The centre cannot be reached.",
        NextAction.TRY_LATER,
    ),
    Refusal.SALE_INTERRUPTED: (
        "本单在开始前中断，未扣款。",
        "The sale was cut off before it began; nothing was charged.",
        NextAction.SELL_AGAIN,
    ),
    Refusal.HOST_DISK_LOW: (
        "门店主机磁盘空间不足，未预占、未扣款。",
        "The shop's host has too little room on its disk; nothing was held or charged.",
        NextAction.CALL_SUPPORT,
    ),
    Refusal.DEVICE_NOT_ACCEPTED: (
        "补贴平台不接受本设备的请求。",
        "The centre does not take requests from this device.",
        NextAction.CALL_SUPPORT,
    ),
}

_MAY_CHANGE_TODAY = frozenset(
    {
        Refusal.OUTSIDE_HOURS,
        Refusal.SALE_ALREADY_OPEN,
        Refusal.SERIAL_ALREADY_SUBSIDISED,
        Refusal.QUALIFICATION_IN_USE,
        Refusal.PERSON_QUOTA_USED,
        Refusal.FUND_EXHAUSTED,
        Refusal.TOO_MANY_OPEN_HOLDS,
        Refusal.CENTRE_UNREACHABLE,
        Refusal.SALE_INTERRUPTED,
        Refusal.HOST_DISK_LOW,
    }
)
