"""What does a centre know of having been restored? Pure.

What it has heard and promised since the backup is gone: an event says so in the log, and an item tells its
owner what to do until somebody has done it. Until then no device is believed that a hold is over: it says so
of sales that it has reported, and these books may have lost the report. A device has reported again when it
has said since how far its chain goes, and all of that is here.
"""

import msgspec
from msgspec.structs import replace

from settlement.writer.batch import InUse, Rows, Wanted
from settlement.writer.rows import Difference
from settlement.writer.step import Answer, Denied, Done, Emit, Event, Setting
from subsidy import calendar

SUBJECT = "the books"
KIND = "restored"
NEXT_STEP = (
    "Look at everybody who may act again as when the backup was made (`settlement users ls`, `token ls`): "
    "take away again what was taken since. Do again what else people did: imports, enrolments, freezes, "
    "top-ups, transfers, claims, payments, year ends. Let the shops report again, and run every night since. "
    "Then `settlement restored --reference TEXT --people-checked`. docs/for-operations.md has the list under "
    "Copies."
)
# What a restore asked for before it said so itself: books made anew must come to the same.
_ASKED_BEFORE = (
    "Do again what people did since the backup: imports, enrolments, top-ups, transfers, claims, payments, "
    "year ends. Let the shops report again, and run every night since. "
    "Then `settlement restored --reference TEXT`. docs/for-operations.md has the list under Copies."
)
_MOST_SHOWN = 20
_REPORT_FIRST = (
    "{}. What they sold since the backup is not in these books, and their holds stay until they report. "
    "Let them report again (`terminal-agent outbox again`), have those that are lost replaced, or name each "
    "that never will with --gone: what it held then waits for it, for the files, or for two people"
)


class NoteRestore(msgspec.Struct, frozen=True):
    """These books come from a backup that was taken at `taken_ms` and ends with event `event_no`."""

    event_no: int
    sha256: str
    taken_ms: int


class SettleRestore(msgspec.Struct, frozen=True):
    """What a restore asks for is done; `reference` names who says so.

    `gone` are the devices that will not report again: all those that have not, or it is refused.
    """

    reference: str
    gone: tuple[str, ...] = ()


class Restored(Event, frozen=True, kw_only=True, tag="restored"):
    """The books were restored from a backup, known by the hash of its file."""

    event_no: int
    sha256: str
    taken_ms: int
    owner: str
    at_ms: int
    next_step: str = _ASKED_BEFORE

    def fold(self, rows: Rows) -> None:
        """Open the item."""
        taken = calendar.from_ms(self.taken_ms).isoformat(timespec="seconds")
        detail = f"restored from the backup of {taken}: what came after event {self.event_no} is lost"
        # A clock that was behind must not let what a backup has heard count as heard since.
        opened_ms = max(self.at_ms, self.taken_ms)
        rows.put(Difference(SUBJECT, KIND, self.owner, detail, opened_ms, next_step=self.next_step))


class RestoreSettled(Event, frozen=True, kw_only=True, tag="restore_settled"):
    """What a restore asked for is done, but for what the devices in `gone` never reported again."""

    reference: str
    at_ms: int
    gone: tuple[str, ...] = ()

    def fold(self, rows: Rows) -> None:
        """Close the item."""
        found = rows.want(Difference, SUBJECT, KIND)
        detail = f"{found.detail}; settled: {self.reference}"
        if self.gone:
            detail += f"; never reported again: {', '.join(self.gone)}"
        rows.put(replace(found, closed_ms=self.at_ms, detail=detail))


def item() -> Wanted:
    """Ask for what `is_unsettled` looks at."""
    return (Difference, (SUBJECT, KIND))


def is_unsettled(rows: Rows) -> bool:
    """Whether the books were restored and what that asks for is still to be done."""
    found = rows.get(Difference, SUBJECT, KIND)
    return found is not None and found.closed_ms is None


def has_been(rows: Rows) -> bool:
    """Whether these books come from a backup, be it settled or not."""
    return rows.get(Difference, SUBJECT, KIND) is not None


def keys(command: NoteRestore | SettleRestore) -> list[Wanted]:
    """Ask for the item, and to settle it for the devices."""
    return [item()] if isinstance(command, NoteRestore) else [item(), InUse()]


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
                next_step=NEXT_STEP,
            )
        )
        return Done()
    if not is_unsettled(rows):
        return Denied(409, "NOTHING_RESTORED", "no restore waits to be settled. Nothing is to be done")
    silent = _silent(rows)
    if surplus := sorted(set(command.gone) - silent.keys()):
        detail = f"{', '.join(surplus)}: not a device here that has still to report again. Leave it out"
        return Denied(409, "NOT_SILENT", detail)
    if left := [why for name, why in silent.items() if name not in command.gone]:
        shown = "; ".join(left[:_MOST_SHOWN])
        more = f"; and {len(left) - _MOST_SHOWN} more" if len(left) > _MOST_SHOWN else ""
        return Denied(409, "HAS_NOT_REPORTED", _REPORT_FIRST.format(shown + more))
    emit(RestoreSettled(reference=command.reference, at_ms=at_ms, gone=tuple(sorted(silent))))
    return Done()


def _silent(rows: Rows) -> dict[str, str]:
    """Return the devices that have not reported again, each with what is known of it."""
    since_ms = rows.want(Difference, SUBJECT, KIND).opened_ms
    found = {}
    for one in rows.every(InUse()):
        if one.enrolled_ms > since_ms:
            continue  # these books have lost nothing of it
        if one.stated_ms <= since_ms:
            found[one.device] = f"{one.device} of {one.shop} has not been heard since" + (
                ", it is frozen" if one.frozen is not None else ""
            )
        elif one.entries < one.last_seq:
            missing = one.last_seq - one.entries
            found[one.device] = f"{one.device} of {one.shop} has not sent {missing} of its entries again"
    return found
