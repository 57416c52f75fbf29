"""What does the night look at? Read from the books in one state of theirs, and nothing is changed.

For a day: its files, the sales placed or ended on it, the sales its files' rows are about, and the returns
that ended on it, each with its whole story and all its rows. Besides, what is still open: the night's
items, returns, holds that files may end, and records of whatever day that no night has matched.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, case, func, select

from settlement.db import tables
from settlement.db.sums import total
from settlement.ledger.accounts import IDENTITY, Account
from settlement.ledger.post import Happening
from settlement.reconcile import register
from settlement.reconcile.expect import Story, tell
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import FileRead, Line, Moved, record_of, sale_of, sale_of_record
from settlement.reconcile.sales import Files, Gathered, Registered, Sale, Totals
from settlement.writer import store
from settlement.writer.rows import Difference, EntryRow, GoodsReturn, Record
from subsidy import calendar

_AT_ONCE = 500
_OUT = tuple(account.value for account in IDENTITY if account is not Account.AVAILABLE)


def gather(connection: Connection, day: str, tried: Sequence[FileRead], now_ms: int) -> Gathered:
    """Return what the night of `day` looks at.

    Args:
        connection: a transaction that sees one state.
        day: as 2026-01-31.
        tried: files that are looked at as if they were loaded; they are not in the books.
        now_ms: the centre's time.
    """
    known = register.counting(connection)
    overlaid = {(one.source, one.day): one for one in tried}
    known |= {place: register.as_registered(one, known.get(place), now_ms) for place, one in overlaid.items()}
    rows = _Lines(connection, known, overlaid)
    day_lines = tuple(rows.of_day(day))
    begin_ms, end_ms = _span(day)
    c, back = tables.record.c, tables.goods_return.c
    placed = _sales(
        connection, select(c.record_id).where(c.placed_at_ms >= begin_ms, c.placed_at_ms < end_ms)
    )
    ended = _sales(connection, select(c.record_id).where(c.ended_ms >= begin_ms, c.ended_ms < end_ms))
    returned = _sales(
        connection, select(back.record_id).where(back.ended_ms >= begin_ms, back.ended_ms < end_ms)
    )
    reported = placed | ended | returned | {one.sale for one in day_lines}
    open_ = _sales(connection, select(c.record_id).where(c.state == "HELD", c.placed_at_ms < end_ms))
    # What came after the night of its day, or has waited since: this one looks at it too.
    open_ |= _sales(connection, select(c.record_id).where(tables.UNMATCHED, c.placed_at_ms < end_ms))
    open_ |= _sales(connection, select(back.record_id).where(back.state == "RETURNING"))
    d = tables.difference.c
    mine = d.kind.in_([kind.value for kind in Kind])
    found = store.read_where(connection, Difference, mine, d.closed_ms.is_(None))
    # An item without a payment is about one row of a file: only that day's night can tell of it.
    items = [one for one in found if isinstance(one, Difference) and (one.pay_ref or _is_of(one, day))]
    every = reported | open_ | {sale_of(one.pay_ref) for one in items}
    stories = _stories(connection, every)
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in rows.of_sales(every - {""}):
        lines[line.sale].append(line)
    lines[""] = [one for one in day_lines if not one.sale]
    return Gathered(
        day=day,
        end_ms=end_ms,
        sales=tuple(Sale(sale, stories.get(sale), tuple(lines[sale])) for sale in sorted(every)),
        reported=frozenset(reported),
        placed=frozenset(placed),
        day_lines=day_lines,
        files=Files(frozenset(known), frozenset(place for place, one in known.items() if one.whole)),
        day_files={one.source: one for (_, of_day), one in known.items() if of_day == day},
        items=tuple(items),
        totals=_totals(connection, day, overlaid),
    )


class _Lines:
    """The rows of the files that count, and of those that are only tried."""

    def __init__(
        self,
        connection: Connection,
        known: dict[tuple[str, str], Registered],
        tried: dict[tuple[str, str], FileRead],
    ) -> None:
        self._connection = connection
        self._known = known
        self._tried = tried

    def of_day(self, day: str) -> Iterator[Line]:
        """Yield the rows of a day's files, in order."""
        tried = [line for file in self._tried.values() if file.day == day for line in file.lines]
        yield from sorted([*self._stored(tables.channel_line.c.day == day), *tried], key=_order)

    def of_sales(self, sales: Iterable[str]) -> Iterator[Line]:
        """Yield the rows of these sales, of all days, in order."""
        wanted = sorted(sales)
        every = set(wanted)
        found = [line for file in self._tried.values() for line in file.lines if line.sale in every]
        for start in range(0, len(wanted), _AT_ONCE):
            found += self._stored(tables.channel_line.c.sale.in_(wanted[start : start + _AT_ONCE]))
        yield from sorted(found, key=_order)

    def _stored(self, condition: Any) -> Iterator[Line]:
        for row in self._connection.execute(select(tables.channel_line).where(condition)):
            place = (row.source, row.day)
            if place not in self._tried and row.version == self._known[place].version:
                yield register.line_of(row)


