"""What do UnionPay's settlement files of one day (ZM and ZME) say?

The file is the `fileContent` of UnionPay's answer as it came: base64 of a deflated zip with two members.
ZM has a line for each payment, reversal and refund of the settlement day, which ends at 23:00; ZME a line
for each that was put right afterwards. Lines are of fixed width in GBK, counted in bytes, with a space
between the fields; amounts are fen, and those of thirteen characters begin with C or D, money to or from
the merchant.

UnionPay states no totals, so every line must be whole, and what the zip says of its members must hold. The
account, names and free texts are left out of what is kept.

An acquirer gives such files for its card terminals too, whose payments may name no order. A line is then
known by its terminal and reference number (查询流水号), what gives back by that of its payment
(原交易查询流水号), and a line of ZME by trace and time of the payment that it puts right.
"""

import binascii
import datetime
import re
import zlib
from base64 import b64decode
from collections import defaultdict
from collections.abc import Mapping

from msgspec.structs import replace

from settlement.reconcile.lines import Called, FileRead, Line, Moved, is_our_shape, payment_of
from settlement.reconcile.sources.text import MOST_BYTES, MOST_LINES, Place, refuse_another_day
from settlement.reconcile.sources.zip_members import members_of
from subsidy import seal

LAYOUT = "unionpay_zm"

# What is read, by its place in the line; the rest is passed over.
# fmt: off
ZM_WIDTHS = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2,
    6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)
ZME_WIDTHS = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135)
# fmt: on
ZM = {
    "交易代码": 0,
    "系统跟踪号": 3,
    "交易传输时间": 4,
    "交易金额": 6,
    "查询流水号": 9,
    "商户订单号": 11,
    "商户手续费": 15,
    "结算金额": 16,
    "交易类型": 19,
    "原交易查询流水号": 26,
    "商户代码": 27,
    "终端号": 33,
    "优惠金额": 35,
}  # fmt: skip
ZME = {
    "交易代码": 0, "系统跟踪号": 3, "交易传输时间": 4, "交易金额": 6, "原始系统跟踪号": 10,
    "原始交易日期时间": 11, "结算金额": 15, "商户代码": 16,
}  # fmt: skip
_KINDS = {"01": Moved.SALE, "99": Moved.VOID, "31": Moved.VOID, "04": Moved.REFUND}
_NAME = re.compile(r"INN([0-9]{6})[0-9]{2}(ZME?)_([0-9A-Z]{15})", re.ASCII)
_DAY_ENDS_H = 23
_SHARED = "shared"
"""Stands behind the name of a payment whose trace and time another one of the file has too."""
_SHAPES = {
    "交易代码": re.compile(r"[A-Z][0-9]{2}", re.ASCII),
    "系统跟踪号": re.compile(r"[0-9]{6}", re.ASCII),
    "交易传输时间": re.compile(r"[0-9]{10}", re.ASCII),
    "交易金额": re.compile(r"[0-9]{12}", re.ASCII),
    "查询流水号": re.compile(r"[0-9A-Z]{0,21}", re.ASCII),
    "商户订单号": re.compile(r"[0-9A-Za-z]{0,32}", re.ASCII),
    "商户手续费": re.compile(r"[CD][0-9]{12}", re.ASCII),
    "结算金额": re.compile(r"[CD][0-9]{12}", re.ASCII),
    "交易类型": re.compile(r"[0-9]{2}", re.ASCII),
    "原交易查询流水号": re.compile(r"[0-9A-Z]{0,21}", re.ASCII),
    "商户代码": re.compile(r"[0-9A-Z]{15}", re.ASCII),
    "终端号": re.compile(r"[0-9A-Z]{0,8}", re.ASCII),
    "优惠金额": re.compile(r"(?:[CD][0-9]{12})?", re.ASCII),
    "原始系统跟踪号": re.compile(r"[0-9]{6}", re.ASCII),
    "原始交易日期时间": re.compile(r"[0-9]{10}", re.ASCII),
}

Row = Mapping[str, str]


