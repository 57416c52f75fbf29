"""What do the cases in `tests/policies/` say, and does a pack do what a case expects?

A case is a purchase of which everything is in order but what `given` changes, on a day (at noon) or
at an instant, with the answer that the pack must give. `for_each` repeats a case for each of some
values. `expect_settings` pins what counts on the day with the day it counts from. The file of cases
has the name of the policy file; one of rules is judged through the programme that takes them up.
"""

import datetime
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subsidy.calendar import SHANGHAI
from subsidy.money import Rounding, fen_from_yuan, yuan
from subsidy.policy.decide import Decision, Granted, decide
from subsidy.policy.facts import Facts, of_sale
from subsidy.policy.model import Dated, Hours, Pack, PriceLimitBasis, Row, RuleSet, Tender
from subsidy.policy.split import Share
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "config" / "policies"
CASES = ROOT / "tests" / "policies"

_NOON = datetime.time(12)
_CASE_KEYS = ("day", "sold_at", "for_each", "given", "expect", "expect_settings")
_ORDINARY: dict[str, Any] = {
    "merchant_discount_fen": 0,
    "trade_in_fen": 0,
    "merchant_active": True,
    "terminal_registered": True,
    "region": "321202",
    "tender": Tender.CARD,
    "product_listed": True,
    "energy_level": None,
    "serial_no": "SN-0001",
    "serial_taken": False,
    "qualification_known": True,
    "qualification_valid": True,
    "qualification_in_use": False,
    "used_in_category": 0,
    "payer_matches": True,
    "risk_blocked": False,
    "fund_left_fen": 10**11,
}
_YUAN = {
    "price_yuan": "initial_price_fen",
    "discount_yuan": "merchant_discount_fen",
    "trade_in_yuan": "trade_in_fen",
    "filed_price_yuan": "filed_price_fen",
    "fund_left_yuan": "fund_left_fen",
}


@dataclass(frozen=True)
class Case:
    """One case, with `for_each` written out. `policy` is the name of the policy file, without .yaml."""

    policy: str
    name: str
    line: int
    sold_at: datetime.datetime
    given: Mapping[str, Any]
    expect: Mapping[str, Any] = field(default_factory=dict)
    expect_settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def day(self) -> datetime.date:
        """The programme day."""
        return self.sold_at.astimezone(SHANGHAI).date()

    def facts(self, programme: str) -> Facts | None:
        """Return the facts of the purchase, or None when the case is about settings only."""
        if not self.expect:
            return None
        said = {_YUAN.get(key, key): value for key, value in self.given.items()}
        if "bought_before" in said:
            said["used_in_category"] = said.pop("bought_before")
        if isinstance(said.get("tender"), str):
            said["tender"] = Tender(said["tender"])
        said.setdefault("filed_price_fen", said["initial_price_fen"])
        said.setdefault("qualification_category", said["category"])
        return of_sale(Facts(sold_at=self.sold_at, programme=programme, **{**_ORDINARY, **said}))


def all_cases() -> list[Case]:
    """Return every case of every file."""
    return [case for path in sorted(CASES.glob("*.yaml")) for case in cases_of(path)]


def cases_of(path: Path) -> list[Case]:
    """Return the cases of one file, `for_each` written out."""
    root = yaml_text.read(path.read_text(encoding="utf-8"), path.name)
    return [case for node in root.sequence() for case in _cases(path.stem, node)]


def pack_for(policy: str, packs: Mapping[str, Pack]) -> Pack:
    """Return the pack through which the cases of a policy file are judged."""
    if policy in packs:
        return packs[policy]
    (found,) = (one for one in packs.values() if policy in (rules.rules for rules in one.rule_sets))
    return found


def answer(case: Case, pack: Pack) -> Decision | None:
    """Return what `pack` decides on the case's purchase, None when there is none."""
    facts = case.facts(pack.programme)
    return None if facts is None else decide(pack, facts)


def what_differs(case: Case, pack: Pack) -> str | None:
    """Return what the pack does otherwise than the case expects, None when it does the same."""
    decision = answer(case, pack)
    if decision is not None:
        found = _seen(decision)
        for key, value in case.expect.items():
            if found.get(key) != value:
                return f"expected {key} {value}, the pack gives {found}"
    for key, value in case.expect_settings.items():
        setting = setting_on(case, pack, key)
        if setting != value:
            return f"expected {key} {value}, the pack has {setting}"
    return None