def _stories(connection: Connection, sales: Iterable[str]) -> dict[str, Story]:
    names = [name for name in map(record_of, sorted(sales)) if name is not None]
    found: dict[str, Story] = {}
    for start in range(0, len(names), _AT_ONCE):
        chunk = names[start : start + _AT_ONCE]
        entries: dict[str | None, list[EntryRow]] = defaultdict(list)
        c = tables.entry_row.c
        for one in store.read_where(connection, EntryRow, c.record_id.in_(chunk), c.answer == "accepted"):
            assert isinstance(one, EntryRow)
            entries[one.record_id].append(one)
        backs = {
            one.record_id: one
            for one in store.read_where(connection, GoodsReturn, tables.goods_return.c.record_id.in_(chunk))
            if isinstance(one, GoodsReturn)
        }
        for record in store.read_where(connection, Record, tables.record.c.record_id.in_(chunk)):
            assert isinstance(record, Record)
            name = record.record_id
            found[sale_of_record(name)] = tell(record, entries[name], backs.get(name))
    return found


def _totals(connection: Connection, day: str, tried: dict[tuple[str, str], FileRead]) -> Totals:
    file, line = tables.channel_file.c, tables.channel_line.c
    stated = stored = 0
    newest = (
        select(file.source, func.max(file.version).label("version"))
        .where(file.day == day)
        .group_by(file.source)
        .subquery()
    )
    counts = (file.source == newest.c.source) & (file.version == newest.c.version) & (file.day == day)
    for row in connection.execute(select(file.source, file.sale_fen - file.back_fen).join(newest, counts)):
        stated += 0 if (row[0], day) in tried else row[1]
    counts = (line.source == newest.c.source) & (line.version == newest.c.version) & (line.day == day)
    net = total(case((line.kind == Moved.SALE.value, line.fen), else_=-line.fen))
    for row in connection.execute(select(line.source, net).join(newest, counts).group_by(line.source)):
        stored += 0 if (row[0], day) in tried else row[1]
    for one in tried.values():
        if one.day == day:
            stated += one.sale_fen - one.back_fen
            stored += sum(each.net_fen for each in one.lines)
    begin_ms, end_ms = _span(day)
    record, event, posting = tables.record.c, tables.event.c, tables.posting.c
    posted = (
        select(total(posting.fen))
        .select_from(tables.posting)
        .join(tables.event, event.event_no == posting.event_no)
        .join(tables.record, record.record_id == event.record_id)
        .where(record.placed_at_ms >= begin_ms, record.placed_at_ms < end_ms)
    )
    promised = posted.where(
        posting.happening == Happening.HOLD_PLACED.value, posting.account == Account.HELD.value
    )
    return Totals(
        stated_fen=stated,
        stored_fen=stored,
        promised_fen=connection.execute(promised).scalar_one(),
        still_out_fen=connection.execute(posted.where(posting.account.in_(_OUT))).scalar_one(),
    )


def _sales(connection: Connection, query: Any) -> set[str]:
    return {sale_of_record(name) for name in connection.execute(query).scalars()}


def _span(day: str) -> tuple[int, int]:
    """Return the Unix milliseconds at which a day begins and ends in Shanghai."""
    end_ms = calendar.end_ms(datetime.date.fromisoformat(day))
    return end_ms - 86_400_000, end_ms


def _is_of(item: Difference, day: str) -> bool:
    return item.subject.split("/")[1:2] == [day]


def _order(line: Line) -> tuple[str, str, int]:
    return line.day, line.source, line.line_no
