"""What is printed for a paid sale? Pure: a slip can always be printed again from its record."""

import unicodedata

from subsidy import calendar
from subsidy.money import yuan
from terminal_agent.checkout.sale import Sale

_COLUMNS = 32  # 58 mm paper; a Chinese character takes two


def receipt(sale: Sale) -> str:
    """Return the receipt of a paid sale: the five amounts, who bears the subsidy, and its record id."""
    assert sale.held is not None
    paid = sale.paid_attempt
    assert paid is not None
    assert sale.paid_ms is not None
    promise = sale.held.promise
    amounts = promise.amounts
    lines = [
        "以旧换新补贴销售小票",
        "-" * _COLUMNS,
        _line("商品条码", promise.item.gtin),
        _line("序列号", _tail(promise.item.serial_no)),
        _line("销售价格", yuan(amounts.initial_price_fen)),
        _line("商家优惠", yuan(-amounts.merchant_discount_fen)),
        _line("最终售价", yuan(amounts.final_price_fen)),
        _line("政府补贴", yuan(-amounts.subsidy_fen)),
    ]
    if amounts.trade_in_fen:
        lines.append(_line("旧机抵扣", yuan(-amounts.trade_in_fen)))
    lines += [
        _line("实付金额", yuan(paid.approved_fen or 0)),
        "-" * _COLUMNS,
        *(_line(f"补贴出资 {part.funder}", yuan(part.fen)) for part in promise.split),
        _line("卡号", paid.evidence.masked_pan or "-"),
        _line("凭证号", paid.evidence.trace or "-"),
        _line("参考号", paid.evidence.rrn or "-"),
        _line("终端号", paid.terminal_no),
        _line("收银员", paid.operator),
        _line("时间", f"{calendar.from_ms(sale.paid_ms):%Y-%m-%d %H:%M:%S}"),
        "补贴单号",
        sale.record_id,
        "退货仅退实付金额, 补贴退回资金池",
    ]
    return "\n".join(lines) + "\n"


def _line(label: str, value: str) -> str:
    return label + " " * max(_COLUMNS - _width(label) - _width(value), 1) + value


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _tail(serial_no: str | None) -> str:
    if serial_no is None:
        return "-"
    return "*" * max(len(serial_no) - 4, 0) + serial_no[-4:]
