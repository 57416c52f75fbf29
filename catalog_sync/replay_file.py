"""Which archived decisions would these packs take otherwise, and by how many fen?

An auditor replays a pack on what it decided and must find no difference; the bureau tries a changed
pack on past sales and reads the difference before it is signed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from catalog_sync.data_file import DataFileError, decode_array, is_array, read_bytes
from catalog_sync.decide_file import ShownDecision, decide_on, shown
from subsidy.policy.decide import Because, Decision, Granted
from subsidy.policy.facts import Facts
from subsidy.policy.model import Pack
from subsidy.policy.split import Part


class Code(msgspec.Struct, frozen=True):
    """A reason as it is shown, of which only the code counts."""

    code: str


class Archived(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision as stored or as shown: what it does not say is not compared."""

    decision: Literal["granted", "refused"]
    final_price_fen: int | UnsetType = UNSET
    subsidy_fen: int | UnsetType = UNSET
    category: str | UnsetType = UNSET
    programme_year: int | UnsetType = UNSET
    funders: tuple[Part, ...] | UnsetType = UNSET
    because: tuple[Because, ...] | UnsetType = UNSET
    reasons: tuple[str | Code, ...] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.decision == "granted" and self.subsidy_fen is UNSET:
            raise ValueError("a granted decision without subsidy_fen")
        if self.decision == "refused" and self.reasons is UNSET:
            raise ValueError("a refused decision without reasons")

    @property
    def granted_fen(self) -> int:
        """What was granted, 0 for a refusal."""
        return self.subsidy_fen if self.decision == "granted" and isinstance(self.subsidy_fen, int) else 0

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the reasons."""
        reasons = () if isinstance(self.reasons, UnsetType) else self.reasons
        return tuple(one.code if isinstance(one, Code) else one for one in reasons)


class Record(msgspec.Struct, frozen=True):
    """One archived sale. Other fields that an archive keeps beside these are not looked at."""

    facts: Facts
    decision: Archived
    record_id: str | None = None


class Differing(msgspec.Struct, frozen=True):
    """A decision that would differ: in which fields, and by how many fen (would be, less was)."""

    index: int
    record_id: str | None
    programme: str
    sold_at: str
    differs: tuple[str, ...]
    fen: int
    was: Archived
    would_be: ShownDecision


class Replay(msgspec.Struct, frozen=True):
    """What a replay found. `fen` is the sum of the differences, `fen_up` and `fen_down` its two sides."""

    records: int
    differing: int
    fen: int
    fen_up: int
    fen_down: int
    decisions: tuple[Differing, ...]


def replay_file(packs: Mapping[str, Pack], path: Path) -> Replay:
    """Decide again on every record of the file. Raises DataFileError, which names the member."""
    raw = read_bytes(path)
    if not is_array(raw):
        raise DataFileError(path.name, "$", "not an array", 'Write [{"facts": ..., "decision": ...}, ...]')
    records = decode_array(raw, Record, path.name)
    found = []
    for i, record in enumerate(records):
        decision = decide_on(packs, record.facts, path.name, f"$[{i}].facts")
        differs = what_differs(record.decision, decision)
        if differs:
            found.append(_differing(i, record, decision, differs))
    changes = [one.fen for one in found]
    return Replay(
        records=len(records),
        differing=len(found),
        fen=sum(changes),
        fen_up=sum(fen for fen in changes if fen > 0),
        fen_down=sum(fen for fen in changes if fen < 0),
        decisions=tuple(found),
    )


def what_differs(was: Archived, decision: Decision) -> tuple[str, ...]:
    """Return the names of the fields in which `decision` differs from what was archived."""
    if isinstance(decision, Granted) != (was.decision == "granted"):
        return ("decision",)
    if not isinstance(decision, Granted):
        return () if was.codes == tuple(one.value for one in decision.reasons) else ("reasons",)
    names = ("final_price_fen", "subsidy_fen", "category", "programme_year", "funders", "because")
    return tuple(name for name in names if getattr(was, name) not in (UNSET, getattr(decision, name)))


def _differing(index: int, record: Record, decision: Decision, differs: tuple[str, ...]) -> Differing:
    would_be_fen = decision.subsidy_fen if isinstance(decision, Granted) else 0
    return Differing(
        index=index,
        record_id=record.record_id,
        programme=record.facts.programme,
        sold_at=record.facts.sold_at.isoformat(),
        differs=differs,
        fen=would_be_fen - record.decision.granted_fen,
        was=record.decision,
        would_be=shown(decision),
    )
