"""How is a pack read from its files?

A folder holds rule sets (`kind: rules`) and programmes (`kind: programme`). A programme takes up
rule sets by name; together they are its pack. Everything is read strictly: a number without its
first day and clause, a row out of order, a share that does not add up, or a day on which the
programme is open but a number is missing, is an error with file, line and remedy.
"""

import datetime
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from subsidy.codes import BadCode, region
from subsidy.money import Rounding
from subsidy.policy.model import (
    ANY_LEVEL,
    CategoryRule,
    Dated,
    Hours,
    Pack,
    PoolBy,
    PriceLimitBasis,
    Row,
    RuleSet,
    Source,
    Tender,
    is_open,
)
from subsidy.policy.split import WHOLE_BP, Share
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node

T = TypeVar("T")

_TIME_OF_DAY = re.compile(r"[0-9]{2}:[0-9]{2}", re.ASCII)
_RULES_KEYS = ("kind", "rules", "title", "programme_year", "open", "categories")
_OPTIONAL_NUMBERS = ("hours", "pools_by")
_NUMBERS = (
    "open",
    "regions",
    "tenders",
    "rounding",
    "price_limit_basis",
    "serial_no_required",
    "return_restores_quota",
    "shares_bp",
    "held_for_s",
    "lag_target_s",
    "open_holds_per_terminal",
    "open_holds_per_shop",
    "evidence",
    "differences_owner",
)


def read_packs(files: Mapping[str, str]) -> dict[str, Pack]:
    """Return the packs in `files` (name -> text) by programme. Raises yaml_text.FileError."""
    rule_sets: dict[str, tuple[str, RuleSet]] = {}
    programmes: dict[str, tuple[str, Node]] = {}
    for name in sorted(files):
        root = yaml_text.read(files[name], name)
        keys = dict(root.items())
        if "kind" not in keys:
            raise root.wrong("kind is missing", "Write `kind: rules` or `kind: programme`")
        if keys["kind"].choice(("rules", "programme")) == "rules":
            rules = _rule_set(root)
            _keep(rule_sets, rules.rules, (name, rules), root)
        else:
            node = keys.get("programme")
            if node is None:
                raise root.wrong("programme is missing", "Add `programme:` with its name in quotes")
            _keep(programmes, node.code(), (name, root), root)
    return {
        programme: _programme(name, root, rule_sets, files) for programme, (name, root) in programmes.items()
    }


def _keep(known: dict[str, T], name: str, value: T, root: Node) -> None:
    if name in known:
        raise root.wrong(f"{name} is defined in two files", "Keep one of them")
    known[name] = value


def _rule_set(root: Node) -> RuleSet:
    keys = root.mapping(required=_RULES_KEYS, optional=("group",))
    categories = {name: _category(name, node) for name, node in keys["categories"].items()}
    return RuleSet(
        rules=keys["rules"].code(),
        title=keys["title"].text(),
        programme_year=keys["programme_year"].integer(2024, 2099),
        open=_dated("open", keys["open"], Node.flag),
        categories=categories,
        group=keys["group"].code() if "group" in keys else "",
    )


def _category(name: str, node: Node) -> CategoryRule:
    keys = node.mapping(required=("label", "rate_bp", "cap_yuan", "quota"), optional=("price_limit_yuan",))
    rates = {
        level: _dated(f"{name}.rate_bp", rows, lambda one: one.integer(0, WHOLE_BP))
        for level, rows in keys["rate_bp"].items()
    }
    for level in rates:
        if level != ANY_LEVEL and level not in ("1", "2", "3", "4", "5"):
            raise keys["rate_bp"].wrong(
                f"{level} is no efficiency level", f'Write "1" to "5", or {ANY_LEVEL}'
            )
    if not rates or (ANY_LEVEL in rates and len(rates) > 1):
        raise keys["rate_bp"].wrong(
            "no rate can be chosen", f"Write rates per level, or one under {ANY_LEVEL}"
        )
    limit = keys.get("price_limit_yuan")
    return CategoryRule(
        category=name,
        label=keys["label"].text(),
        rate_bp=rates,
        cap=_dated(f"{name}.cap_yuan", keys["cap_yuan"], Node.yuan),
        quota=_dated(f"{name}.quota", keys["quota"], lambda one: one.integer(0, 1000)),
        price_limit=_dated(f"{name}.price_limit_yuan", limit, Node.yuan),
    )


