"""Which files is each pack made of? Shops ask for them by the pack's hash."""

from collections.abc import Mapping

import msgspec

from subsidy.policy.model import Pack
from subsidy.policy.read_pack import pack_hash
from subsidy.strict import yaml_text


class PackFiles(msgspec.Struct, frozen=True):
    """The files that a pack was read from, name to text."""

    programme: str
    files: dict[str, str]


def files_of_packs(packs: Mapping[str, Pack], texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the files among `texts` (name -> text) that each of `packs` was read from, by its hash."""
    rules, programmes = {}, {}
    for name, text in texts.items():
        keys = dict(yaml_text.read(text, name).items())
        if keys["kind"].text() == "rules":
            rules[keys["rules"].code()] = name
        else:
            programmes[keys["programme"].code()] = name
    found = {}
    for pack in packs.values():
        names = [programmes[pack.programme], *(rules[one.rules] for one in pack.rule_sets)]
        found[pack.hash] = {name: texts[name] for name in names}
        assert pack_hash(found[pack.hash]) == pack.hash
    return found
