"""What does a centre know of having been restored? Pure.

What it has heard and promised since the backup is gone: an event says so in the log, and an item tells its
owner what to do until somebody has done it. Until then no device is believed that a hold is over: it says so
of sales that it has reported, and these books may have lost the report.
"""

import msgspec
from msgspec.structs import replace

from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Difference
from settlement.writer.step import Answer, Denied, Done, Emit, Event, Setting
from subsidy import calendar

SUBJECT = "the books"
KIND = "restored"
NEXT_STEP = (
    "Do again what people did since the backup: imports, enrolments, top-ups, transfers, claims, payments, "
    "year ends. Let the shops report again, and run every night since. "
    "Then `settlement restored --reference TEXT`. docs/for-operations.md has the list under Copies."
)


class NoteRestore(msgspec.Struct, frozen=True):
    """These books come from a backup that was taken at `taken_ms` and ends with event `event_no`."""

    event_no: int
    sha256: str
    taken_ms: int


class SettleRestore(msgspec.Struct, frozen=True):
    """What a restore asks for is done; `reference` names who says so."""

    reference: str


class Restored(Event, frozen=True, kw_only=True, tag="restored"):
    """The books were restored from a backup, known by the hash of its file."""

    event_no: int
    sha256: str
    taken_ms: int
    owner: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Open the item."""
        taken = calendar.from_ms(self.taken_ms).isoformat(timespec="seconds")
        detail = f"restored from the backup of {taken}: what came after event {self.event_no} is lost"
        rows.put(Difference(SUBJECT, KIND, self.owner, detail, self.at_ms, next_step=NEXT_STEP))


class RestoreSettled(Event, frozen=True, kw_only=True, tag="restore_settled"):
    """What a restore asked for is done."""

    reference: str
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Close the item."""
        found = rows.want(Difference, SUBJECT, KIND)
        rows.put(replace(found, closed_ms=self.at_ms, detail=f"{found.detail}; settled: {self.reference}"))


def item() -> Wanted:
    """Ask for what `is_unsettled` looks at."""
    return (Difference, (SUBJECT, KIND))


def is_unsettled(rows: Rows) -> bool:
    """Whether the books were restored and what that asks for is still to be done."""
    found = rows.get(Difference, SUBJECT, KIND)
    return found is not None and found.closed_ms is None


def keys(_command: NoteRestore | SettleRestore) -> list[Wanted]:
    """Ask for the item."""
    return [item()]


def decide(
    rows: Rows, command: NoteRestore | SettleRestore, setting: Setting, at_ms: int, emit: Emit
) -> Answer:
    """Note the restore, or that what it asks for is done."""
    if isinstance(command, NoteRestore):
        emit(
            Restored(
                event_no=command.event_no,
                sha256=command.sha256,
                taken_ms=command.taken_ms,
                owner=setting.owner(at_ms),
                at_ms=at_ms,
            )
        )
        return Done()
    if not is_unsettled(rows):
        return Denied(409, "NOTHING_RESTORED", "no restore waits to be settled. Nothing is to be done")
    emit(RestoreSettled(reference=command.reference, at_ms=at_ms))
    return Done()
