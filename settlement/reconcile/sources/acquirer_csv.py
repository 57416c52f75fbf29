"""What does an acquirer's plain CSV of one day say?

    settle_date,mid,tid,batch,trace,rrn,auth,kind,fen,pay_ref
    2026-03-01,EMU000000000001,EMU00001,000001,000007,000000000012,E00012,sale,339915,AGOK...01
    total,1,1,339915,0,0,0,0

UTF-8, no quotes, amounts in fen without a sign. `kind` is sale, void or refund; `pay_ref` is the order number
of the sale, also where money went back, and empty for a sale without subsidy, or where the acquirer cannot
name it. The last line is
`total,<lines>,<sales>,<their fen>,<voids>,<their fen>,<refunds>,<their fen>`.
"""

import re

from settlement.reconcile.lines import Called, FileRead, Line, Moved, is_our_shape, payment_of
from settlement.reconcile.sources.text import Place, lines_of, refuse_another_day
from subsidy import seal

LAYOUT = "acquirer_csv"
HEADER = ("settle_date", "mid", "tid", "batch", "trace", "rrn", "auth", "kind", "fen", "pay_ref")
KINDS = (Moved.SALE, Moved.VOID, Moved.REFUND)

_SHAPES = {
    "settle_date": re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", re.ASCII),
    "mid": re.compile(r"[0-9A-Z]{6,15}", re.ASCII),
    "tid": re.compile(r"[0-9A-Z]{1,8}", re.ASCII),
    "batch": re.compile(r"[0-9]{6}", re.ASCII),
    "trace": re.compile(r"[0-9]{6}", re.ASCII),
    "rrn": re.compile(r"[0-9A-Z]{12}", re.ASCII),
    "auth": re.compile(r"[0-9A-Z]{0,6}", re.ASCII),
    "kind": re.compile("|".join(KINDS), re.ASCII),
    "fen": re.compile(r"[0-9]{1,13}", re.ASCII),
    "pay_ref": re.compile(r"[0-9A-Za-z_-]{0,40}", re.ASCII),
}


def read(raw: bytes, place: Place) -> FileRead:
    """Return what the file says. Raises FileError at the first thing that is wrong."""
    texts = lines_of(raw, place)
    if texts[0] != ",".join(HEADER):
        raise place.wrong(1, "the header is another", f"It must be exactly: {','.join(HEADER)}")
    if len(texts) < 2 or not texts[-1].startswith("total,"):
        raise place.wrong(len(texts), "the last line is not the totals: the file is cut off")
    found = [_line(text, number, place) for number, text in enumerate(texts[1:-1], 2)]
    _check_totals(texts[-1], len(texts), found, place)
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


def called(line: Line) -> Called:
    """Return what the acquirer calls a row that was read here."""
    terminal_no, batch, trace, rrn = line.ref.split("/")
    return Called(terminal_no, batch, trace, rrn)


def _line(text: str, number: int, place: Place) -> Line:
    cells = text.split(",")
    if len(cells) != len(HEADER):
        raise place.wrong(number, f"{len(cells)} cells, not {len(HEADER)}")
    row = dict(zip(HEADER, cells, strict=True))
    for name, cell in row.items():
        if _SHAPES[name].fullmatch(cell) is None:
            raise place.wrong(number, f"not what belongs in {name}", column=name)
    pay_ref = row["pay_ref"]
    shown = payment_of(pay_ref)
    return Line(
        source=place.source,
        day=place.day,
        line_no=number,
        kind=Moved(row["kind"]),
        fen=place.fen(row["fen"], number, "fen", least=1),
        pay_ref=shown,
        refund_no=pay_ref if is_our_shape(pay_ref) and pay_ref.endswith("R") else "",
        merchant_no=row["mid"],
        ref=f"{row['tid']}/{row['batch']}/{row['trace']}/{row['rrn']}",
        own_day=row["settle_date"],
        raw=",".join([*cells[:-1], pay_ref if is_our_shape(pay_ref) else shown]),
    )


def _check_totals(text: str, number: int, found: list[Line], place: Place) -> None:
    cells = text.split(",")
    if len(cells) != 2 + 2 * len(KINDS):
        raise place.wrong(number, f"the totals have {len(cells)} cells, not {2 + 2 * len(KINDS)}")
    stated = [place.fen(cell, number, "total") for cell in cells[1:]]
    counted = [len(found)]
    for kind in KINDS:
        fens = [one.fen for one in found if one.kind is kind]
        counted += [len(fens), sum(fens)]
    if stated != counted:
        raise place.wrong(number, f"the totals say {_said(stated)}, the rows add up to {_said(counted)}")


def _said(totals: list[int]) -> str:
    return ",".join(map(str, totals))
