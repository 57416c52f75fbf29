"""Which rows and which stories of sales are read for a night? Read from the books, nothing is changed.

A row that names no order is of no sale: such rows are read by day and terminal, and so are the sales that
could claim them.
"""

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, func, or_, select

from settlement.db import tables
from settlement.reconcile import register
from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import Story, tell
from settlement.reconcile.lines import FileRead, Line, record_of, sale_of_record
from settlement.reconcile.recognise import Recognised, days_of, recognise
from settlement.reconcile.sales import Registered
from settlement.writer import store
from settlement.writer.rows import EntryRow, GoodsReturn, OfferExplanation, Record
from subsidy import calendar

_AT_ONCE = 500
_FEW = 20
_DAY_MS = 86_400_000
_LONGEST_DAYS = 3
"""So long after its hold a payment may stand in a file: its time, the longest payment, a settlement day."""
_device = tables.device.c
HOST_GONE = tables.record.c.device.in_(
    select(_device.device).where(
        _device.frozen.is_not(None), or_(_device.replaced == 1, _device.frozen_by == "")
    )
)
"""The records of devices that were replaced or contradicted themselves: nothing more of them is taken in."""
_Places = dict[str, set[str]]
"""Terminals by day."""


class Rows:
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

    @property
    def tried(self) -> list[Line]:
        """The rows of files that are only tried."""
        return [line for file in self._tried.values() for line in file.lines]

    def of_day(self, day: str) -> Iterator[Line]:
        """Yield the rows of a day's files, in order."""
        tried = [line for file in self._tried.values() if file.day == day for line in file.lines]
        yield from sorted([*self._stored(tables.channel_line.c.day == day), *tried], key=_order)

    def replaced_on(self, day: str) -> list[Line]:
        """Return the rows of a day's files that do not count any more."""
        found = self._connection.execute(select(tables.channel_line).where(tables.channel_line.c.day == day))
        return [register.line_of(row) for row in found if not self._counts(row)]

    def of_sales(self, sales: Iterable[str]) -> Iterator[Line]:
        """Yield the rows of these sales, of all days, in order."""
        wanted = sorted(sales)
        every = set(wanted)
        found = [line for file in self._tried.values() for line in file.lines if line.sale in every]
        for start in range(0, len(wanted), _AT_ONCE):
            found += self._stored(tables.channel_line.c.sale.in_(wanted[start : start + _AT_ONCE]))
        yield from sorted(found, key=_order)

    def unnamed(self, wanted: Mapping[str, Collection[str]], config: NightConfig) -> list[Line]:
        """Return the rows that name no order, of these terminals on these days, or of no terminal."""
        found = [line for file in self._tried.values() for line in file.lines]
        sources = [one.name for one in config.sources.values() if not one.names_orders]
        c = tables.channel_line.c
        for day, terminals in sorted(wanted.items()):
            of_day = (c.day == day) & (c.sale == "") & c.source.in_(sources)
            # A row is called by its terminal first; many terminals are faster told apart here.
            named = [c.ref.startswith(f"{one}/", autoescape=True) for one in sorted({*terminals, ""})]
            found += self._stored(of_day & or_(*named) if len(named) <= _FEW else of_day)
        return [
            one
            for one in found
            if (at := place_of(one, config)) and at[0] in wanted and at[1] in ("", *wanted[at[0]])
        ]

    def _stored(self, condition: Any) -> Iterator[Line]:
        for row in self._connection.execute(select(tables.channel_line).where(condition)):
            if self._counts(row):
                yield register.line_of(row)

    def _counts(self, row: Any) -> bool:
        place = (row.source, row.day)
        return place not in self._tried and row.version == self._known[place].version


