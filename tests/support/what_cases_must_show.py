"""What must the cases of a pack show? The list is made from the pack, so that a new row brings its own.

For every dated row: its first day and the day before. For every rate, cap, quota and limit: a purchase
at the value and one a fen or an item beyond. Hours, regions, tenders, rounding, serial numbers, shares,
every category with every efficiency level, and the first day of every setting.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import policy_cases
from policy_cases import Case

from subsidy.calendar import SHANGHAI
from subsidy.codes import region
from subsidy.money import Rounding, share_of, yuan
from subsidy.policy.decide import Decision, Granted
from subsidy.policy.facts import Facts
from subsidy.policy.model import ANY_LEVEL, CategoryRule, Dated, Pack, PriceLimitBasis, RuleSet, Tender
from subsidy.policy.refusals import Refusal

DAY = datetime.timedelta(days=1)
SECOND = datetime.timedelta(seconds=1)


@dataclass(frozen=True)
class Seen:
    """A case with what its pack decides, and what that was computed from."""

    case: Case
    facts: Facts
    decision: Decision
    rule: CategoryRule | None
    rate: object = None
    cap: object = None
    quota: object = None
    limit: object = None
    final_fen: int = 0
    computed_fen: int = 0
    rate_shows: bool = False
    rounding_shows: bool = False

    @property
    def granted(self) -> bool:
        """Whether there is a grant."""
        return isinstance(self.decision, Granted)

    def refused(self, refusal: Refusal) -> bool:
        """Whether `refusal` is the one reason."""
        return not self.granted and self.decision.reasons == (refusal,)

    @property
    def time(self) -> datetime.time:
        """The time of day in Shanghai."""
        return self.facts.sold_at.astimezone(SHANGHAI).time()


@dataclass(frozen=True)
class Showing:
    """Something that a case must show, in words for the one who adds it."""

    policy: str
    add: str
    shown_by: Callable[[Seen], bool]


Shown = tuple[str, Callable[[Seen], bool]]


@dataclass(frozen=True)
class Setting:
    """A number of which a case must say what counts on a day."""

    policy: str
    name: str
    day: datetime.date
    category: str | None
    value: Any

    @property
    def add(self) -> str:
        """What to add."""
        of = f" of {self.category}" if self.category else ""
        return f"expect_settings: {self.name}{of} on {self.day}, which is {self.value}"

    def shown_by(self, case: Case) -> bool:
        """Whether `case` says it."""
        return (
            case.day == self.day
            and self.name in case.expect_settings
            and (self.category is None or case.given.get("category") == self.category)
        )


def missing(packs: Mapping[str, Pack], cases: list[Case]) -> list[str]:
    """Return what no case shows, one line each, empty when nothing is missing."""
    seen: dict[str, list[Seen]] = {}
    for case in cases:
        found = see(case, policy_cases.pack_for(case.policy, packs))
        if found is not None:
            seen.setdefault(case.policy, []).append(found)
    lacking = [
        f"tests/policies/{one.policy}.yaml: {one.add}"
        for one in showings(packs)
        if not any(one.shown_by(found) for found in seen.get(one.policy, []))
    ]
    return lacking + [
        f"tests/policies/{one.policy}.yaml: {one.add}"
        for one in settings(packs)
        if not any(one.shown_by(case) for case in cases if case.policy == one.policy)
    ]


def see(case: Case, pack: Pack) -> Seen | None:
    """Return the case's purchase as its pack sees it, None when the case is about settings only."""
    facts = case.facts(pack.programme)
    decision = policy_cases.answer(case, pack)
    if facts is None or decision is None:
        return None
    found = pack.rule_set_on(case.day, facts.category) if facts.category else None
    rule = found[1] if found else None
    level = ANY_LEVEL if rule and ANY_LEVEL in rule.rate_bp else str(facts.energy_level)
    if rule is None or level not in rule.rate_bp:
        return Seen(case, facts, decision, rule)
    rate = rule.rate_bp[level].on(case.day)
    rounding = pack.rounding.on(case.day).value
    final_fen = facts.initial_price_fen - facts.merchant_discount_fen
    cap = rule.cap.on(case.day)

    def at(rate_bp: int, by: Rounding = rounding) -> int:
        return min(share_of(final_fen, rate_bp, by), cap.value)

    return Seen(
        case=case,
        facts=facts,
        decision=decision,
        rule=rule,
        rate=rate,
        cap=cap,
        quota=rule.quota.on(case.day),
        limit=rule.price_limit.on(case.day),
        final_fen=final_fen,
        computed_fen=share_of(final_fen, rate.value, rounding),
        rate_shows=at(rate.value - 1) < at(rate.value) < at(rate.value + 1),
        rounding_shows=len({at(rate.value, by) for by in Rounding}) > 1,
    )


