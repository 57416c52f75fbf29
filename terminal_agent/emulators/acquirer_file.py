"""What does the acquirer's file of one settlement day say?

Plain CSV, UTF-8, one line for each transaction that moved money, in the order of the books:

    settle_date,mid,tid,batch,trace,rrn,auth,kind,fen,pay_ref

`kind` is sale, void or refund, `fen` is without a sign. `settle_date` is the day of the row itself, so a
refund stands in the file of the day on which it was made. `trace`, `rrn` and `auth` are the row's own;
`pay_ref` is the sale's, for a void and a refund too, and empty for a plain sale of the shop and what gives it
back. The last line is a trailer:
`total,<lines>,<sales>,<their fen>,<voids>,<their fen>,<refunds>,<their fen>`.
"""

import csv
import io
import re
from collections.abc import Iterable

from terminal_agent.emulators.books import Line
from terminal_agent.emulators.control import Body, BodyRefused
from terminal_agent.emulators.host_books import HostLine

_KINDS = ("sale", "void", "refund")
HEADER = ("settle_date", "mid", "tid", "batch", "trace", "rrn", "auth", "kind", "fen", "pay_ref")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def settlement_file(lines: Iterable[Line | HostLine], day: str) -> str:
    """Return the file of a day (Shanghai, 2026-01-31) as text."""
    # By terminal and trace, as of each line: a counter that has reached its last number begins anew.
    pay_refs: dict[tuple[str, str], str] = {}
    moved: list[tuple[Line | HostLine, str]] = []
    for line in lines:
        if line.kind == "sale":
            pay_refs[line.tid, line.trace] = line.pay_ref
        if line.kind in _KINDS and line.at.startswith(f"{day}T"):
            trace = line.trace if line.kind == "sale" else line.orig_trace
            moved.append((line, pay_refs.get((line.tid, trace), line.pay_ref)))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    for one, pay_ref in moved:
        rows.writerow(
            (day, one.mid, one.tid, one.batch, one.trace, one.rrn, one.auth, one.kind, one.fen, pay_ref)
        )
    totals: list[int] = []
    for kind in _KINDS:
        fens = [line.fen for line, _ in moved if line.kind == kind]
        totals += (len(fens), sum(fens))
    rows.writerow(("total", len(moved), *totals))
    return text.getvalue()


def read_date(query: Body) -> str:
    """Return the day that was asked for."""
    day = query.get("date")
    if set(query) != {"date"} or not isinstance(day, str) or not _DAY.fullmatch(day):
        raise BodyRefused("write ?date=2026-01-31")
    return day
