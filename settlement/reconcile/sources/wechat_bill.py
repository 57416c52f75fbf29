"""What does WeChat Pay's trade bill of one day (bill_type ALL) say?

UTF-8, a byte order mark is allowed; a header, a row for each order that was paid or given back, a second
header and one row of totals. Every value has a backtick before it, and rows are split at ",`" because a
product's name may hold commas. Columns are found by their names. Yuan have two decimals, fees five.
A reversed order stands in it twice: paid, and REVOKED with its money back.

The shopper's name at WeChat (用户标识) and the free texts are left out of what is kept.
"""

import re
from collections.abc import Mapping

from settlement.reconcile.lines import FileRead, Line, Moved, is_our_shape, payment_of
from settlement.reconcile.sources.text import Place, lines_of, refuse_another_day
from subsidy import seal
from subsidy.masking import scrub
from subsidy.money import fen_from_yuan

LAYOUT = "wechat_bill"
COLUMNS = [
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
    "微信退款单号",
    "商户退款单号",
    "退款金额",
    "充值券退款金额",
    "退款类型",
    "退款状态",
    "商品名称",
    "商户数据包",
    "手续费",
    "费率",
    "订单金额",
    "申请退款金额",
    "费率备注",
]
# Each total, and the column that adds up to it.
TOTALS = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
COUNT = "总交易单数"
_NOT_KEPT = ("用户标识", "商品名称", "商户数据包", "付款银行")
_YUAN = ("应结订单金额", "代金券金额", "退款金额", "充值券退款金额", "订单金额", "申请退款金额")
_STATES = {"SUCCESS": Moved.SALE, "REVOKED": Moved.VOID, "REFUND": Moved.REFUND}
_REFUND_STATES = {"SUCCESS": True, "PROCESSING": True, "FAIL": False, "CHANGE": False}
_TIME = re.compile(
    r"(20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])) [0-2][0-9](:[0-5][0-9]){2}", re.ASCII
)
_FEE = re.compile(r"(-?)(0|[1-9][0-9]{0,9})\.([0-9]{5})", re.ASCII)
_SHAPES = {
    "商户号": re.compile(r"[0-9A-Z]{6,32}", re.ASCII),
    "特约商户号": re.compile(r"[0-9A-Z]{1,32}", re.ASCII),
    "微信订单号": re.compile(r"[0-9A-Za-z]{1,40}", re.ASCII),
    "商户订单号": re.compile(r"[0-9A-Za-z_|*@-]{1,64}", re.ASCII),
    "微信退款单号": re.compile(r"[0-9A-Za-z]{0,40}", re.ASCII),
    "商户退款单号": re.compile(r"[0-9A-Za-z_|*@-]{0,64}", re.ASCII),
    "货币种类": re.compile("CNY"),
}


def read(raw: bytes, place: Place) -> FileRead:
    """Return what the bill says. Raises FileError at the first thing that is wrong."""
    texts = lines_of(raw, place)
    if len(texts) < 3:
        raise place.wrong(len(texts), "no totals: the file is cut off")
    columns = _header(texts[0], COLUMNS, 1, place)
    total_columns = _header(texts[-2], [COUNT, *TOTALS], len(texts) - 1, place)
    rows = [(number, _row(text, columns, number, place)) for number, text in enumerate(texts[1:-2], 2)]
    found = [_line(row, number, place) for number, row in rows]
    _check_totals(
        _row(texts[-1], total_columns, len(texts), place), [row for _, row in rows], len(texts), place
    )
    refuse_another_day(place, [one.own_day for one in found])
    sales = [one.fen for one in found if one.kind is Moved.SALE]
    backs = [one.fen for one in found if one.kind is not Moved.SALE]
    return FileRead(
        source=place.source,
        day=place.day,
        layout=LAYOUT,
        sha256=seal.sha256_hex(raw),
        lines=tuple(found),
        sales=len(sales),
        sale_fen=sum(sales),
        backs=len(backs),
        back_fen=sum(backs),
    )


