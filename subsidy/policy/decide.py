"""Does this purchase get a subsidy, and how much?

`decide` is pure: the till, the intake, reconciliation and an auditor get the same answer from the
same pack and facts. It returns a grant explained to the fen, or every refusal that applies.
"""

import datetime
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from subsidy import calendar
from subsidy.codes import BadCode, region, serial_no
from subsidy.money import share_of, yuan
from subsidy.policy.facts import Facts
from subsidy.policy.model import ANY_LEVEL, CategoryRule, Dated, Pack, PriceLimitBasis, Row, is_open, must
from subsidy.policy.refusals import Refusal, in_order
from subsidy.policy.split import Part, split

T = TypeVar("T")


class Because(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule that a grant rests on: its value, first day and clause."""

    rule: str
    value: str
    since: str = msgspec.field(name="from")
    source: str


class Granted(msgspec.Struct, frozen=True, tag="granted", tag_field="decision"):
    """A grant. What the shopper pays is `final_price_fen` - `subsidy_fen` - the old item's value."""

    final_price_fen: int
    subsidy_fen: int
    category: str
    programme_year: int
    funders: tuple[Part, ...]
    because: tuple[Because, ...]


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="decision"):
    """Every refusal that applies, most decisive first."""

    reasons: tuple[Refusal, ...]


Decision = Granted | Refused


class NotDecidable(ValueError):
    """The facts lack or contradict something without which no rule can be applied."""


def decide(pack: Pack, facts: Facts) -> Decision:
    """Return what `pack` grants on these facts, or every refusal that applies, in order.

    Raises NotDecidable when the facts are for another programme, or a fact without which nothing
    can be computed is absent.
    """
    if facts.programme != pack.programme:
        raise NotDecidable(f"programme is {facts.programme}, the pack is {pack.programme}")
    sold_at = calendar.shanghai(facts.sold_at)
    day = sold_at.date()
    final_fen = facts.initial_price_fen - _or_zero(facts.merchant_discount_fen)
    if final_fen < 0:
        raise NotDecidable("merchant_discount_fen is above initial_price_fen")
    if not is_open(pack.open, day) or not any(is_open(one.open, day) for one in pack.rule_sets):
        # Without an open rule set no other number exists to judge by.
        return Refused(in_order({Refusal.PROGRAMME_CLOSED, *_of_shop(facts)}))

    refusals = {
        *_of_shop(facts),
        *_of_place_and_time(pack, facts, sold_at),
        *_of_item(pack, facts, day, final_fen),
        *_of_person(facts),
    }
    found = pack.rule_set_on(day, facts.category) if isinstance(facts.category, str) else None
    if found is None:
        if facts.category is UNSET:
            raise NotDecidable("category is absent: no rule can be chosen without it")
        return Refused(in_order({*refusals, Refusal.CATEGORY_NOT_COVERED}))

    rules, rule = found
    refusals |= _of_category(pack, rule, facts, day, final_fen)
    rate = _rate(rule, facts, day)
    if rate is None:
        return Refused(in_order({*refusals, Refusal.ENERGY_LEVEL_NOT_COVERED}))
    cap = must(rule.cap, day)
    rounding = must(pack.rounding, day)
    subsidy_fen = min(share_of(final_fen, rate.value, rounding.value), cap.value)
    refusals |= _of_amount(facts, final_fen, subsidy_fen)
    if refusals:
        return Refused(in_order(refusals))

    shares = must(pack.shares, day)
    return Granted(
        final_price_fen=final_fen,
        subsidy_fen=subsidy_fen,
        category=rule.category,
        programme_year=rules.programme_year,
        funders=split(subsidy_fen, shares.value),
        because=(
            _because(f"{rule.category}.rate_bp", rate, str(rate.value)),
            _because(f"{rule.category}.cap_yuan", cap, yuan(cap.value)),
            _because("rounding", rounding, rounding.value.value),
            _because("shares_bp", shares, " ".join(f"{one.funder} {one.bp}" for one in shares.value)),
        ),
    )


def _of_shop(facts: Facts) -> set[Refusal]:
    found = set()
    if _denied(facts.merchant_active):
        found.add(Refusal.MERCHANT_NOT_ACTIVE)
    if _denied(facts.terminal_registered):
        found.add(Refusal.TERMINAL_NOT_REGISTERED)
    return found


