"""Which holds are open?"""

import msgspec
from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.people import within
from settlement.people.roles import EVERYTHING, Reach


class HoldShown(msgspec.Struct, frozen=True):
    """An open hold, whether its time is `over`, and whether person and serial number are free already."""

    record_id: str
    device: str
    hold_no: int
    merchant: str
    shop: str
    terminal_no: str
    category: str
    subsidy_fen: int
    placed_at_ms: int
    held_for_s: int
    over: bool
    goods_freed: bool


def open_holds(
    connection: Connection,
    at_ms: int,
    after: str = "",
    most: int | None = None,
    shop: str | None = None,
    device: str | None = None,
    placed_before_ms: int | None = None,
    reach: Reach = EVERYTHING,
) -> list[HoldShown]:
    """Return open holds by record id, which is the order in which they were made.

    Args:
        connection: a reading transaction.
        at_ms: the centre's time.
        after: only those behind this record id.
        most: so many at most; None is all.
        shop: only this shop's.
        device: only this device's.
        placed_before_ms: only those that were placed before this instant.
        reach: only those within it.
    """
    table = tables.record
    c = table.c
    is_open = (c.state == "HELD", c.record_id > after, within.records(reach))
    query = select(table).where(*is_open).order_by(c.record_id).limit(most)
    if shop is not None:
        query = query.where(c.shop == shop)
    if device is not None:
        query = query.where(c.device == device)
    if placed_before_ms is not None:
        query = query.where(c.placed_at_ms < placed_before_ms)
    return [
        HoldShown(
            record_id=row.record_id,
            device=row.device,
            hold_no=row.hold_no,
            merchant=row.merchant,
            shop=row.shop,
            terminal_no=row.terminal_no,
            category=row.category,
            subsidy_fen=row.subsidy_fen,
            placed_at_ms=row.placed_at_ms,
            held_for_s=row.held_for_s,
            over=at_ms > row.placed_at_ms + row.held_for_s * 1000,
            goods_freed=bool(row.goods_freed),
        )
        for row in connection.execute(query)
    ]
