"""What do UnionPay's settlement files (ZM and ZME) of one day say of an acquirer's card terminals?

Beside the plain CSV (`acquirer_file.py`), for one merchant: a line in ZM for each sale, void and refund of
the settlement day, which ends at 23:00. 查询流水号 is the transaction's reference number, 终端号 its
terminal, and a void or refund names its sale's as 原交易查询流水号. 商户订单号 is the order number, blank
where none came. A refund of an earlier settlement day's sale without an order number is put right in ZME,
which has no place for terminal and order, and names the sale by trace and time.
"""

import datetime
from collections.abc import Iterable

from terminal_agent.emulators.books import Line
from terminal_agent.emulators.host_books import HostLine
from terminal_agent.emulators.unionpay_file import ZM, ZME, fixed, packed

_TYPES = {"sale": ("S22", "01"), "void": ("S32", "31"), "refund": ("S30", "04")}
_FEE_PER_10_000 = 60
_BEFORE_MIDNIGHT = datetime.timedelta(hours=1)

_Line = Line | HostLine


def zm_file(lines: Iterable[_Line], day: str, merchant_no: str) -> str | None:
    """Return the files of a settlement day (2026-01-31) as they travel, or None when nothing moved on it.

    Args:
        lines: what stands in the books, in order; what was reversed is not settled.
        day: as Shanghai counts it, from 23:00 of the day before.
        merchant_no: 15 characters; other merchants have files of their own.
    """
    sales: dict[tuple[str, str], _Line] = {}
    zm: list[bytes] = []
    zme: list[bytes] = []
    for line in lines:
        if line.kind == "sale":
            # By terminal and trace, as of each line: a counter that has come round begins anew.
            sales[line.tid, line.trace] = line
        if line.kind not in _TYPES or line.mid != merchant_no or _settled_on(line) != day:
            continue
        sale = sales.get((line.tid, line.orig_trace)) if line.kind != "sale" else None
        if line.kind == "refund" and sale is not None and not sale.pay_ref and _settled_on(sale) != day:
            zme.append(_put_right(line, sale))
        else:
            zm.append(_settled(line, sale))
    if not zm and not zme:
        return None
    name = f"INN{day[2:].replace('-', '')}99{{}}_{merchant_no}"
    return packed({name.format("ZM"): _bytes(zm), name.format("ZME"): _bytes(zme)})


def _settled_on(line: _Line) -> str:
    return (datetime.datetime.fromisoformat(line.at) + _BEFORE_MIDNIGHT).date().isoformat()


def _bytes(rows: Iterable[bytes]) -> bytes:
    return b"".join(row + b"\r\n" for row in rows)


def _time(line: _Line) -> str:
    """Return its time as 0131235959."""
    return line.at[5:19].replace("-", "").replace(":", "").replace("T", "")


def _order_no(line: _Line, sale: _Line | None) -> str:
    order = line.pay_ref if sale is None else sale.pay_ref
    return f"{order}R" if order and line.kind == "refund" else order


def _settled(line: _Line, sale: _Line | None) -> bytes:
    code, txn_type = _TYPES[line.kind]
    side, other = ("C", "D") if line.kind == "sale" else ("D", "C")
    fee = line.fen * _FEE_PER_10_000 // 10_000
    values = [""] * len(ZM)
    values[:11] = [
        code, "00010000", "00010000", line.trace, _time(line), "629999*********9384", f"{line.fen:012d}",
        "5722", "01", line.rrn, "",
    ]  # fmt: skip
    values[11:21] = [
        _order_no(line, sale), "01", "000000" if sale is None else sale.trace,
        "0000000000" if sale is None else _time(sale), f"{other}{fee:012d}", f"{side}{line.fen - fee:012d}",
        "0201", "", txn_type, "00",
    ]  # fmt: skip
    values[21:30] = ["000000", "01", "", "", "0", "" if sale is None else sale.rrn, line.mid, "0", ""]
    values[30:40] = [
        "示例电器", f"C{0:012d}", f"{side}{line.fen - fee:012d}", line.tid, "", f"C{0:012d}", f"C{0:012d}",
        f"{0:012d}", "00", "0",
    ]  # fmt: skip
    return fixed(values, ZM)


def _put_right(line: _Line, sale: _Line) -> bytes:
    values = [
        "E74", "00010000", "00010000", line.trace, _time(line), "629999*********9384", f"{line.fen:012d}",
        "5722", "01", "", sale.trace, _time(sale), "", f"{0:012d}", f"C{0:012d}", f"D{line.fen:012d}",
        line.mid, "", "", "", "", "",
    ]  # fmt: skip
    return fixed(values, ZME)