def showings(packs: Mapping[str, Pack]) -> Iterator[Showing]:
    """Return everything that purchases must show."""
    known = sorted({name for pack in packs.values() for one in pack.rule_sets for name in one.categories})
    for pack in packs.values():
        yield from _of_programme(pack, known)
        for rules in pack.rule_sets:
            yield from _of_rules(pack, rules)


def settings(packs: Mapping[str, Pack]) -> Iterator[Setting]:
    """Return every row with its first day, and the row before it on its last day."""
    for pack in packs.values():
        for name in pack.__struct_fields__:
            rows = getattr(pack, name)
            if isinstance(rows, Dated):
                yield from _rows(pack.programme, rows.name, rows)
        first = pack.open.rows[0].since
        yield Setting(pack.programme, "training", first, None, pack.training)
        yield Setting(pack.programme, "takes_up", first, None, [one.rules for one in pack.rule_sets])
        for rules in pack.rule_sets:
            first = rules.open.rows[0].since
            yield from _rows(rules.rules, "open", rules.open)
            yield Setting(rules.rules, "programme_year", first, None, rules.programme_year)
            yield Setting(rules.rules, "categories", first, None, sorted(rules.categories))
            for rule in rules.categories.values():
                for level, rows in rule.rate_bp.items():
                    yield from _rows(rules.rules, f"rate_bp.{level}", rows, rule.category)
                yield from _rows(rules.rules, "cap_yuan", rule.cap, rule.category)
                yield from _rows(rules.rules, "quota", rule.quota, rule.category)
                yield from _rows(rules.rules, "price_limit_yuan", rule.price_limit, rule.category)


def _rows(policy: str, name: str, rows: Dated[Any], category: str | None = None) -> Iterator[Setting]:
    for i, row in enumerate(rows.rows):
        if i > 0:
            before = policy_cases.as_written(name, rows.rows[i - 1])
            yield Setting(policy, name, row.since - DAY, category, before)
        yield Setting(policy, name, row.since, category, policy_cases.as_written(name, row))


def _of_programme(pack: Pack, known: list[str]) -> Iterator[Showing]:
    found = (
        *_of_open_days(pack, known),
        *_of_regions(pack),
        *_of_hours(pack),
        *_of_tenders(pack),
        *_of_the_rest(pack),
    )
    for add, shown_by in found:
        yield Showing(pack.programme, add, shown_by)


def _of_open_days(pack: Pack, known: list[str]) -> Iterator[Shown]:
    for row in pack.open.rows:
        for day in (row.since - DAY, row.since):
            yield f"a purchase on {day}", lambda one, day=day: one.case.day == day
    for rules in pack.rule_sets:
        for day in (row.since for row in rules.open.rows if row.value):
            for name in known:
                if pack.rule_set_on(day, name) is None:
                    yield (
                        f"{name} on {day}, which is refused CATEGORY_NOT_COVERED",
                        lambda one, day=day, name=name: (
                            (one.case.day, one.facts.category) == (day, name)
                            and one.refused(Refusal.CATEGORY_NOT_COVERED)
                        ),
                    )


def _of_regions(pack: Pack) -> Iterator[Shown]:
    for area in (area for row in pack.regions.rows for area in row.value):
        yield (
            f"a grant in {area} itself",
            lambda one, area=area: one.granted and one.facts.region == area,
        )
        yield (
            f"a grant in a division within {area}",
            lambda one, area=area: one.granted and _within(area, one.facts.region),
        )
        yield (
            f"a refusal in a division of the same province outside {area}",
            lambda one, area=area: (
                one.refused(Refusal.REGION_NOT_COVERED)
                and (one.facts.region or "")[:2] == area[:2]
                and not region.covers(area, one.facts.region)
            ),
        )


def _of_hours(pack: Pack) -> Iterator[Shown]:
    for row in pack.hours.rows:
        for at, granted in (
            (_minus_a_second(row.value.opens), False),
            (row.value.opens, True),
            (_minus_a_second(row.value.closes), True),
            (row.value.closes, False),
        ):
            yield (
                f"a purchase at {at}, {'granted' if granted else 'refused OUTSIDE_HOURS'}",
                lambda one, at=at, granted=granted: (
                    one.time == at and (one.granted if granted else one.refused(Refusal.OUTSIDE_HOURS))
                ),
            )
    if not pack.hours.rows:
        yield "a grant at midnight", lambda one: one.granted and one.time == datetime.time(0)


def _of_tenders(pack: Pack) -> Iterator[Shown]:
    for row in pack.tenders.rows:
        for tender in Tender:
            ok = tender in row.value
            yield (
                f"a purchase by {tender}, {'granted' if ok else 'refused TENDER_NOT_ALLOWED'}",
                lambda one, tender=tender, ok=ok: (
                    one.facts.tender is tender
                    and (one.granted if ok else one.refused(Refusal.TENDER_NOT_ALLOWED))
                ),
            )


