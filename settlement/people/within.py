"""How is a list limited, in the database, to what somebody may see?"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Select, false, or_, select, true

from settlement.db import tables
from settlement.people.roles import Reach

_record, _shop = tables.record.c, tables.shop.c


def records(reach: Reach) -> ColumnElement[bool]:
    """Return the condition on `record` that holds for what is within `reach`."""
    if reach.everything:
        return true()
    return or_(false(), _record.merchant.in_(reach.merchants), _record.shop.in_(_shops(reach)))


def subjects(connection: Connection, reach: Reach, named: Collection[str]) -> set[str]:
    """Return those of some record and device ids that are within `reach`."""
    device = tables.device.c
    of_devices = or_(
        device.shop.in_(_shops(reach)),
        device.shop.in_(select(_shop.shop).where(_shop.merchant.in_(reach.merchants))),
    )
    found = select(_record.record_id).where(_record.record_id.in_(named), records(reach))
    found_devices = select(device.device).where(device.device.in_(named), of_devices)
    return {*connection.scalars(found), *connection.scalars(found_devices)}


def claims(reach: Reach) -> ColumnElement[bool]:
    """Return the condition on `claim`: it has a line within `reach`."""
    if reach.everything:
        return true()
    line = tables.claim_line.c
    seen = (
        select(line.claim)
        .join_from(tables.claim_line, tables.record, _record.record_id == line.record_id)
        .where(records(reach))
    )
    return tables.claim.c.claim.in_(seen)


def _shops(reach: Reach) -> Select[tuple[str]]:
    return select(_shop.shop).where(_shop.region.in_(reach.counties))
