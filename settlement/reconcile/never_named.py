"""Which rows may be a hold's payment although their source is said to name every order?

`names_orders: true` is somebody's word about an acquirer. Where no row of a terminal has named an order for a
month, that word does not hold for this terminal: rows of its that name none keep holds, as they do where the
word is `false`.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.reconcile.config import NightConfig
from settlement.reconcile.expect import Story
from settlement.reconcile.lines import Line
from settlement.reconcile.read_rows import Rows
from settlement.reconcile.recognise import days_of, recognise
from settlement.reconcile.sources.layouts import CALLED

_LOOKS_BACK = datetime.timedelta(days=30)


def never_named(
    connection: Connection, rows: Rows, config: NightConfig, stories: Mapping[str, Story]
) -> dict[str, tuple[Line, ...]]:
    """Return, by sale that is HELD, the rows of its amount at its terminal that name no order and should.

    Args:
        connection: the night's transaction.
        rows: the rows that count.
        config: the sources.
        stories: every sale that the night looks at.
    """
    doubted = {
        name: replace(one, names_orders=False)
        for name, one in config.sources.items()
        if one.names_orders and one.layout in CALLED
    }
    held = {
        sale: one for sale, one in stories.items() if one.record.state == "HELD" and one.record.terminal_no
    }
    if not doubted or not held:
        return {}
    doubting = replace(config, sources=doubted)
    wanted: dict[str, set[str]] = defaultdict(set)
    for one in held.values():
        for day in days_of(one, doubting):
            wanted[day].add(one.record.terminal_no)
    found = recognise(stories.values(), rows.unnamed(wanted, doubting), doubting)
    free = {sale: lines for sale, one in held.items() if (lines := found.free_for(one, doubting))}
    named = _that_name(connection, rows, doubting, {held[sale].record.terminal_no for sale in free}, wanted)
    return {sale: lines for sale, lines in free.items() if held[sale].record.terminal_no not in named}


def _that_name(
    connection: Connection, rows: Rows, config: NightConfig, terminals: set[str], days: Iterable[str]
) -> set[str]:
    """Return those of the terminals of which a row has named an order, these days or in the month before."""
    if not terminals:
        return set()
    last = max(days)
    first = (datetime.date.fromisoformat(min(days)) - _LOOKS_BACK).isoformat()
    c = tables.channel_line.c
    naming = (c.day >= first) & (c.day <= last) & (c.sale != "") & c.source.in_(list(config.sources))
    refs = list(connection.execute(select(c.ref).where(naming)).scalars())
    refs += [one.ref for one in rows.tried if one.sale and one.source in config.sources]
    return terminals & {ref.partition("/")[0] for ref in refs}
