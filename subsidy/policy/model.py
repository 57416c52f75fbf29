"""What does a policy pack say?

A pack is a programme with the rule sets it takes up. Every number stands in a row with its first
day and the clause it comes from. Rows are oldest first; the last one whose first day has come
counts. Nothing is edited: a new rule is a new row.
"""

import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from subsidy.money import Fen, Rounding
from subsidy.policy.split import Share

T = TypeVar("T")

ANY_LEVEL = "any"
"""The key of a rate that does not depend on an energy or water efficiency level."""


class PriceLimitBasis(StrEnum):
    """Which price the price limit is held against."""

    FINAL_PRICE = "final_price"
    INITIAL_PRICE = "initial_price"


class Tender(StrEnum):
    """The ways of paying that a till can ask for."""

    CARD = "card"
    QR_SCAN = "qr_scan"
    QR_SHOW = "qr_show"
    CASH = "cash"


class PoolBy(StrEnum):
    """What a programme year's money may be divided by, in the order in which a pool's name says it."""

    GROUP = "group"
    COUNTY = "county"
    CHANNEL = "channel"


class Source(msgspec.Struct, frozen=True):
    """The notice and the clause that a number comes from."""

    title: str
    clause: str

    def __str__(self) -> str:
        return f"{self.title} {self.clause}"


class Row(msgspec.Struct, Generic[T], frozen=True):
    """A value from its first day on."""

    since: datetime.date
    value: T
    source: Source


class Dated(msgspec.Struct, Generic[T], frozen=True):
    """The rows of one number, oldest first. `name` is what decisions call it."""

    name: str
    rows: tuple[Row[T], ...] = ()

    def on(self, day: datetime.date) -> Row[T] | None:
        """Return the row that counts on `day`, or None before the first."""
        found = None
        for row in self.rows:
            if row.since > day:
                break
            found = row
        return found


class Hours(msgspec.Struct, frozen=True):
    """The time of day in which sales are taken, in Shanghai; `closes` is not part of it."""

    opens: datetime.time
    closes: datetime.time

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


class CategoryRule(msgspec.Struct, frozen=True):
    """What one category gets. Rates stand per efficiency level, or under ANY_LEVEL."""

    category: str
    label: str
    rate_bp: dict[str, Dated[int]]
    cap: Dated[Fen]
    quota: Dated[int]
    price_limit: Dated[Fen]


class RuleSet(msgspec.Struct, frozen=True):
    """A notice's rules for its categories, with the days on which they are open.

    `group` is what pools call the categories together, where money is divided by group.
    """

    rules: str
    title: str
    programme_year: int
    open: Dated[bool]
    categories: dict[str, CategoryRule]
    group: str = ""


class Pack(msgspec.Struct, frozen=True):
    """A programme: where, when and how, whose money, and the rule sets it takes up.

    `hash` is over the names and bytes of the files it was read from: two programs that name the
    same hash decide the same.
    """

    programme: str
    title: str
    hash: str
    training: bool
    rule_sets: tuple[RuleSet, ...]
    open: Dated[bool]
    regions: Dated[tuple[str, ...]]
    hours: Dated[Hours]
    tenders: Dated[tuple[Tender, ...]]
    rounding: Dated[Rounding]
    price_limit_basis: Dated[PriceLimitBasis]
    serial_no_required: Dated[bool]
    return_restores_quota: Dated[bool]
    shares: Dated[tuple[Share, ...]]
    held_for_s: Dated[int]
    lag_target_s: Dated[int]
    open_holds_per_terminal: Dated[int]
    open_holds_per_shop: Dated[int]
    evidence: Dated[tuple[str, ...]]
    differences_owner: Dated[str]
    pools_by: Dated[tuple[PoolBy, ...]] = Dated("pools_by")

    def rule_set_on(self, day: datetime.date, category: str) -> tuple[RuleSet, CategoryRule] | None:
        """Return the rule set that is open on `day` and covers `category`."""
        for rules in self.rule_sets:
            if category in rules.categories and is_open(rules.open, day):
                return rules, rules.categories[category]
        return None


def is_open(rows: Dated[bool], day: datetime.date) -> bool:
    """Whether `rows` say open on `day`; before the first row nothing is."""
    row = rows.on(day)
    return row is not None and row.value


def must(rows: Dated[T], day: datetime.date) -> Row[T]:
    """Return the row of `day`, which a pack that is open on it has (the reader sees to that)."""
    row = rows.on(day)
    assert row is not None, f"{rows.name} has no row on {day}"
    return row
