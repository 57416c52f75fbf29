"""A day's files in a test's hands: rows to change, and totals that are true again when they are written."""

from decimal import Decimal
from pathlib import Path

CARD_COLUMNS = ["settle_date", "mid", "tid", "batch", "trace", "rrn", "auth", "kind", "fen", "pay_ref"]

Rows = list[dict[str, str]]


def read_card(path: Path) -> Rows:
    """Return the rows of an acquirer's file."""
    return read_card_text(path.read_bytes())


def read_card_text(raw: bytes) -> Rows:
    """Return the rows of an acquirer's file."""
    _, *lines, _ = raw.decode().splitlines()
    return [dict(zip(CARD_COLUMNS, line.split(","), strict=True)) for line in lines]


def card_bytes(rows: Rows) -> bytes:
    """Return an acquirer's file of these rows."""
    totals = [len(rows)]
    for kind in ("sale", "void", "refund"):
        fens = [int(row["fen"]) for row in rows if row["kind"] == kind]
        totals += [len(fens), sum(fens)]
    lines = [",".join(CARD_COLUMNS), *(",".join(row[name] for name in CARD_COLUMNS) for row in rows)]
    return "".join(f"{line}\n" for line in [*lines, f"total,{','.join(map(str, totals))}"]).encode()


def read_bill(path: Path) -> Rows:
    """Return the rows of WeChat's bill."""
    header, *lines, _, _ = path.read_bytes().decode("utf-8-sig").split("\r\n")[:-1]
    return [dict(zip(header.split(","), line[1:].split(",`"), strict=True)) for line in lines]


def bill_bytes(rows: Rows) -> bytes:
    """Return WeChat's bill of these rows, at least one."""
    sums = ("应结订单金额", "退款金额", "充值券退款金额", "手续费", "订单金额", "申请退款金额")
    totals = [str(len(rows))]
    for name in sums:
        places = 5 if name == "手续费" else 2
        totals.append(f"{sum(Decimal(row[name]) for row in rows):.{places}f}")
    lines = [
        ",".join(rows[0]),
        *(",".join(f"`{value}" for value in row.values()) for row in rows),
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额",
        ",".join(f"`{value}" for value in totals),
    ]
    return ("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode()


def yuan(fen: int) -> str:
    """Return fen as the bill writes them."""
    return f"{fen // 100}.{fen % 100:02d}"


def fen(text: str) -> int:
    """Return what a yuan amount of the bill is in fen."""
    return int(Decimal(text) * 100)
