"""What does the acquirer's file of one settlement day say?

Plain CSV, UTF-8, one line for each transaction that moved money, in the order of the books:

    settle_date,mid,tid,batch,trace,rrn,auth,kind,fen,pay_ref

`kind` is sale or void, `fen` is without a sign. The last line is a trailer:
`total,<lines>,<sales>,<their fen>,<voids>,<their fen>`.
"""

import csv
import io
import re
from collections.abc import Iterable

from terminal_agent.emulators.books import Line
from terminal_agent.emulators.control import Body, BodyRefused

HEADER = ("settle_date", "mid", "tid", "batch", "trace", "rrn", "auth", "kind", "fen", "pay_ref")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def settlement_file(lines: Iterable[Line], day: str) -> str:
    """Return the file of a day (Shanghai, 2026-01-31) as text."""
    moved = [line for line in lines if line.kind in ("sale", "void") and line.at.startswith(f"{day}T")]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    for one in moved:
        rows.writerow(
            (day, one.mid, one.tid, one.batch, one.trace, one.rrn, one.auth, one.kind, one.fen, one.pay_ref)
        )
    totals: list[int] = []
    for kind in ("sale", "void"):
        fens = [line.fen for line in moved if line.kind == kind]
        totals += (len(fens), sum(fens))
    rows.writerow(("total", len(moved), *totals))
    return text.getvalue()


def read_date(query: Body) -> str:
    """Return the day that was asked for."""
    day = query.get("date")
    if set(query) != {"date"} or not isinstance(day, str) or not _DAY.fullmatch(day):
        raise BodyRefused("write ?date=2026-01-31")
    return day