def read(raw: bytes, place: Place) -> FileRead:
    """Return what the files say. Raises FileError at the first thing that is wrong."""
    zm, zme = _members(_zip_of(raw, place), place)
    rows = _rows(zm, ZM_WIDTHS, ZM, place, before=0)
    found = [_line(row, number, place) for number, row in enumerate(rows, 1)]
    # What is put right later names no order, only the trace and time of what it is about. Two terminals of a
    # merchant can have come to the same trace within a second: then it is not known which.
    paid: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for row, one in zip(rows, found, strict=True):
        if one.kind is Moved.SALE:
            paid[row["系统跟踪号"], row["交易传输时间"]].add((one.pay_ref, one.ref))
    shared = {ref for names in paid.values() if len(names) > 1 for pay_ref, ref in names if not pay_ref}
    found = [replace(one, ref=f"{one.ref}/{_SHARED}") if one.ref in shared else one for one in found]
    orders = {at: next(iter(names))[0] for at, names in paid.items() if len(names) == 1}
    put_right = _rows(zme, ZME_WIDTHS, ZME, place, before=len(rows))
    found += [_adjusted(row, number, orders, place) for number, row in enumerate(put_right, len(rows) + 1)]
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


def called(line: Line) -> Called | None:
    """Return what a line that names no order is called; None when it says no terminal, as for an order's."""
    told = line.ref.split("/")
    match len(told):
        case 6 | 7:
            terminal_no, rrn, trace, at, _, original = told[:6]
            by_time = "" if told[6:] else _at_time(line.merchant_no, trace, at)
            names = (_at_terminal(terminal_no, rrn), by_time)
            about = "" if line.kind is Moved.SALE else _at_terminal(terminal_no, original)
            return Called(terminal_no, "", trace, rrn, tuple(one for one in names if one), about)
        case 5:
            _, trace, _, of_trace, of_time = told
            return Called("", "", trace, "", about=_at_time(line.merchant_no, of_trace, of_time))
    return None


def _at_terminal(terminal_no: str, rrn: str) -> str:
    """Return the name that a terminal and a reference number are together, none without a number."""
    return f"{terminal_no}/{rrn}" if rrn else ""


def _at_time(merchant_no: str, trace: str, at: str) -> str:
    return f"{merchant_no}/{trace}/{at}"


