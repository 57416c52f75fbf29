"""Can these policy files be taken, and what do they say in short?"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from catalog_sync.packs import read_text
from subsidy.policy.model import Dated, Pack
from subsidy.policy.read_pack import read_packs
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import FileError

TO_BE_SET = "to be set by the bureau"
"""What the source of an assumption is called, until the bureau has decided."""


class CheckedProgramme(msgspec.Struct, frozen=True):
    """A programme that can be loaded. `to_be_set` names the rows that no notice or bureau stands behind."""

    programme: str
    title: str
    training: bool
    hash: str
    rules: tuple[str, ...]
    to_be_set: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """The files looked at, with those of rules that were found beside them."""

    files: tuple[str, ...]
    programmes: tuple[CheckedProgramme, ...]


def check_files(paths: Sequence[Path]) -> Checked:
    """Read `paths` together, and from their folders the rules that a programme takes up besides.

    Raises FileError at the first thing that cannot be taken.
    """
    texts: dict[str, str] = {}
    for path in dict.fromkeys(path.resolve() for path in paths):
        _keep(texts, path, read_text(path))
    for path in paths:
        _add_rules_beside(path, texts)
    packs = read_packs(texts)
    return Checked(
        files=tuple(sorted(texts)),
        programmes=tuple(
            CheckedProgramme(
                programme=pack.programme,
                title=pack.title,
                training=pack.training,
                hash=pack.hash,
                rules=tuple(one.rules for one in pack.rule_sets),
                to_be_set=tuple(_to_be_set(pack)),
            )
            for pack in packs.values()
        ),
    )


def _add_rules_beside(path: Path, texts: dict[str, str]) -> None:
    """Add the files in `path`'s folder that define rules which `path` takes up and nobody has named."""
    known = {_says(text, name)[0] for name, text in texts.items()}
    lacking = _says(texts[path.resolve().name], path.name)[1] - known
    broken = None
    for other in sorted(path.resolve().parent.glob("*.yaml")) if lacking else []:
        if other.name in texts:
            continue
        try:
            text = read_text(other)
            yaml_text.read(text, other.name)
        except FileError as wrong:
            broken = broken or wrong
            continue
        rules = _says(text, other.name)[0]
        if rules in lacking:
            _keep(texts, other, text)
            lacking.remove(rules)
    if lacking and broken:
        # Rather than "no file defines the rules": it is likely this one that should.
        raise broken


def _says(text: str, name: str) -> tuple[str | None, set[str]]:
    """Return the rules that a file defines, and those it takes up. `read_packs` says what is wrong."""
    try:
        keys = dict(yaml_text.read(text, name).items())
        rules = keys["rules"].code() if "rules" in keys else None
        taken = {one.code() for one in keys["takes_up"].sequence()} if "takes_up" in keys else set()
    except FileError:
        return None, set()
    return rules, taken


def _keep(texts: dict[str, str], path: Path, text: str) -> None:
    if path.name in texts:
        raise FileError(path.name, 1, "", "two files of this name", "Check the folders one after the other")
    texts[path.name] = text


def _to_be_set(pack: Pack) -> Iterator[str]:
    fields: list[Any] = [getattr(pack, name) for name in pack.__struct_fields__]
    numbers: list[Dated[Any]] = [one for one in fields if isinstance(one, Dated)]
    for rules in pack.rule_sets:
        numbers.append(rules.open)
        for rule in rules.categories.values():
            numbers += [*rule.rate_bp.values(), rule.cap, rule.quota, rule.price_limit]
    for number in numbers:
        for row in number.rows:
            if TO_BE_SET in row.source.title:
                yield f"{number.name} from {row.since}"
