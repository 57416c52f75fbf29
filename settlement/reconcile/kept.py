"""Do the files and reports of the nights still come to what was noted of them when they came?

No event says what stands in them, so books that are made anew do not show that somebody has edited one. Of
the rows of a file only count and totals were noted: that one was given to another payment is not seen here.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, case, func, select

from settlement.db import tables
from settlement.db.sums import total
from settlement.reconcile.lines import Moved
from subsidy.seal import sha256_hex

# A report may be long.
_AT_ONCE = 10


def faults(connection: Connection) -> Iterator[str]:
    """Yield every file whose rows are not what its totals say, and every report that is another one."""
    file, line = tables.channel_file.c, tables.channel_line.c
    is_sale = line.kind == Moved.SALE.value
    counted = (
        select(
            file.source,
            file.day,
            file.version,
            file.rows,
            file.sale_fen,
            file.back_fen,
            func.count(line.line_no).label("lines"),
            total(case((is_sale, line.fen), else_=0)).label("sales"),
            # A file without lines joins one row of nulls.
            total(case((line.kind != Moved.SALE.value, line.fen), else_=0)).label("backs"),
        )
        .outerjoin_from(
            tables.channel_file,
            tables.channel_line,
            (line.source == file.source) & (line.day == file.day) & (line.version == file.version),
        )
        .group_by(file.source, file.day, file.version, file.rows, file.sale_fen, file.back_fen)
        .order_by(file.source, file.day, file.version)
    )
    for one in connection.execute(counted):
        if (one.rows, one.sale_fen, one.back_fen) != (one.lines, one.sales, one.backs):
            yield f"the rows of file {one.source} of {one.day}, version {one.version}, are not what came"
    report = tables.night_report.c
    reports = select(tables.night_report).order_by(report.day, report.version)
    for one in connection.execute(reports, execution_options={"yield_per": _AT_ONCE}):
        if sha256_hex(bytes(one.content)) != one.sha256:
            yield f"the report of the night of {one.day}, version {one.version}, is not what was written"
