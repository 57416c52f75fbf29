"""What is printed for a paid sale, and for a return? Pure: it can always be printed again from its record."""

import unicodedata
from collections.abc import Sequence

from subsidy import calendar
from subsidy.money import yuan
from subsidy.policy.decide import Because
from subsidy.records.payment import Evidence
from subsidy.wallets import Wallet
from terminal_agent.checkout.sale import Attempt, Sale
from terminal_agent.checkout.states import ReturnState
from terminal_agent.checkout.what_goes_back import way_of, what_goes_back

REPRINTED = "*** 重打印 ***"
_COLUMNS = 32  # 58 mm paper; a Chinese character takes two
_RULE = "-" * _COLUMNS
_WAYS = {"card": "银行卡", "cash": "现金"} | {one.value: one.way for one in Wallet}
_ORDERS = {one.value: one.order_no for one in Wallet}
_RATE = ".rate_bp"


def receipt(sale: Sale, rules: Sequence[Because] = (), *, again: bool = False) -> str:
    """Return the receipt of a paid sale: the five amounts, who bears the subsidy by which rule, its id."""
    assert sale.held is not None
    paid = sale.paid_attempt
    assert paid is not None
    assert sale.paid_ms is not None
    promise = sale.held.promise
    amounts = promise.amounts
    lines = [
        "以旧换新补贴销售小票",
        *([REPRINTED] if again else []),
        _RULE,
        *_item(sale),
        _line("销售价格", yuan(amounts.initial_price_fen)),
        _line("商家优惠", yuan(-amounts.merchant_discount_fen)),
        _line("最终售价", yuan(amounts.final_price_fen)),
        _line("政府补贴", yuan(-amounts.subsidy_fen)),
    ]
    if amounts.trade_in_fen:
        lines.append(_line("旧机抵扣", yuan(-amounts.trade_in_fen)))
    lines += [
        *_debited(paid),
        _RULE,
        *(_line(f"补贴出资 {part.funder}", yuan(part.fen)) for part in promise.split),
        *_line_or_two("补贴项目", f"{promise.programme} {promise.programme_year}"),
        *_line_or_two("补贴品类", promise.category),
        *_rules(rules),
        _line("规则包", promise.pack_hash[:12]),
        _RULE,
        *_payment(paid),
        _line("终端号", sale.request.terminal_no),
        *_line_or_two("收银员", paid.operator),
        _line("时间", f"{calendar.from_ms(sale.paid_ms):%Y-%m-%d %H:%M:%S}"),
        *_record(sale),
        "退货仅退实付金额, 补贴退回资金池",
    ]
    return "\n".join(lines) + "\n"


def return_receipt(sale: Sale, *, again: bool = False) -> str:
    """Return the receipt of a sale whose goods came back: what went back where."""
    goes = what_goes_back(sale)
    back = sale.returns[-1]
    assert back.state is ReturnState.REFUNDED
    assert back.ended_ms is not None
    paid = sale.paid_attempt
    assert paid is not None
    lines = [
        "以旧换新补贴退货小票",
        *([REPRINTED] if again else []),
        _RULE,
        *_item(sale),
        _line("退款金额", yuan(back.refund_fen)),
        _line("退回方式", f"{_WAYS[goes.way]}原路退回"),
        *_payment(paid)[1:2],
        *([] if goes.way == "cash" else _refund(back.evidence)),
        "退款单号",
        back.refund_no,
        _RULE,
        "补贴不退消费者, 退回出资方",
        _line("补贴合计", yuan(goes.subsidy_fen)),
        *(_line(f"退回 {part.funder}", yuan(part.fen)) for part in goes.to_funders),
        "商户已收到的补贴由商户退还",
        _RULE,
        *_line_or_two("收银员", back.wish.operator),
        *_line_or_two("主管", back.wish.supervisor),
        *_line_or_two("原因", back.wish.reason),
        _line("终端号", sale.request.terminal_no),
        _line("时间", f"{calendar.from_ms(back.ended_ms):%Y-%m-%d %H:%M:%S}"),
        *_record(sale),
    ]
    return "\n".join(lines) + "\n"


def _debited(paid: Attempt) -> list[str]:
    """Return what was taken, and where others bore a part of it, what of it the shopper paid."""
    taken_fen, offers_fen = paid.approved_fen or 0, paid.evidence.offer_fen + paid.evidence.shop_offer_fen
    if not offers_fen:
        return [_line("实付金额", yuan(taken_fen))]
    return [
        _line("应付金额", yuan(taken_fen)),
        _line("支付渠道优惠", yuan(-offers_fen)),
        _line("实付金额", yuan(taken_fen - offers_fen)),
    ]


def _item(sale: Sale) -> list[str]:
    return [
        *_line_or_two("商品条码", sale.request.item.gtin),
        *_line_or_two("序列号", _tail(sale.request.item.serial_no)),
    ]


def _payment(paid: Attempt) -> list[str]:
    """Return the way of paying, then what names the payment: the first of these is the shopper's own."""
    way, said = way_of(paid), paid.evidence
    lines = [_line("支付方式", _WAYS[way])]
    if way == "cash":
        return lines
    if way == "card":
        return [
            *lines,
            _line("卡号", said.masked_pan or "-"),
            _line("凭证号", said.trace or "-"),
            _line("参考号", said.rrn or "-"),
        ]
    return [*lines, "\n".join(_line_or_two(_ORDERS[way], said.channel_no or "-"))]


def _refund(said: Evidence) -> list[str]:
    return [_line("退款凭证号", said.trace or "-"), _line("退款参考号", said.rrn or "-")]


def _rules(rules: Sequence[Because]) -> list[str]:
    lines = [_line("补贴比例", _percent(one.value)) for one in rules if one.rule.endswith(_RATE)]
    for source in dict.fromkeys(one.source for one in rules if one.rule.endswith((_RATE, ".cap_yuan"))):
        lines += _line_or_two("依据", source)
    return lines


def _percent(bp: str) -> str:
    whole, rest = divmod(int(bp), 100)
    return f"{whole}.{rest:02d}%" if rest else f"{whole}%"


def _record(sale: Sale) -> list[str]:
    return ["补贴单号", sale.record_id]


def _line(label: str, value: str) -> str:
    return label + " " * max(_COLUMNS - _width(label) - _width(value), 1) + value


def _line_or_two(label: str, value: str) -> list[str]:
    """Return one line where both fit, else the label and the value below it, as many lines as it needs."""
    if _width(label) + 1 + _width(value) <= _COLUMNS:
        return [_line(label, value)]
    lines, left = [label, ""], _COLUMNS
    for character in value:
        width = _width(character)
        if width > left:
            lines.append("")
            left = _COLUMNS
        lines[-1] += character
        left -= width
    return lines


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _tail(serial_no: str | None) -> str:
    if serial_no is None:
        return "-"
    return "*" * max(len(serial_no) - 4, 0) + serial_no[-4:]