def rule_set_of(case: Case, pack: Pack) -> RuleSet | None:
    """Return the rule set that the case's file is about, None when it is about the programme."""
    return next((rules for rules in pack.rule_sets if rules.rules == case.policy), None)


def numbers_of(case: Case, pack: Pack) -> dict[str, Dated[Any]]:
    """Return the dated numbers that the case's `expect_settings` can name."""
    rules = rule_set_of(case, pack)
    if rules is None:
        fields = (getattr(pack, name) for name in pack.__struct_fields__)
        return {one.name: one for one in fields if isinstance(one, Dated)}
    rule = rules.categories.get(case.given.get("category", ""))
    if rule is None:
        return {"open": rules.open}
    return {
        **{f"rate_bp.{level}": rows for level, rows in rule.rate_bp.items()},
        "cap_yuan": rule.cap,
        "quota": rule.quota,
        "price_limit_yuan": rule.price_limit,
    }


def setting_on(case: Case, pack: Pack, name: str) -> Any:
    """Return a setting as a case writes it: {value, from}, or the bare value of one without a date."""
    rules = rule_set_of(case, pack)
    undated = {
        "training": pack.training,
        "takes_up": [one.rules for one in pack.rule_sets],
        "programme_year": rules.programme_year if rules else None,
        "categories": sorted(rules.categories) if rules else None,
    }
    if name in undated:
        return undated[name]
    rows = numbers_of(case, pack).get(name)
    row = rows.on(case.day) if rows is not None else None
    return None if row is None else as_written(name, row)


def as_written(name: str, row: Row[Any]) -> dict[str, Any]:
    """Return a row's value and first day as a case writes them."""
    value = row.value
    if name in ("cap_yuan", "price_limit_yuan"):
        value = yuan(value)
    elif isinstance(value, Hours):
        value = str(value)
    elif isinstance(value, Rounding | PriceLimitBasis):
        value = value.value
    elif isinstance(value, tuple) and isinstance(value[0], Share):
        value = {one.funder: one.bp for one in value}
    elif isinstance(value, tuple):
        value = [str(one) for one in value]
    return {"value": value, "from": row.since.isoformat()}


def _seen(decision: Decision) -> dict[str, Any]:
    if isinstance(decision, Granted):
        return {
            "granted_yuan": yuan(decision.subsidy_fen),
            "funders": {one.funder: yuan(one.fen) for one in decision.funders},
        }
    return {"refused": [one.value for one in decision.reasons]}


def _cases(policy: str, node: Node) -> Iterator[Case]:
    keys = node.mapping(required=("name",), optional=_CASE_KEYS)
    if ("day" in keys) == ("sold_at" in keys):
        raise node.wrong("neither day nor sold_at, or both", "Write one of them")
    if "expect" not in keys and "expect_settings" not in keys:
        raise node.wrong("nothing is expected", "Write expect or expect_settings")
    if "day" in keys:
        sold_at = datetime.datetime.combine(keys["day"].day(), _NOON, SHANGHAI)
    else:
        sold_at = datetime.datetime.fromisoformat(keys["sold_at"].code())
    each = {
        name: [_given(name, value) for value in one.sequence()]
        for name, one in _entries(keys, "for_each").items()
    }
    given = {name: _given(name, one) for name, one in _entries(keys, "given").items()}
    expect = {name: one.plain() for name, one in _entries(keys, "expect").items()}
    if isinstance(expect.get("refused"), str):
        expect["refused"] = [expect["refused"]]
    settings = {name: _setting(one) for name, one in _entries(keys, "expect_settings").items()}
    for values in itertools.product(*each.values()):
        which = f" [{', '.join(map(str, values))}]" if values else ""
        yield Case(
            policy=policy,
            name=keys["name"].text() + which,
            line=node.line,
            sold_at=sold_at,
            given={**given, **dict(zip(each, values, strict=True))},
            expect=expect,
            expect_settings=settings,
        )


def _entries(keys: Mapping[str, Node], name: str) -> dict[str, Node]:
    return dict(keys[name].items()) if name in keys else {}


def _given(name: str, node: Node) -> Any:
    """Return a fact; the word `none` is "known to be none"."""
    value = node.plain()
    if value == "none":
        return None
    return fen_from_yuan(value) if name in _YUAN else value


def _setting(node: Node) -> Any:
    """Return {value, from}, or the bare value of a setting without a date."""
    try:
        keys = node.mapping(required=("value", "from"))
    except yaml_text.FileError:
        return node.plain()
    return {"value": keys["value"].plain(), "from": keys["from"].day().isoformat()}
