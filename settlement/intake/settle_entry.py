"""How do people end the waiting of an entry that could not be taken?

What comes beside a sale may be taken when it comes again. A `paid` or `closed` entry never is, nor one that
nobody can read: it waits until people have looked at it. The entry and what its acks say stay as they are.
"""

from settlement.funds import open_items
from settlement.intake.events import QUARANTINED
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference
from settlement.writer.step import Answer, Decision, Denied, Done, Emit, Event


class SettleEntry(Decision, frozen=True, tag="settle_entry"):
    """People have looked at an entry that could not be taken; `entry` is DEVICE/EPOCH/SEQ."""

    entry: str
    reason: str


class EntrySettled(Event, frozen=True, kw_only=True, tag="entry_settled"):
    """An entry that could not be taken waits for nobody any more."""

    subject: str
    why: str
    by: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Close its item."""
        open_items.close(rows, self.subject, QUARANTINED, self.at_ms)


def keys(command: SettleEntry) -> list[Wanted]:
    """Ask for what waits about the entry."""
    return [(Difference, (command.entry, QUARANTINED))]


def decide(rows: Rows, command: SettleEntry, at_ms: int, emit: Emit) -> Answer:
    """Let it happen while it waits."""
    if rows.get(Difference, command.entry, QUARANTINED) is None:
        detail = (
            "no entry of this name could not be taken. Write DEVICE/EPOCH/SEQ, as `subject` in GET "
            "/v1/differences; what waits under a record id ends by `settlement records settle`"
        )
        return Denied(404, "ENTRY_UNKNOWN", detail)
    if not open_items.is_open(rows, command.entry, QUARANTINED):
        detail = "nothing waits about it any more: people have settled it, or it was taken when it came again"
        return Denied(409, "ENTRY_SETTLED", detail)
    emit(EntrySettled(subject=command.entry, why=command.reason, by=command.by, at_ms=at_ms))
    return Done()