def _header(text: str, wanted: list[str], number: int, place: Place) -> list[str]:
    names = text.split(",")
    if len(set(names)) != len(names) or set(names) != set(wanted):
        raise place.wrong(
            number,
            "the columns are not the bill's",
            "Fetch the trade bill with bill_type=ALL, not compressed",
        )
    return names


def _row(text: str, columns: list[str], number: int, place: Place) -> dict[str, str]:
    if not text.startswith("`"):
        raise place.wrong(number, "no backtick before its first value")
    values = text[1:].split(",`")
    if len(values) != len(columns):
        raise place.wrong(number, f"{len(values)} values, not {len(columns)}")
    return dict(zip(columns, values, strict=True))


def _line(row: Mapping[str, str], number: int, place: Place) -> Line:
    for name, shape in _SHAPES.items():
        if shape.fullmatch(row[name]) is None:
            raise place.wrong(number, f"not what belongs in {name}", column=name)
    time = _TIME.fullmatch(row["交易时间"])
    if time is None:
        raise place.wrong(number, "not a time as 2026-01-31 09:30:00", column="交易时间")
    kind, fen, offer_fen = _movement(row, number, place)
    order_no, refund_no = row["商户订单号"], row["商户退款单号"]
    return Line(
        source=place.source,
        day=place.day,
        line_no=number,
        kind=kind,
        fen=fen,
        # Orders of other programs under the same merchant number are no business of ours.
        pay_ref=payment_of(order_no) if is_our_shape(order_no) else "",
        refund_no=refund_no if kind is not Moved.SALE and is_our_shape(refund_no) else "",
        merchant_no=row["特约商户号"] if row["特约商户号"] != "0" else row["商户号"],
        ref=f"{row['微信订单号']}/{row['微信退款单号']}",
        own_day=time[1],
        raw=",".join(f"`{_kept(name, value)}" for name, value in row.items()),
        offer_fen=offer_fen,
    )


def _kept(name: str, value: str) -> str:
    if name in _NOT_KEPT:
        return ""
    return value if name in _SHAPES else scrub(value)


def _movement(row: Mapping[str, str], number: int, place: Place) -> tuple[Moved, int, int]:
    """Return what moved, how much, and how much of it a coupon bore.

    The order's amount is what the shop asked for, whoever bears it.
    """
    kind = _STATES.get(row["交易状态"])
    if kind is None:
        raise place.wrong(number, "not SUCCESS, REVOKED or REFUND", column="交易状态")
    fens = {name: _fen(row[name], number, name, place) for name in _YUAN}
    paid, back = fens["订单金额"], fens["申请退款金额"]
    moved, still = (paid, back) if kind is Moved.SALE else (back, paid)
    if moved == 0 or still != 0:
        raise place.wrong(number, "its amounts are not those of its state", column="订单金额")
    if kind is not Moved.SALE:
        given = _REFUND_STATES.get(row["退款状态"])
        if given is None:
            raise place.wrong(number, "not a state of a refund", column="退款状态")
        kind = kind if given else Moved.REFUND_FAILED
    return kind, moved, fens["代金券金额"] if kind is Moved.SALE else 0


def _check_totals(stated: Mapping[str, str], rows: list[dict[str, str]], number: int, place: Place) -> None:
    if stated[COUNT] != str(len(rows)):
        raise place.wrong(number, f"the totals count other rows than the {len(rows)} that are here")
    for total, column in TOTALS.items():
        read = _fee if column == "手续费" else _fen
        counted = sum(read(row[column], at, column, place) for at, row in enumerate(rows, 2))
        if read(stated[total], number, total, place) != counted:
            raise place.wrong(number, f"{total} is not the sum of {column}", column=total)


def _fen(text: str, number: int, column: str, place: Place) -> int:
    try:
        return fen_from_yuan(text)
    except ValueError:
        raise place.wrong(number, "not yuan with two decimals", column=column) from None


def _fee(text: str, number: int, column: str, place: Place) -> int:
    """Read a fee in hundred-thousandths of a yuan; what comes back is below zero."""
    found = _FEE.fullmatch(text)
    if found is None:
        raise place.wrong(number, "not yuan with five decimals", column=column)
    return int(found[1] + found[2] + found[3])
