"""Which items wait for people about a record, and are moot once the fund has nothing to pay for it?

The night's are no part of these: they are about payments, and the night settles them itself.
"""

from msgspec.structs import replace

from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference
from settlement.writer.step import Emit, Event

ENDED_WITH_RECORD = (
    "decision_differs",
    "recovery_differs",
    "return_differs",
    "late_grant",
    "record_does_not_fit",
    "record_unreadable",
)


class ItemsEnded(Event, frozen=True, kw_only=True, tag="items_ended"):
    """Nothing about a record waits for people any more: it is over."""

    record_id: str
    kinds: tuple[str, ...]
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Close them."""
        for kind in self.kinds:
            close(rows, self.record_id, kind, self.at_ms)


def keys(record_id: str) -> list[Wanted]:
    """Ask for the items that a record may have."""
    return [(Difference, (record_id, kind)) for kind in ENDED_WITH_RECORD]


def is_open(rows: Rows, record_id: str, kind: str) -> bool:
    """Whether an item waits."""
    item = rows.get(Difference, record_id, kind)
    return item is not None and item.closed_ms is None


def end(rows: Rows, record_id: str, at_ms: int, emit: Emit) -> None:
    """Let nothing about a record wait any more."""
    kinds = tuple(kind for kind in ENDED_WITH_RECORD if is_open(rows, record_id, kind))
    if kinds:
        emit(ItemsEnded(record_id=record_id, kinds=kinds, at_ms=at_ms))


def close(rows: Rows, record_id: str, kind: str, at_ms: int) -> None:
    """Close an item that waits. Only `fold` calls this."""
    if is_open(rows, record_id, kind):
        rows.put(replace(rows.want(Difference, record_id, kind), closed_ms=at_ms))
