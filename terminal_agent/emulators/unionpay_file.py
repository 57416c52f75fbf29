"""What do UnionPay's settlement files of one day say?

ZM has what was settled for a merchant, ZME what was put right afterwards. Both are lines of fixed width in
GBK with a space between the fields; both lie in a zip, which travels as base64 of a deflated stream. Amounts
are fen; those of thirteen characters begin with C (to the merchant) or D (from it). A reversed payment
stands in it twice, as paid and as reversed.
"""

import io
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterable, Sequence

from terminal_agent.emulators.unionpay_books import Line

# fmt: off
ZM = (
    3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2,
    6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32, 98,
)
# fmt: on
ZME = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13, 15, 15, 1, 12, 2, 135)
_TYPES = {"charge": ("S22", "01"), "reversal": ("S56", "99"), "refund": ("S30", "04")}
_FEE_PER_10_000 = 38
_WHEN = (1980, 1, 1, 0, 0, 0)


def file_content(lines: Iterable[Line], day: str, mer_id: str, term_id: str) -> str | None:
    """Return the files of a settlement day (2026-01-31) as they travel, or None when nothing moved on it."""
    moved = [one for one in lines if one.settle_day == day and one.fen > 0 and one.kind in _TYPES]
    if not moved:
        return None
    times = {one.order_id: one for one in lines if one.kind == "charge"}
    rows = [_zm(one, times.get(one.orig), mer_id, term_id) for one in moved]
    name = f"INN{day[2:].replace('-', '')}99{{}}_{mer_id}"
    return packed({name.format("ZM"): _bytes(rows), name.format("ZME"): b""})


def packed(members: dict[str, bytes]) -> str:
    """Return files as they travel: base64 of a deflated zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(zipfile.ZipInfo(name, _WHEN), content)
    return b64encode(zlib.compress(out.getvalue())).decode("ascii")


def fixed(values: Sequence[str], widths: Sequence[int]) -> bytes:
    """Return one line: each value filled up with spaces to its width in GBK bytes, a space between."""
    cells = [value.encode("gbk").ljust(width) for value, width in zip(values, widths, strict=True)]
    assert [len(one) for one in cells] == list(widths)
    return b" ".join(cells)


def _bytes(rows: Iterable[bytes]) -> bytes:
    return b"".join(row + b"\r\n" for row in rows)


def _zm(line: Line, orig: Line | None, mer_id: str, term_id: str) -> bytes:
    code, txn_type = _TYPES[line.kind]
    at = line.at[5:19].replace("-", "").replace(":", "").replace("T", "")
    side = "C" if line.kind == "charge" else "D"
    fee = line.fen * _FEE_PER_10_000 // 10_000
    of_orig = line if line.kind == "reversal" else orig
    values = [
        code,
        "00010000",
        "00010000",
        line.query_id[-6:],
        at,
        "621626******0018",
        f"{line.fen:012d}",
        "5732",
        "08",
        line.query_id,
        "",
        line.order_id,
        "01",
        of_orig.query_id[-6:] if of_orig else "000000",
        at if of_orig else "0000000000",
        f"{'D' if side == 'C' else 'C'}{fee:012d}",
        f"{side}{line.fen - fee:012d}",
        "0501",
        "",
        txn_type,
        "06" if line.kind == "charge" else "00",
        "000000",
        "01",
        "",
        "",
        "0",
        of_orig.query_id if of_orig else "",
        mer_id,
        "0",
        "",
        "示例电器",
        f"{'C'}{0:012d}",
        f"{side}{line.fen - fee:012d}",
        term_id,
        "",
        f"{'C'}{line.offer_fen:012d}",
        f"{'C'}{0:012d}",
        f"{0:012d}",
        "00",
        "0",
        "",
        "",
    ]
    return fixed(values, ZM)