def _programme(
    file: str, root: Node, rule_sets: Mapping[str, tuple[str, RuleSet]], files: Mapping[str, str]
) -> Pack:
    keys = root.mapping(
        required=("kind", "programme", "title", "takes_up", *_NUMBERS),
        optional=("training", *_OPTIONAL_NUMBERS),
    )
    taken: list[RuleSet] = []
    names = [file]
    for node in keys["takes_up"].sequence():
        if node.code() not in rule_sets:
            raise node.wrong(f"no file here defines the rules {node.code()}", "Add that file to the folder")
        rules_file, rules = rule_sets[node.code()]
        _refuse_overlap(node, taken, rules)
        taken.append(rules)
        names.append(rules_file)
    pack = Pack(
        programme=keys["programme"].code(),
        title=keys["title"].text(),
        hash=pack_hash({name: files[name] for name in names}),
        training=keys["training"].flag() if "training" in keys else False,
        rule_sets=tuple(taken),
        open=_dated("open", keys["open"], Node.flag),
        regions=_dated("regions", keys["regions"], _list_of(_region)),
        hours=_dated("hours", keys.get("hours"), _hours),
        tenders=_dated("tenders", keys["tenders"], _list_of(_enum(Tender))),
        rounding=_dated("rounding", keys["rounding"], _enum(Rounding)),
        price_limit_basis=_dated("price_limit_basis", keys["price_limit_basis"], _enum(PriceLimitBasis)),
        serial_no_required=_dated("serial_no_required", keys["serial_no_required"], Node.flag),
        return_restores_quota=_dated("return_restores_quota", keys["return_restores_quota"], Node.flag),
        shares=_dated("shares_bp", keys["shares_bp"], _shares),
        held_for_s=_dated("held_for_s", keys["held_for_s"], lambda one: one.integer(30, 86_400)),
        lag_target_s=_dated("lag_target_s", keys["lag_target_s"], lambda one: one.integer(1, 86_400)),
        open_holds_per_terminal=_dated(
            "open_holds_per_terminal", keys["open_holds_per_terminal"], lambda one: one.integer(1, 100_000)
        ),
        open_holds_per_shop=_dated(
            "open_holds_per_shop", keys["open_holds_per_shop"], lambda one: one.integer(1, 100_000)
        ),
        evidence=_dated("evidence", keys["evidence"], _list_of(Node.text)),
        differences_owner=_dated("differences_owner", keys["differences_owner"], Node.text),
        pools_by=_dated("pools_by", keys.get("pools_by"), _list_of(_enum(PoolBy))),
    )
    _refuse_gaps(root, pack)
    _refuse_nameless_groups(root, pack)
    return pack


def pack_hash(files: Mapping[str, str]) -> str:
    """Return the SHA-256 (hex) over names and bytes of a pack's files, in order of name."""
    whole = hashlib.sha256(b"tradein.pack.v1\n")
    for name in sorted(files):
        whole.update(f"{name}\n{hashlib.sha256(files[name].encode()).hexdigest()}\n".encode())
    return whole.hexdigest()


def _dated(name: str, node: Node | None, read: Callable[[Node], T]) -> Dated[T]:
    """Read the rows of one number. Raises when they are not in order or lack day or clause."""
    if node is None:
        return Dated(name)
    rows: list[Row[T]] = []
    for entry in node.sequence():
        keys = entry.mapping(required=("from", "value", "source"))
        source = keys["source"].mapping(required=("title", "clause"))
        row = Row(
            since=keys["from"].day(),
            value=read(keys["value"]),
            source=Source(title=source["title"].text(), clause=source["clause"].text()),
        )
        if rows and row.since <= rows[-1].since:
            raise entry.wrong(f"{row.since} does not come after {rows[-1].since}", "Put rows oldest first")
        rows.append(row)
    if not rows:
        raise node.wrong("no row", "Write at least one row with from, value and source")
    return Dated(name, tuple(rows))


