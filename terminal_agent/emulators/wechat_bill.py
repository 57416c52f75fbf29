"""What does WeChat Pay's bill of one day say?

The trade bill (bill_type ALL) in its own layout: UTF-8 with a byte order mark, 27 columns, a backtick before
each value and none in the headers, CRLF; details in the order of the books, then a header and one line of
totals. Yuan with two decimals, fees with five. A reversed payment stands in it twice, as paid and as REVOKED
with its money back, under the same order number.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from terminal_agent.emulators.wechat_books import Line

HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
SUMMARY_HEADER = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_FEE_RATE = Decimal("0.006")
_OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"  # made up


def trade_bill(lines: Iterable[Line], day: str, appid: str, mchid: str) -> bytes | None:
    """Return the bill of a day (Shanghai, 2026-01-31), or None when nothing moved on it."""
    lines = list(lines)
    shown = {one.out_trade_no for one in lines if one.kind == "shown"}
    described = {one.out_trade_no: one.description for one in reversed(lines) if one.description}
    moved = [
        one
        for one in lines
        if one.at.startswith(f"{day}T") and one.fen > 0 and one.kind in ("charge", "reversal", "refund")
    ]
    if not moved:
        return None
    rows = [
        _row(one, appid, mchid, described.get(one.out_trade_no, ""), is_shown=one.out_trade_no in shown)
        for one in moved
    ]
    paid = sum(one.fen for one in moved if one.kind == "charge")
    back = sum(one.fen for one in moved if one.kind != "charge")
    fees = sum((_fee(one) for one in moved), Decimal())
    summary = (str(len(moved)), _yuan(paid), _yuan(back), "0.00", f"{fees:.5f}", _yuan(paid), _yuan(back))
    return _bill(rows, summary)


def empty_bill() -> bytes:
    """Return what a bill of nothing would be. The API has no bill of such a day at all."""
    return _bill([], ("0", "0.00", "0.00", "0.00", "0.00000", "0.00", "0.00"))


def _bill(rows: Iterable[tuple[str, ...]], summary: tuple[str, ...]) -> bytes:
    content = [HEADER, *map(_line, rows), SUMMARY_HEADER, _line(summary)]
    return ("\ufeff" + "".join(f"{one}\r\n" for one in content)).encode()


def _row(line: Line, appid: str, mchid: str, description: str, *, is_shown: bool) -> tuple[str, ...]:
    state = {"charge": "SUCCESS", "reversal": "REVOKED", "refund": "REFUND"}[line.kind]
    is_back = line.kind != "charge"
    amount, nothing = _yuan(line.fen), _yuan(0)
    return (
        line.at[:19].replace("T", " "),
        appid,
        mchid,
        "0",
        "",
        line.transaction_id,
        line.out_trade_no,
        _OPENID,
        "NATIVE" if is_shown else "MICROPAY",
        state,
        "CMB_CREDIT",
        "CNY",
        nothing if is_back else amount,
        nothing,
        line.refund_id or "0",
        (line.out_refund_no or line.out_trade_no) if is_back else "0",
        amount if is_back else nothing,
        nothing,
        "ORIGINAL" if is_back else "",
        "SUCCESS" if is_back else "",
        description,
        "",
        f"{_fee(line):.5f}",
        "0.60%",
        nothing if is_back else amount,
        amount if is_back else nothing,
        "",
    )


def _fee(line: Line) -> Decimal:
    fen = (line.fen * _FEE_RATE).quantize(Decimal(1), ROUND_HALF_UP)
    return (-fen if line.kind != "charge" else fen) / 100


def _line(values: Iterable[str]) -> str:
    return ",".join(f"`{value}" for value in values)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