def _zip_of(raw: bytes, place: Place) -> bytes:
    """Return the zip inside, never more than may be."""
    if len(raw) > MOST_BYTES:
        raise place.wrong(1, f"larger than {MOST_BYTES} bytes", "Ask for it in parts, each a source")
    inflating = zlib.decompressobj()
    try:
        packed = inflating.decompress(b64decode(raw.rstrip(b"\r\n"), validate=True), MOST_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        remedy = "Put the whole fileContent of UnionPay's answer here, as it came"
        raise place.wrong(1, "not the base64 of a deflated zip", remedy) from None
    if not inflating.eof or inflating.unused_data:
        raise place.wrong(1, "cut off, too large, or with something behind its end")
    return packed


def _members(packed: bytes, place: Place) -> tuple[bytes, bytes]:
    found: dict[str, bytes] = {}
    whose: set[tuple[str, str]] = set()
    for name, content in members_of(packed, 2, place).items():
        named = _NAME.fullmatch(name)
        if named is None:
            raise place.wrong(1, "a file in it that is neither ZM nor ZME")
        whose.add((named[1], named[3]))
        found[named[2]] = content
    if len(found) != 2 or len(whose) != 1:
        raise place.wrong(1, "not one ZM and one ZME of one merchant and day")
    ((day, _),) = whose
    if f"20{day[:2]}-{day[2:4]}-{day[4:]}" != place.day:
        raise place.wrong(1, f"not the files of {place.day}", "Put each file under its own day")
    return found["ZM"], found["ZME"]


def _rows(
    content: bytes, widths: tuple[int, ...], columns: Mapping[str, int], place: Place, before: int
) -> list[Row]:
    """Return the fields of each line by their names. `before` lines were counted already."""
    if not content:
        return []
    if not content.endswith(b"\n"):
        raise place.wrong(before + 1, "the last line has no end: the file is cut off")
    lines = content[:-1].split(b"\n")
    if len(lines) > MOST_LINES:
        raise place.wrong(
            MOST_LINES + 1, f"more than {MOST_LINES} lines", "Ask for it in parts, each a source"
        )
    return [
        _row(one.removesuffix(b"\r"), widths, columns, place, n) for n, one in enumerate(lines, before + 1)
    ]


def _row(line: bytes, widths: tuple[int, ...], columns: Mapping[str, int], place: Place, number: int) -> Row:
    whole = sum(widths) + len(widths) - 1
    # Some have a space after the last field too.
    if len(line) not in (whole, whole + 1):
        raise place.wrong(number, f"{len(line)} bytes, not {whole}")
    cells: list[bytes] = []
    at = 0
    for width in widths:
        cells.append(line[at : at + width])
        if line[at + width : at + width + 1] not in (b" ", b""):
            raise place.wrong(number, "no space between two fields")
        at += width + 1
    row = {name: _text(cells[index], number, name, place) for name, index in columns.items()}
    for name, text in row.items():
        if _SHAPES[name].fullmatch(text) is None:
            raise place.wrong(number, f"not what belongs in {name}", column=name)
    return row


def _text(cell: bytes, number: int, column: str, place: Place) -> str:
    try:
        return cell.decode("gbk").strip(" ")
    except UnicodeDecodeError:
        raise place.wrong(number, "not GBK", column=column) from None


def _line(row: Row, number: int, place: Place) -> Line:
    kind = _KINDS.get(row["交易类型"])
    if kind is None:
        raise place.wrong(number, "neither payment, reversal, void nor refund", column="交易类型")
    is_to_us = row["结算金额"][0] == "C"
    if is_to_us is not (kind is Moved.SALE):
        raise place.wrong(number, "money on the other side than its kind says", column="结算金额")
    order_no = row["商户订单号"]
    # Orders of other programs under the same merchant number are no business of ours.
    pay_ref = payment_of(order_no) if is_our_shape(order_no) else ""
    return Line(
        source=place.source,
        day=place.day,
        line_no=number,
        kind=kind,
        fen=_fen(row["交易金额"], number, place),
        pay_ref=pay_ref,
        refund_no=order_no if kind is not Moved.SALE and is_our_shape(order_no) else "",
        merchant_no=row["商户代码"],
        ref=_ref(row) if pay_ref or not row["终端号"] else _ref_at_terminal(row),
        own_day=_settled_on(row["交易传输时间"], number, place),
        raw=",".join(row.values()),
        offer_fen=int(row["优惠金额"][1:] or "0"),
    )


def _ref(row: Row) -> str:
    return f"{row['查询流水号']}/{row['交易类型']}/{row['交易传输时间']}"


def _ref_at_terminal(row: Row) -> str:
    """Return what a line that names no order of ours is called, its terminal first: rows are found by it."""
    names = ("终端号", "查询流水号", "系统跟踪号", "交易传输时间", "交易类型", "原交易查询流水号")
    return "/".join(row[name] for name in names)


def _ref_put_right(row: Row) -> str:
    """Return the same of a line of ZME, which says no terminal."""
    names = ("系统跟踪号", "交易传输时间", "原始系统跟踪号", "原始交易日期时间")
    return "/" + "/".join(row[name] for name in names)


def _adjusted(row: Row, number: int, orders: Mapping[tuple[str, str], str], place: Place) -> Line:
    pay_ref = orders.get((row["原始系统跟踪号"], row["原始交易日期时间"]), "")
    at = f"{row['交易代码']}/{row['系统跟踪号']}/{row['交易传输时间']}"
    return Line(
        source=place.source,
        day=place.day,
        line_no=number,
        kind=Moved.SALE if row["结算金额"][0] == "C" else Moved.REFUND,
        fen=_fen(row["交易金额"], number, place),
        pay_ref=pay_ref,
        refund_no="",
        merchant_no=row["商户代码"],
        ref=at if pay_ref else _ref_put_right(row),
        own_day=place.day,
        raw=",".join(row.values()),
    )


def _fen(text: str, number: int, place: Place) -> int:
    fen = int(text)
    if fen == 0:
        raise place.wrong(number, "an amount of nothing", column="交易金额")
    return fen


def _settled_on(month_to_second: str, number: int, place: Place) -> str:
    """Return the settlement day of a time without a year, near the file's own day."""
    day = datetime.date.fromisoformat(place.day)
    for year in (day.year, day.year - 1, day.year + 1):
        try:
            at = datetime.datetime.strptime(f"{year}{month_to_second}", "%Y%m%d%H%M%S")
        except ValueError:
            continue
        settled = (at + datetime.timedelta(days=at.hour >= _DAY_ENDS_H)).date()
        if abs((settled - day).days) < 180:
            return settled.isoformat()
    raise place.wrong(number, "not a time", column="交易传输时间")
