"""What does the night look at? Read from the books in one state of theirs, and nothing is changed.

For a day: its files, the sales placed or ended on it, the sales its files' rows are about (those of files
that were replaced too), and the returns that ended on it, each with its whole story and all its rows.
Besides, what is still open: the night's items, returns, holds that files may end, and records of whatever
day that no night has matched.
"""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, case, exists, func, select

from settlement.db import tables
from settlement.db.sums import total
from settlement.funds.matched import MATCHED
from settlement.ledger.accounts import IDENTITY, Account
from settlement.ledger.post import Happening
from settlement.reconcile import register
from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import Story
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import FileRead, Line, Moved, sale_of, sale_of_record
from settlement.reconcile.never_named import never_named
from settlement.reconcile.read_rows import HOST_GONE, Rows, claimants, read_stories, recognised
from settlement.reconcile.recognise import Recognised
from settlement.reconcile.sales import Files, Gathered, Sale, Totals
from settlement.writer import store
from settlement.writer.rows import Difference
from subsidy import calendar

_OUT = tuple(account.value for account in IDENTITY if account is not Account.AVAILABLE)


def gather(
    connection: Connection, day: str, tried: Sequence[FileRead], config: NightConfig, now_ms: int
) -> Gathered:
    """Return what the night of `day` looks at.

    Args:
        connection: a transaction that sees one state.
        day: as 2026-01-31.
        tried: files that are looked at as if they were loaded; they are not in the books.
        config: the sources.
        now_ms: the centre's time.
    """
    known = register.counting(connection)
    overlaid = {(one.source, one.day): one for one in tried}
    known |= {place: register.as_registered(one, known.get(place), now_ms) for place, one in overlaid.items()}
    rows = Rows(connection, known, overlaid)
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
    # What a replaced file had matched is not matched any more, also when no row of the new one tells of it.
    replaced = rows.replaced_on(day)
    lost = {one.sale for one in replaced} - {""}
    reported = placed | ended | returned | lost | {one.sale for one in day_lines}
    open_ = _sales(connection, select(c.record_id).where(c.state == "HELD", c.placed_at_ms < end_ms))
    # What came after the night of its day, or has waited since: this one looks at it too.
    open_ |= _sales(connection, select(c.record_id).where(tables.UNMATCHED, c.placed_at_ms < end_ms))
    open_ |= _sales(connection, select(back.record_id).where(back.state == "RETURNING"))
    # Its goods came back, and what became of another try of it only files can tell.
    returned_unmatched = (c.state == "RETURNED", c.night != MATCHED, c.placed_at_ms < end_ms)
    open_ |= _sales(connection, select(c.record_id).where(HOST_GONE, *returned_unmatched))
    open_ |= claimants(connection, replaced, config)
    d = tables.difference.c
    mine = d.kind.in_([kind.value for kind in Kind])
    found = store.read_where(connection, Difference, mine, d.closed_ms.is_(None))
    # An item without a payment is about one row of a file: only that day's night can tell of it.
    items = [one for one in found if isinstance(one, Difference) and (one.pay_ref or _is_of(one, day))]
    every = reported | open_ | {sale_of(one.pay_ref) for one in items}
    known_by = recognised(connection, rows, config, day_lines, every)
    named = known_by.named
    day_lines = tuple(named.get(one.place, one) for one in day_lines)
    stories = read_stories(connection, every)
    silent = never_named(connection, rows, config, stories)
    sales = [_sale(name, stories.get(name), known_by, config, silent.get(name, ())) for name in sorted(every)]
    here = {one.place for one in day_lines}
    reported |= {one.sale for one in day_lines}
    reported |= {one.sale for one in sales if not here.isdisjoint(one.concerns)}
    lines: dict[str, list[Line]] = defaultdict(list)
    for line in (*rows.of_sales(every - {""}), *known_by.lines):
        lines[line.sale].append(line)
    lines[""] = [one for one in day_lines if not one.sale]
    sales = [replace(one, lines=tuple(lines[one.sale])) for one in sales]
    return Gathered(
        day=day,
        end_ms=end_ms,
        sales=tuple(sales),
        reported=frozenset(reported),
        placed=frozenset(placed),
        day_lines=day_lines,
        files=Files(frozenset(known), frozenset(place for place, one in known.items() if one.whole)),
        day_files={one.source: one for (_, of_day), one in known.items() if of_day == day},
        items=tuple(items),
        totals=_totals(connection, day, overlaid),
    )


def _sale(
    name: str, story: Story | None, known_by: Recognised, config: NightConfig, silent: tuple[Line, ...]
) -> Sale:
    """Return a sale with what rows that name no order say of it; its own rows are still to come."""
    contested = known_by.contested_by(name)
    if story is None:
        return Sale(name, None, (), contested, silent)
    free, beside = (*known_by.free_for(story, config), *silent), known_by.beside(story, config)
    return Sale(name, story, (), contested, free, beside)


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
    # Books that were put back may never have had the hold of a late grant.
    of_it, of_hold = tables.event.alias().c, tables.posting.alias().c
    has_hold = exists().where(
        of_it.record_id == record.record_id,
        of_hold.event_no == of_it.event_no,
        of_hold.happening == Happening.HOLD_PLACED.value,
    )
    late = posted.where(
        posting.happening == Happening.LATE_RECORD.value,
        posting.account == Account.LATE_GRANTS_CLAIMED.value,
        ~has_hold,
    )
    return Totals(
        stated_fen=stated,
        stored_fen=stored,
        promised_fen=connection.execute(promised).scalar_one() + connection.execute(late).scalar_one(),
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
