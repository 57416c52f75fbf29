"""Which pool does a sale draw on?

A pool is a part of a programme year's money. The pack says by what a year is divided: the group of
categories, the shop's county, its channel, or nothing. Names say it: `group=A/county=321202`; the undivided
year is the empty name.
"""

import re

from settlement.writer.rows import Shop
from subsidy import calendar
from subsidy.policy.model import Pack, PoolBy

_NAME = re.compile(r"(group=[A-Za-z0-9-]+)?(/?county=[0-9]{6})?(/?channel=[a-z]+)?", re.ASCII)


def pool_of(pack: Pack, category: str, shop: Shop | None, at_ms: int) -> str:
    """Return the name of the pool that a sale of `category` in `shop` draws on."""
    day = calendar.day_of_ms(at_ms)
    by = pack.pools_by.on(day)
    if by is None or shop is None:
        return ""
    found = pack.rule_set_on(day, category)
    values = {
        PoolBy.GROUP: found[0].group if found else "",
        PoolBy.COUNTY: shop.region,
        PoolBy.CHANNEL: shop.channel,
    }
    return "/".join(f"{one.value}={values[one]}" for one in PoolBy if one in by.value)


def may_draw(pack: Pack, group: str, pool: str, at_ms: int) -> bool:
    """Whether sales of a group of categories draw on a pool, in one shop or another."""
    by = pack.pools_by.on(calendar.day_of_ms(at_ms))
    named = dict(part.split("=") for part in pool.split("/")) if pool else {}
    divided_by = {one.value for one in by.value} if by is not None else set()
    return set(named) == divided_by and named.get(PoolBy.GROUP.value, group) == group


def is_pool(name: str) -> bool:
    """Whether `name` is written as pools are."""
    return not name.startswith("/") and _NAME.fullmatch(name) is not None
