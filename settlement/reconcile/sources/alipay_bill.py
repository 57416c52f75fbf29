"""What does Alipay's trade bill of one day (bill_type trade) say?

A zip of two CSV files, their names and contents in GBK: every payment and refund (业务明细), and their sums
(汇总). Lines that begin with # are titles before the rows and totals after them; a value may end with a tab.
Columns are found by their names. Yuan have two decimals and are below zero for what went back. A cancelled
payment stands in it twice: paid, and given back under its own order number.

The shopper (对方账户), the operator and the free texts are left out of what is kept.
"""

import re
from collections.abc import Mapping, Sequence

from settlement.reconcile.lines import FileRead, Line, Moved, is_our_shape, payment_of
from settlement.reconcile.sources.text import Place, lines_of, refuse_another_day
from settlement.reconcile.sources.zip_members import members_of
from subsidy import seal
from subsidy.masking import scrub
from subsidy.money import fen_from_yuan

LAYOUT = "alipay_bill"
DETAIL, SUMMARY = "业务明细.csv", "业务明细(汇总).csv"
_TEXTS = ("商品名称", "创建时间", "门店编号", "门店名称", "操作员", "终端号", "对方账户", "券名称", "备注")
_NUMBERS = ("支付宝交易号", "商户订单号", "业务类型", "完成时间", "退款批次号/请求号")
_OF_ALIPAY, _OF_THE_SHOP = ("支付宝红包", "支付宝优惠"), ("商家优惠", "商家红包消费金额")
# Points are the shopper's own money: what is paid with them was borne by nobody else.
_POINTS = "集分宝"
_PARTS = (*_OF_ALIPAY, _POINTS, *_OF_THE_SHOP)
_YUAN = (
    "订单金额",
    "商家实收",
    "支付宝红包",
    _POINTS,
    "支付宝优惠",
    *_OF_THE_SHOP,
    "券核销金额",
    "卡消费金额",
    "服务费",
    "分润",
)
COLUMNS = (*_TEXTS, *_NUMBERS, *_YUAN)
# Each sum in the row 合计, and the column that adds up to it.
SUMS = ("订单金额", "商家实收", "支付宝优惠", "商家优惠", "卡消费金额", "服务费", "分润")
COUNTS = ("交易订单总笔数", "退款订单总笔数")
_ALL = "合计"
_NOT_KEPT = ("商品名称", "门店名称", "操作员", "对方账户", "券名称", "备注")
_SALE, _BACK = "交易", "退款"
_SHAPES = {
    "支付宝交易号": re.compile(r"[0-9A-Za-z]{1,40}", re.ASCII),
    "商户订单号": re.compile(r"[0-9A-Za-z_|*@-]{1,64}", re.ASCII),
    "退款批次号/请求号": re.compile(r"[0-9A-Za-z_|*@-]{0,64}", re.ASCII),
}
_IN_YUAN = re.compile(r"[（(]元[）)]\Z")
_TIME = re.compile(
    r"(20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])) [0-2][0-9](:[0-5][0-9]){2}", re.ASCII
)
_ACCOUNT = re.compile(r"#账号：\[([0-9A-Z]{6,32})\]", re.ASCII)
_DAY = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]", re.ASCII)
_TOTAL = re.compile(r"#(交易|退款)合计：([0-9]{1,9})笔，[^0-9-]*(-?[0-9.]{1,20})元(?:，[^，]*)?", re.ASCII)
_AGAIN = "Fetch the bill of bill_type=trade again, and put the zip here as it came"


def read(raw: bytes, place: Place) -> FileRead:
    """Return what the bill says. Raises FileError at the first thing that is wrong."""
    files = members_of(raw, 2, place)
    detail, summary = (_ending(files, name, place) for name in (DETAIL, SUMMARY))
    account, rows, totals = _detail(detail, place)
    found = [_line(row, account, number, place) for number, row in rows]
    values = [row for _, row in rows]
    _check_totals(totals, rows, place)
    _check_summary(_summary(summary, account, place), values, place)
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


