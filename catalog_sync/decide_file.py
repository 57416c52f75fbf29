"""What do the packs decide on the facts in this file?"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from catalog_sync.data_file import DataFileError, decode_array, decode_one, is_array, read_bytes
from subsidy.policy.decide import Decision, Granted, NotDecidable, decide
from subsidy.policy.facts import Facts
from subsidy.policy.model import Pack
from subsidy.policy.refusals import Reason, reason


class ShownRefused(msgspec.Struct, frozen=True, tag="refused", tag_field="decision"):
    """A refusal as it is shown: each reason with its sentences."""

    reasons: tuple[Reason, ...]


ShownDecision = Granted | ShownRefused


def decide_file(packs: Mapping[str, Pack], path: Path) -> ShownDecision | list[ShownDecision]:
    """Return the decision on the file's facts; for an array of them as many, in the same order.

    Raises DataFileError, which names the member, when facts cannot be taken or decided on.
    """
    raw = read_bytes(path)
    if not is_array(raw):
        return shown(decide_on(packs, decode_one(raw, Facts, path.name), path.name, "$"))
    facts = decode_array(raw, Facts, path.name)
    return [shown(decide_on(packs, one, path.name, f"$[{i}]")) for i, one in enumerate(facts)]


def decide_on(packs: Mapping[str, Pack], facts: Facts, file: str, where: str) -> Decision:
    """Return the decision of the facts' own pack. `where` is their place in `file`."""
    pack = packs.get(facts.programme)
    if pack is None:
        known = ", ".join(sorted(packs)) or "none"
        problem = f"no pack is loaded for programme {facts.programme!r}"
        raise DataFileError(file, f"{where}.programme", problem, f"The packs here: {known}")
    try:
        return decide(pack, facts)
    except NotDecidable as wrong:
        raise DataFileError(file, where, str(wrong), "Add or correct this fact") from None


def shown(decision: Decision) -> ShownDecision:
    """Return `decision` as people and programs outside are shown it."""
    if isinstance(decision, Granted):
        return decision
    return ShownRefused(tuple(reason(one) for one in decision.reasons))