def read_stories(connection: Connection, sales: Iterable[str]) -> dict[str, Story]:
    """Return the stories of sales, by sale; none for those of which there is no record."""
    names = [name for name in map(record_of, sorted(sales)) if name is not None]
    found: dict[str, Story] = {}
    for start in range(0, len(names), _AT_ONCE):
        chunk = names[start : start + _AT_ONCE]
        entries: dict[str | None, list[EntryRow]] = defaultdict(list)
        c = tables.entry_row.c
        for one in store.read_where(connection, EntryRow, c.record_id.in_(chunk), c.answer == "accepted"):
            assert isinstance(one, EntryRow)
            entries[one.record_id].append(one)
        said: dict[str, list[OfferExplanation]] = defaultdict(list)
        of_sales = tables.offer_explanation.c.record_id.in_(chunk)
        for explanation in store.read_where(connection, OfferExplanation, of_sales):
            assert isinstance(explanation, OfferExplanation)
            said[explanation.record_id].append(explanation)
        backs = {
            one.record_id: one
            for one in store.read_where(connection, GoodsReturn, tables.goods_return.c.record_id.in_(chunk))
            if isinstance(one, GoodsReturn)
        }
        in_chunk = tables.record.c.record_id.in_(chunk)
        gone = {
            name
            for (name,) in connection.execute(select(tables.record.c.record_id).where(in_chunk, HOST_GONE))
        }
        for record in store.read_where(connection, Record, in_chunk):
            assert isinstance(record, Record)
            name = record.record_id
            story = tell(record, entries[name], backs.get(name), said[name], name in gone)
            found[sale_of_record(name)] = story
    return found


def recognised(
    connection: Connection, rows: Rows, config: NightConfig, day_lines: Collection[Line], every: set[str]
) -> Recognised:
    """Return what is known of rows that name no order, and put into `every` each sale that they are about.

    Args:
        connection: the night's transaction.
        rows: the rows that count.
        config: the sources.
        day_lines: the rows of the night's day: each of them is looked at.
        every: the sales that the night looks at.
    """
    if all(one.names_orders for one in config.sources.values()):
        return Recognised()
    of_day = {one.place: at for one in day_lines if (at := place_of(one, config)) is not None}
    # What gives money back may point at a charge of an earlier day: that has to be read to be found.
    back = [one for one in day_lines if (called := config.called(one)) is not None and called.about]
    near = claimants(connection, back, config)
    stories: dict[str, Story] = read_stories(connection, near)
    while True:
        stories |= read_stories(connection, every - stories.keys())
        wanted: _Places = defaultdict(set)
        for day, terminal in of_day.values():
            wanted[day].add(terminal)
        for sale in sorted((every | near) & stories.keys()):
            record = stories[sale].record
            if record.terminal_no and config.may_be_unnamed(record.shop):
                for day in days_of(stories[sale], config):
                    wanted[day].add(record.terminal_no)
        lines = rows.unnamed(wanted, config)
        stories |= read_stories(connection, claimants(connection, lines, config) - stories.keys())
        found = recognise(stories.values(), lines, config)
        about = {one.sale for one in found.lines if one.place in of_day} | found.contested_sales
        for sale, story in stories.items():
            may_be = (*found.free_for(story, config), *found.beside(story, config))
            if any(one.place in of_day for one in may_be):
                about.add(sale)
        if about <= every:
            return found
        every |= about


def place_of(line: Line, config: NightConfig) -> tuple[str, str] | None:
    """Return day and terminal of a row that names no order and may be known by other names, else None.

    The terminal is empty for a row that only points at another one.
    """
    called = config.called(line)
    return None if called is None else (line.day, called.terminal_no)


def claimants(connection: Connection, lines: Iterable[Line], config: NightConfig) -> set[str]:
    """Return the sales placed, or returned, about then at terminals where rows stand that name no order."""
    places: _Places = defaultdict(set)
    for line in lines:
        if (at := place_of(line, config)) is not None and at[1]:
            places[at[0]].add(at[1])
    record, back = tables.record.c, tables.goods_return.c
    found: set[str] = set()
    for day, terminals in sorted(places.items()):
        names, end_ms = sorted(terminals), calendar.end_ms(datetime.date.fromisoformat(day))
        for start in range(0, len(names), _AT_ONCE):
            there = record.terminal_no.in_(names[start : start + _AT_ONCE])
            placed = (record.placed_at_ms < end_ms) & (
                record.placed_at_ms >= end_ms - _LONGEST_DAYS * _DAY_MS
            )
            ended = (back.ended_ms >= end_ms - 2 * _DAY_MS) & (func.coalesce(back.begun_ms, 0) < end_ms)
            for query in (
                select(record.record_id).where(placed, there),
                select(record.record_id)
                .join(tables.goods_return, back.record_id == record.record_id)
                .where(ended, there),
            ):
                found |= {sale_of_record(name) for name in connection.execute(query).scalars()}
    return found


def _order(line: Line) -> tuple[str, str, int]:
    return line.day, line.source, line.line_no