def _ending(files: Mapping[str, bytes], ending: str, place: Place) -> bytes:
    found = [content for name, content in files.items() if name.endswith(ending)]
    if len(found) != 1:
        raise place.wrong(1, f"no file in it whose name ends in {ending}", _AGAIN)
    return found[0]


Rows = list[tuple[int, dict[str, str]]]


def _detail(raw: bytes, place: Place) -> tuple[str, Rows, dict[str, tuple[int, int, int]]]:
    """Return the account, the rows with their numbers, and of each total its line, count and received fen."""
    titles, header, rows, after = _parts(raw, COLUMNS, place)
    account = _account(titles, place)
    totals: dict[str, tuple[int, int, int]] = {}
    for number, text in after:
        total = _TOTAL.fullmatch(text)
        if total is not None:
            if total[1] in totals:
                raise place.wrong(number, f"the total {total[1]}合计 stands twice")
            totals[total[1]] = (number, int(total[2]), abs(_fen(total[3], number, "", place)))
    if set(totals) != {_SALE, _BACK}:
        raise place.wrong(header, "no totals after the rows: the file is cut off")
    return account, rows, totals


def _summary(raw: bytes, account: str, place: Place) -> tuple[int, dict[str, str]]:
    """Return the row 合计 with its number, once the stores' rows add up to it."""
    titles, header, rows, _ = _parts(raw, ("门店编号", *COUNTS, *SUMS), place)
    if _account(titles, place) != account:
        raise place.wrong(header, "the sums are of another account", _AGAIN)
    whole = [(number, row) for number, row in rows if row["门店编号"] == _ALL]
    if len(whole) != 1:
        raise place.wrong(header, f"no row {_ALL} in the sums, or more than one")
    stores = [(number, row) for number, row in rows if row["门店编号"] != _ALL]
    number, row = whole[0]
    for name in (*COUNTS, *SUMS):
        read = _count if name in COUNTS else _fen
        summed = sum(read(one[name], at, name, place) for at, one in stores)
        if read(row[name], number, name, place) != summed:
            raise place.wrong(number, f"{_ALL} is not the sum of its stores", column=name)
    return number, row


def _parts(
    raw: bytes, wanted: Sequence[str], place: Place
) -> tuple[list[str], int, Rows, list[tuple[int, str]]]:
    """Return the titles, the number of the header's line, the rows, and the lines after them."""
    texts = lines_of(raw, place, "gbk", tabs=True)
    start = next((at for at, text in enumerate(texts) if not text.startswith("#")), len(texts))
    end = next((at for at in range(start, len(texts)) if texts[at].startswith("#")), len(texts))
    if start == len(texts) or end == len(texts):
        raise place.wrong(len(texts), "no header, or nothing after the rows: the file is cut off", _AGAIN)
    header = [_IN_YUAN.sub("", one.strip()) for one in texts[start].split(",")]
    missing = [name for name in wanted if header.count(name) != 1]
    if missing:
        raise place.wrong(start + 1, f"the columns are not the bill's: {missing[0]}", _AGAIN)
    rows = [(at + 1, _row(texts[at], header, at + 1, place)) for at in range(start + 1, end)]
    after = [(at + 1, texts[at].strip()) for at in range(end, len(texts))]
    if any(not text.startswith("#") for _, text in after):
        raise place.wrong(len(texts), "a row after the totals", _AGAIN)
    return texts[:start], start + 1, rows, after


def _row(text: str, header: Sequence[str], number: int, place: Place) -> dict[str, str]:
    # Where each value ends with a tab, a comma may stand in a name.
    values = text.split("\t,") if "\t," in text else text.split(",")
    if len(values) != len(header):
        raise place.wrong(number, f"{len(values)} values, not {len(header)}")
    return {name: value.strip(" \t") for name, value in zip(header, values, strict=True)}


def _account(titles: Sequence[str], place: Place) -> str:
    accounts = [found[1] for text in titles if (found := _ACCOUNT.fullmatch(text.strip()))]
    if len(accounts) != 1:
        raise place.wrong(1, "no line #账号：[...] before the rows, or more than one", _AGAIN)
    days = ["-".join(found.groups()) for text in titles if (found := _DAY.match(text))]
    if days != [place.day]:
        raise place.wrong(1, f"it is not the bill of {place.day}", "Put each file under its own day")
    return accounts[0]