def _of_the_rest(pack: Pack) -> Iterator[Shown]:
    yield "a grant that half_up and down round differently", lambda one: one.granted and one.rounding_shows
    if any(rule.price_limit.rows for rules in pack.rule_sets for rule in rules.categories.values()):
        yield (
            "a purchase whose price is above the limit only before the discount",
            lambda one: (
                one.limit is not None
                and one.final_fen <= one.limit.value < one.facts.initial_price_fen
                and one.granted
                is (pack.price_limit_basis.on(one.case.day).value is PriceLimitBasis.FINAL_PRICE)
            ),
        )
    yield (
        "a purchase without a serial number",
        lambda one: (
            one.facts.serial_no is None
            and (
                one.refused(Refusal.SERIAL_MISSING)
                if pack.serial_no_required.on(one.case.day).value
                else one.granted
            )
        ),
    )
    for row in pack.shares.rows:
        yield (
            f"a grant of at least 100.00 with its funders, under the shares from {row.since}",
            lambda one, row=row: (
                one.granted
                and one.decision.subsidy_fen >= 10_000
                and "funders" in one.case.expect
                and pack.shares.on(one.case.day) is row
            ),
        )


def _of_rules(pack: Pack, rules: RuleSet) -> Iterator[Showing]:
    for row in rules.open.rows:
        for name in rules.categories:
            for day in (row.since - DAY, row.since):
                yield Showing(
                    rules.rules,
                    f"{name} on {day}, around the day from which open is {row.value}",
                    lambda one, name=name, day=day: (one.case.day, one.facts.category) == (day, name),
                )
    for rule in rules.categories.values():
        yield from _of_category(pack, rules, rule)


def _of_category(pack: Pack, rules: RuleSet, rule: CategoryRule) -> Iterator[Showing]:
    name = rule.category

    def show(add: str, shown_by: Callable[[Seen], bool]) -> Showing:
        return Showing(rules.rules, f"{name}: {add}", lambda one: one.rule is rule and shown_by(one))

    for level, rows in rule.rate_bp.items():
        for row in rows.rows:
            yield show(
                f"a grant at level {level} below the cap, where {row.value} basis points show",
                lambda one, row=row: one.granted and one.rate is row and one.rate_shows,
            )
            first = max(row.since, rules.open.rows[0].since)
            yield show(
                f"a grant at level {level} on {first}",
                lambda one, row=row, day=first: one.granted and one.rate is row and one.case.day == day,
            )
    if ANY_LEVEL not in rule.rate_bp:
        for level in (1, 2, 3, 4, 5, None):
            if str(level) not in rule.rate_bp:
                yield show(
                    f"a purchase at level {level}, refused ENERGY_LEVEL_NOT_COVERED",
                    lambda one, level=level: (
                        one.facts.energy_level == level and one.refused(Refusal.ENERGY_LEVEL_NOT_COVERED)
                    ),
                )
    for row in rule.cap.rows:
        for beyond in (0, 1):
            yield show(
                f"a purchase whose rate comes to {yuan(row.value + beyond)}, the cap from {row.since}"
                + (" and a fen" if beyond else ""),
                lambda one, row=row, beyond=beyond: (
                    one.granted and one.cap is row and one.computed_fen == row.value + beyond
                ),
            )
    for row in rule.quota.rows:
        yield show(
            f"a grant with {row.value - 1} bought before",
            lambda one, row=row: (
                one.granted and one.quota is row and one.facts.used_in_category == row.value - 1
            ),
        )
        yield show(
            f"a purchase with {row.value} bought before, refused PERSON_QUOTA_USED",
            lambda one, row=row: (
                one.quota is row
                and one.facts.used_in_category == row.value
                and one.refused(Refusal.PERSON_QUOTA_USED)
            ),
        )
    for row in rule.price_limit.rows:
        yield show(
            f"a grant at {yuan(row.value)}, the limit from {row.since}",
            lambda one, row=row: one.granted and one.limit is row and one.final_fen == row.value,
        )
        yield show(
            f"a purchase at {yuan(row.value + 1)}, refused PRICE_ABOVE_LIMIT",
            lambda one, row=row: (
                one.limit is row and one.final_fen == row.value + 1 and one.refused(Refusal.PRICE_ABOVE_LIMIT)
            ),
        )


def _within(area: str, inner: str | None) -> bool:
    return inner is not None and inner != area and region.covers(area, inner)


def _minus_a_second(at: datetime.time) -> datetime.time:
    return (datetime.datetime.combine(datetime.date(2000, 1, 2), at) - SECOND).time()
