"""Would a changed number in a policy file be noticed by the cases of that file?

Every number is moved by one up and down, every date by a day, every other value is replaced, every key
renamed and every entry left out, one at a time, in the files as read. Either the reader refuses the
file, or a case in the file of the same name fails; for what `decide` reads, a purchase does. Only the
texts for people (titles, labels, clauses) may be changed without a case failing.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import policy_cases
import pytest
import yaml

from catalog_sync.packs import read_texts
from subsidy.money import Rounding, fen_from_yuan, yuan
from subsidy.policy import read_pack
from subsidy.policy.model import PriceLimitBasis, Tender
from subsidy.strict import yaml_text

TEXTS = read_texts(policy_cases.POLICIES)
FOR_PEOPLE = ("title", "label", "source")
NOT_READ_BY_DECIDE = (
    "programme_year",
    "training",
    "return_restores_quota",
    "held_for_s",
    "lag_target_s",
    "open_holds_per_terminal",
    "open_holds_per_shop",
    "evidence",
    "differences_owner",
)
ENUMS = [[one.value for one in kind] for kind in (Rounding, PriceLimitBasis, Tender)]


@dataclass(frozen=True)
class Change:
    """One change to a tree, and how to take it back."""

    what: str
    make: Callable[[], None]
    undo: Callable[[], None]


class Trees:
    """The policy files as trees, which `read_packs` reads in place of the texts."""

    def __init__(self) -> None:
        self.roots = {name: yaml.compose(text, Loader=yaml.SafeLoader) for name, text in TEXTS.items()}
        self._takes_up = {
            policy: {f"{one.rules}.yaml" for one in pack.rule_sets} | {f"{pack.programme}.yaml"}
            for policy, pack in self._packs_by_policy().items()
        }
        self._cases = {f"{policy}.yaml": [] for policy in self._takes_up}
        for case in policy_cases.all_cases():
            self._cases[f"{case.policy}.yaml"].append(case)

    def node(self, _text: str, name: str) -> yaml_text.Node:
        """Stand in for yaml_text.read."""
        return yaml_text.Node(self.roots[name], name, "")

    def noticed_by(self, name: str) -> str:
        """Return who objects to file `name` as it stands: reader, purchase, setting or nobody."""
        policy = name.removesuffix(".yaml")
        try:
            packs = read_pack.read_packs({one: TEXTS[one] for one in self._takes_up[policy]})
            pack = policy_cases.pack_for(policy, packs)
        except (yaml_text.FileError, ValueError):
            return "reader"
        differing = [one for one in self._cases[name] if policy_cases.what_differs(one, pack) is not None]
        if any(one.expect for one in differing):
            return "purchase"
        return "setting" if differing else "nobody"

    def _packs_by_policy(self) -> dict[str, Any]:
        packs = read_pack.read_packs(TEXTS)
        policies = [name.removesuffix(".yaml") for name in TEXTS]
        return {policy: policy_cases.pack_for(policy, packs) for policy in policies}


@pytest.fixture(scope="module")
def trees() -> Trees:
    return Trees()


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_unchanged_file_is_what_the_cases_expect(name, trees, monkeypatch):
    monkeypatch.setattr(yaml_text, "read", trees.node)
    assert trees.noticed_by(name) == "nobody"


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_any_changed_value_is_noticed(name, trees, monkeypatch):
    monkeypatch.setattr(yaml_text, "read", trees.node)
    tried, unnoticed = 0, []
    for change in changes("", trees.roots[name]):
        change.make()
        by = trees.noticed_by(name)
        if by == "nobody" or (by == "setting" and needs_a_purchase(change.what)):
            unnoticed.append(f"{change.what}, noticed by {by}")
        change.undo()
        tried += 1
    assert unnoticed == []
    assert tried > 4 * TEXTS[name].count("from:"), "every row has at least two numbers to move both ways"


def needs_a_purchase(what: str) -> bool:
    """Whether a change is to something that a purchase can show.

    A row's first day is not always: before the programme opens, nobody sees from when a number stood.
    """
    return ".from" not in what and not what.startswith(NOT_READ_BY_DECIDE)


def changes(where: str, node: yaml.Node) -> Iterator[Change]:
    """Return every change that can be made at or below `node`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value not in FOR_PEOPLE:
                place = f"{where}.{key.value}" if where else key.value
                yield _set(f"{place} renamed", key, "renamed")
                yield _entry_left_out(place, node, (key, value))
                yield from changes(place, value)
        yield from _shares_moved(where, node)
    elif isinstance(node, yaml.SequenceNode):
        for i, one in enumerate(list(node.value)):
            yield _entry_left_out(f"{where}[{i}]", node, one)
            yield from changes(f"{where}[{i}]", one)
    else:
        for value in _others(node):
            yield _set(f"{where}: {node.value} to {value}", node, value)


def _others(node: yaml.ScalarNode) -> list[str]:
    """Return what a value is changed to."""
    text = node.value
    if node.style is None and text.isdigit():
        return [str(int(text) + step) for step in (-1, 1)]
    if text in ("true", "false"):
        return ["false" if text == "true" else "true"]
    known = [one for enum in ENUMS if text in enum for one in enum if one != text]
    if known:
        return known
    for moved in (_day, _time_of_day, _yuan, _code):
        try:
            return [moved(text, step) for step in (-1, 1)]
        except ValueError:
            continue
    return [f"{text}x", "other"]


def _day(text: str, step: int) -> str:
    return (datetime.date.fromisoformat(text) + datetime.timedelta(days=step)).isoformat()


def _time_of_day(text: str, step: int) -> str:
    return (datetime.datetime.strptime(text, "%H:%M") + datetime.timedelta(minutes=step)).strftime("%H:%M")


def _yuan(text: str, step: int) -> str:
    return yuan(fen_from_yuan(text) + step)


def _code(text: str, step: int) -> str:
    return str(int(text) + step)


def _set(what: str, node: yaml.ScalarNode, value: str) -> Change:
    old = node.value
    return Change(what, lambda: setattr(node, "value", value), lambda: setattr(node, "value", old))


def _entry_left_out(place: str, node: yaml.CollectionNode, entry: Any) -> Change:
    old = node.value
    rest = [one for one in old if one is not entry]
    if isinstance(entry, tuple):
        rest = [pair for pair in old if pair[0] is not entry[0]]
    return Change(
        f"{place} left out", lambda: setattr(node, "value", rest), lambda: setattr(node, "value", old)
    )


def _shares_moved(where: str, node: yaml.MappingNode) -> Iterator[Change]:
    """Return every way of moving a basis point between two funders: alone, the reader refuses it."""
    if not where.startswith("shares_bp") or not where.endswith(".value"):
        return
    values = [value for _, value in node.value]
    for giver in values:
        for taker in values:
            if giver is not taker:
                both = [
                    _set("", giver, str(int(giver.value) - 1)),
                    _set("", taker, str(int(taker.value) + 1)),
                ]
                yield Change(
                    f"{where}: a basis point moved",
                    lambda both=both: [one.make() for one in both] and None,
                    lambda both=both: [one.undo() for one in both] and None,
                )
    pairs = node.value
    turned = pairs[::-1]
    yield Change(
        f"{where}: in another order",
        lambda: setattr(node, "value", turned),
        lambda: setattr(node, "value", pairs),
    )