def _line(row: Mapping[str, str], account: str, number: int, place: Place) -> Line:
    for name, shape in _SHAPES.items():
        if shape.fullmatch(row[name]) is None:
            raise place.wrong(number, f"not what belongs in {name}", column=name)
    time = _TIME.fullmatch(row["完成时间"])
    if time is None:
        raise place.wrong(number, "not a time as 2026-01-31 09:30:00", column="完成时间")
    fens = {name: _fen(row[name], number, name, place) for name in _YUAN}
    fen = fens["订单金额"]
    if row["业务类型"] not in (_SALE, _BACK):
        raise place.wrong(number, f"not {_SALE} or {_BACK}", column="业务类型")
    if fen == 0 or (fen > 0) != (row["业务类型"] == _SALE):
        raise place.wrong(number, "its amount is not that of a payment or a refund", column="订单金额")
    if fen > 0 and any(fens[name] < 0 for name in _PARTS):
        raise place.wrong(number, "an offer below nothing", column="支付宝优惠")
    order_no, refund_no = row["商户订单号"], row["退款批次号/请求号"]
    kind = Moved.SALE if fen > 0 else Moved.VOID if refund_no == order_no else Moved.REFUND
    return Line(
        source=place.source,
        day=place.day,
        line_no=number,
        kind=kind,
        fen=abs(fen),
        # Orders of other programs of the same account are no business of ours.
        pay_ref=payment_of(order_no) if is_our_shape(order_no) else "",
        refund_no=refund_no if kind is Moved.REFUND and is_our_shape(refund_no) else "",
        merchant_no=account,
        ref=f"{row['支付宝交易号']}/{refund_no}",
        own_day=time[1],
        raw=",".join(_kept(name, row[name]) for name in COLUMNS),
        offer_fen=sum(fens[name] for name in (*_OF_ALIPAY, *_OF_THE_SHOP)) if kind is Moved.SALE else 0,
        shop_offer_fen=sum(fens[name] for name in _OF_THE_SHOP) if kind is Moved.SALE else None,
    )


def _kept(name: str, value: str) -> str:
    if name in _NOT_KEPT:
        return ""
    return value if name in _SHAPES else scrub(value)


def _check_totals(totals: Mapping[str, tuple[int, int, int]], rows: Rows, place: Place) -> None:
    for what, (number, count, received) in totals.items():
        own = [(at, row) for at, row in rows if row["业务类型"] == what]
        if count != len(own):
            raise place.wrong(number, f"{what}合计 counts other rows than the {len(own)} that are here")
        if received != abs(sum(_fen(row["商家实收"], at, "商家实收", place) for at, row in own)):
            raise place.wrong(number, f"{what}合计 is not the sum of 商家实收", column="商家实收")


def _check_summary(summary: tuple[int, dict[str, str]], rows: list[dict[str, str]], place: Place) -> None:
    number, stated = summary
    for name, what in zip(COUNTS, (_SALE, _BACK), strict=True):
        counted = sum(row["业务类型"] == what for row in rows)
        if _count(stated[name], number, name, place) != counted:
            raise place.wrong(number, f"{SUMMARY} counts other rows than {DETAIL}", column=name)
    for name in SUMS:
        if _fen(stated[name], number, name, place) != sum(_fen(row[name], 1, name, place) for row in rows):
            raise place.wrong(number, f"{SUMMARY} states another sum than {DETAIL} has", column=name)


def _fen(text: str, number: int, column: str, place: Place) -> int:
    try:
        return -fen_from_yuan(text[1:]) if text.startswith("-") else fen_from_yuan(text)
    except ValueError:
        raise place.wrong(number, "not yuan with two decimals", column=column) from None


def _count(text: str, number: int, column: str, place: Place) -> int:
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", text, re.ASCII) is None:
        raise place.wrong(number, "not a number of rows", column=column)
    return int(text)