def _list_of(read: Callable[[Node], T]) -> Callable[[Node], tuple[T, ...]]:
    def read_all(node: Node) -> tuple[T, ...]:
        found = tuple(read(one) for one in node.sequence())
        if not found or len(set(found)) != len(found):
            raise node.wrong("empty, or one stands twice", "List each once")
        return found

    return read_all


def _enum(kind: Callable[[str], T]) -> Callable[[Node], T]:
    def read_one(node: Node) -> T:
        known = [str(one) for one in kind]  # type: ignore[attr-defined]  # every enum iterates
        return kind(node.choice(known))

    return read_one


def _region(node: Node) -> str:
    try:
        return region.read(node.code())
    except BadCode as wrong:
        raise node.wrong(str(wrong), 'Write it as in "321202"') from None


def _hours(node: Node) -> Hours:
    keys = node.mapping(required=("opens", "closes"))
    found = []
    for name in ("opens", "closes"):
        text = keys[name].code()
        try:
            # fromisoformat alone also takes "07", and "07:00+08:00", which compares with no local time.
            if _TIME_OF_DAY.fullmatch(text) is None:
                raise ValueError
            found.append(datetime.time.fromisoformat(text))
        except ValueError:
            raise keys[name].wrong("not a time of day", 'Write it as in "07:00"') from None
    if found[0] >= found[1]:
        raise node.wrong("closes before it opens", "Write hours within one day")
    return Hours(*found)


def _shares(node: Node) -> tuple[Share, ...]:
    shares = tuple(Share(funder, bp.integer(0, WHOLE_BP)) for funder, bp in node.items())
    if sum(one.bp for one in shares) != WHOLE_BP:
        raise node.wrong("the shares do not add up to 10000", "Correct the basis points")
    return shares


def _refuse_overlap(node: Node, taken: list[RuleSet], rules: RuleSet) -> None:
    """Refuse two rule sets that are open on one day with one category: which would count?"""
    for other in taken:
        both = other.categories.keys() & rules.categories.keys()
        days = {row.since for one in (other, rules) for row in one.open.rows}
        for day in days:
            rows = (other.open.on(day), rules.open.on(day))
            if both and all(row is not None and row.value for row in rows):
                raise node.wrong(
                    f"{other.rules} and {rules.rules} both cover {min(both)} on {day}",
                    "Close one before the other opens",
                )


def _refuse_nameless_groups(root: Node, pack: Pack) -> None:
    """Refuse money divided by group when a rule set does not say which group it is."""
    by_group = any(PoolBy.GROUP in row.value for row in pack.pools_by.rows)
    for rules in pack.rule_sets:
        if by_group and not rules.group:
            raise root.wrong(
                f"money is divided by group, but {rules.rules} names none",
                'Write its group, as in group: "A"',
            )


def _refuse_gaps(root: Node, pack: Pack) -> None:
    """Refuse a pack that is open on a day on which a number it needs has no row."""
    fields: list[Any] = [getattr(pack, name) for name in pack.__struct_fields__]
    programme = [one for one in fields if isinstance(one, Dated) and one.name not in _OPTIONAL_NUMBERS]
    for rules in pack.rule_sets:
        needed = list(programme)
        for rule in rules.categories.values():
            needed += [*rule.rate_bp.values(), rule.cap, rule.quota]
        for day in sorted({row.since for rows in (pack.open, rules.open) for row in rows.rows}):
            if not (is_open(pack.open, day) and is_open(rules.open, day)):
                continue
            for rows in needed:
                if rows.on(day) is None:
                    raise root.wrong(
                        f"{rules.rules} is open on {day}, but {rows.name} has no row by then",
                        "Add a row from that day or before",
                    )
