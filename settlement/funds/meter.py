"""What is left of the fund, for everybody to see? Pure.

By category of the rule sets that are open today: the largest grant that can still be given, in the pool that
has the most left. By programme year: what is left, in all pools on which sales draw. Never negative, and
closed is said to be closed.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from settlement.funds.gather_facts import shares
from settlement.funds.pools import may_draw
from settlement.ledger.accounts import Account
from settlement.ledger.post import Slot
from subsidy import calendar
from subsidy.policy.model import Pack, is_open
from subsidy.policy.refusals import Refusal
from subsidy.policy.split import Share, largest_grant


class CategoryLeft(msgspec.Struct, frozen=True):
    """The largest grant that a purchase can still get; `why` is the refusal that all get while it is none."""

    category: str
    label: str
    year: int
    open: bool
    largest_grant_fen: int
    why: Refusal | None


class YearLeft(msgspec.Struct, frozen=True):
    """What can still be granted in a programme year: every funder bears its part, so the least decides.

    `used_percent` is that of the funder with the least left, in whole percent.
    """

    year: int
    open: bool
    left_fen: int
    used_percent: int


class Meter(msgspec.Struct, frozen=True):
    """The fund as of `as_of`, the centre's time."""

    programme: str
    title: str
    as_of: str
    centre_ms: int
    open: bool
    categories: tuple[CategoryLeft, ...]
    years: tuple[YearLeft, ...]


def read_meter(
    balances: Mapping[Slot, int], pack: Pack, closed: Collection[int], is_stopped: bool, at_ms: int
) -> Meter:
    """Return what is left.

    Args:
        balances: every balance.
        pack: the programme's.
        closed: the programme years that are closed.
        is_stopped: whether people have frozen the programme.
        at_ms: the centre's time.
    """
    now = calendar.from_ms(at_ms)
    open_sets = [rules for rules in pack.rule_sets if is_open(rules.open, now.date())]
    runs = is_open(pack.open, now.date()) and not is_stopped
    hours = pack.hours.on(now.date())
    is_late = hours is not None and not hours.value.opens <= now.time() < hours.value.closes
    left = _left(balances, shares(pack, at_ms))
    categories: dict[str, CategoryLeft] = {}
    drawn_on: set[tuple[int, str]] = set()
    for rules in open_sets:
        year = rules.programme_year
        drawn = [pool for of, pool in left if of == year and may_draw(pack, rules.group, pool, at_ms)]
        drawn_on |= {(year, pool) for pool in drawn}
        left_fen = max((left[year, pool] for pool in drawn), default=0)
        for name, rule in rules.categories.items():
            cap = rule.cap.on(now.date())
            largest_fen = min(left_fen, cap.value) if cap is not None else 0
            why = None
            if not runs or year in closed:
                why = Refusal.PROGRAMME_CLOSED
            elif is_late:
                why = Refusal.OUTSIDE_HOURS
            elif largest_fen == 0:
                why = Refusal.FUND_EXHAUSTED
            shown = CategoryLeft(name, rule.label, year, why is None, 0 if why else largest_fen, why)
            # A category of two open sets is decided by the first.
            categories.setdefault(name, shown)
    granting = {rules.programme_year for rules in open_sets if runs} - set(closed)
    years = {slot[2] for slot in balances} | {rules.programme_year for rules in open_sets}
    return Meter(
        programme=pack.programme,
        title=pack.title,
        as_of=now.isoformat(timespec="seconds"),
        centre_ms=at_ms,
        open=any(one.open for one in categories.values()),
        categories=tuple(categories.values()),
        years=tuple(
            YearLeft(
                year=year,
                open=year in granting,
                left_fen=sum(left[one] for one in drawn_on if one[0] == year) if year in granting else 0,
                used_percent=_used_percent(balances, year),
            )
            for year in sorted(years)
        ),
    )


def _left(balances: Mapping[Slot, int], of_day: Sequence[Share]) -> dict[tuple[int, str], int]:
    """Return the largest grant that each pool of each year can bear, by the day's shares."""
    available: dict[tuple[int, str], dict[str, int]] = {}
    for (funder, account, year, pool), fen in balances.items():
        if account is Account.AVAILABLE:
            available.setdefault((year, pool), {})[funder] = fen
    return {where: largest_grant(has, of_day) if of_day else 0 for where, has in available.items()}


def _used_percent(balances: Mapping[Slot, int], year: int) -> int:
    given: dict[str, int] = {}
    left: dict[str, int] = {}
    for (funder, account, of_year, _), fen in balances.items():
        if of_year == year and account is Account.APPROPRIATED:
            given[funder] = given.get(funder, 0) - fen
        if of_year == year and account is Account.AVAILABLE:
            left[funder] = left.get(funder, 0) + fen
    used = [
        max(0, fen - max(0, left.get(funder, 0))) * 100 // fen for funder, fen in given.items() if fen > 0
    ]
    return max(used, default=100)