def _of_place_and_time(pack: Pack, facts: Facts, sold_at: datetime.datetime) -> set[Refusal]:
    found = set()
    day = sold_at.date()
    if facts.programme_stopped is True:
        found.add(Refusal.PROGRAMME_CLOSED)
    areas = must(pack.regions, day).value
    if facts.region is None or (
        isinstance(facts.region, str) and not any(region.covers(area, facts.region) for area in areas)
    ):
        found.add(Refusal.REGION_NOT_COVERED)
    hours = pack.hours.on(day)
    # Compared as instants of the day: 22:59:59.999 is inside, 23:00:00 is not.
    if hours is not None and not hours.value.opens <= sold_at.time() < hours.value.closes:
        found.add(Refusal.OUTSIDE_HOURS)
    if facts.tender is not UNSET and facts.tender not in must(pack.tenders, day).value:
        found.add(Refusal.TENDER_NOT_ALLOWED)
    return found


def _of_item(pack: Pack, facts: Facts, day: datetime.date, final_fen: int) -> set[Refusal]:
    found = set()
    if _denied(facts.product_listed):
        found.add(Refusal.PRODUCT_NOT_LISTED)
    if facts.serial_no is None and must(pack.serial_no_required, day).value:
        found.add(Refusal.SERIAL_MISSING)
    if isinstance(facts.serial_no, str) and not _is_serial_no(facts.serial_no):
        found.add(Refusal.SERIAL_INVALID)
    if facts.serial_taken is True:
        found.add(Refusal.SERIAL_ALREADY_SUBSIDISED)
    if facts.filed_price_fen is None:
        found.add(Refusal.PRICE_NOT_FILED)
    if isinstance(facts.filed_price_fen, int) and final_fen > facts.filed_price_fen:
        found.add(Refusal.PRICE_ABOVE_FILING)
    return found


def _of_person(facts: Facts) -> set[Refusal]:
    found = set()
    if _denied(facts.qualification_known):
        # Nothing else can be said of a code that nobody knows.
        found.add(Refusal.QUALIFICATION_UNKNOWN)
    else:
        if _denied(facts.qualification_valid):
            found.add(Refusal.QUALIFICATION_EXPIRED)
        if facts.qualification_category is not UNSET and facts.qualification_category != facts.category:
            found.add(Refusal.QUALIFICATION_WRONG_CATEGORY)
        if facts.qualification_in_use is True:
            found.add(Refusal.QUALIFICATION_IN_USE)
    if facts.payer_matches is False:
        found.add(Refusal.PAYER_MISMATCH)
    if facts.risk_blocked is True:
        found.add(Refusal.RISK_BLOCKED)
    return found


def _of_category(
    pack: Pack, rule: CategoryRule, facts: Facts, day: datetime.date, final_fen: int
) -> set[Refusal]:
    found = set()
    limit = rule.price_limit.on(day)
    if limit is not None:
        on_final = must(pack.price_limit_basis, day).value is PriceLimitBasis.FINAL_PRICE
        if (final_fen if on_final else facts.initial_price_fen) > limit.value:
            found.add(Refusal.PRICE_ABOVE_LIMIT)
    used = facts.used_in_category
    if isinstance(used, int) and used >= must(rule.quota, day).value:
        found.add(Refusal.PERSON_QUOTA_USED)
    return found


def _of_amount(facts: Facts, final_fen: int, subsidy_fen: int) -> set[Refusal]:
    found = set()
    left = facts.fund_left_fen
    if left is None or (isinstance(left, int) and left < subsidy_fen):
        found.add(Refusal.FUND_EXHAUSTED)
    if subsidy_fen == 0:
        found.add(Refusal.SUBSIDY_ZERO)
    # Something must be left to pay, also under a rate near the whole; a price of 0 is SUBSIDY_ZERO.
    taken_off_fen = subsidy_fen + _or_zero(facts.trade_in_fen)
    if taken_off_fen > 0 and taken_off_fen >= final_fen:
        found.add(Refusal.TRADE_IN_TOO_HIGH)
    return found


def _rate(rule: CategoryRule, facts: Facts, day: datetime.date) -> Row[int] | None:
    """Return the rate of the item's efficiency level, or None when its level is not covered."""
    rates: dict[str, Dated[int]] = rule.rate_bp
    if ANY_LEVEL in rates:
        return rates[ANY_LEVEL].on(day)
    if facts.energy_level is UNSET:
        if len(rates) > 1:
            raise NotDecidable(f"energy_level is absent: {rule.category} has a rate for each level")
        return next(iter(rates.values())).on(day)
    rows = rates.get(str(facts.energy_level))
    return rows.on(day) if rows is not None else None


def _because(rule: str, row: Row[T], value: str) -> Because:
    return Because(rule=rule, value=value, since=row.since.isoformat(), source=str(row.source))


def _denied(fact: bool | None | UnsetType) -> bool:
    return fact is None or fact is False


def _or_zero(fact: int | None | UnsetType) -> int:
    return fact if isinstance(fact, int) else 0


def _is_serial_no(text: str) -> bool:
    try:
        return serial_no.read(text) == text
    except BadCode:
        return False
