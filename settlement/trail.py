"""How is one sale followed from till to posting? A line for each answer about it, and for each commit.

These are written for every hold, so they do not pass the log's general way: each field is one that has a
strict form (ids, codes, numbers), nothing in them can be personal, and a line costs a few microseconds.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from settlement.logs import Lines
from settlement.writer.step import Happened
from subsidy import calendar
from subsidy.wire.trace import HEADER, read_traceparent, trace_of

# A claim of many lines is many events: the range says which, the first ones are named.
MOST_NAMED = 200
_HEADER = HEADER.encode()


class Answered(msgspec.Struct, frozen=True):
    """A hold or an entry has been answered, after `us` microseconds."""

    ts: str
    event: str
    level: str
    trace: str
    device: str
    record_id: str
    outcome: str
    us: int


class UploadAnswered(msgspec.Struct, frozen=True):
    """A whole upload has been answered."""

    ts: str
    event: str
    level: str
    trace: str | None
    device: str
    upload_no: int
    entries: int
    us: int


class BatchCommitted(msgspec.Struct, frozen=True):
    """A batch is on disk. `events` has up to 200 of its events: number, kind, trace and record."""

    ts: str
    event: str
    level: str
    first_event: int
    last_event: int
    commands: int
    us: int
    events: tuple[tuple[int, str, str | None, str | None], ...]


class Trail:
    """Writes the lines by which a sale is followed."""

    def __init__(self, now_ms: Callable[[], int], lines: Lines) -> None:
        self._now_ms = now_ms
        self._lines = lines

    def answered(
        self, event: str, trace: str | None, device: str, record_id: str, outcome: str, us: int
    ) -> None:
        """Say what became of a hold or an entry; without a trace of the caller's it has the sale's."""
        trace = trace or trace_of(record_id)
        self._write(Answered(self._now(), event, "info", trace, device, record_id, outcome, us))

    def upload_answered(self, trace: str | None, device: str, upload_no: int, entries: int, us: int) -> None:
        """Say that an upload was taken."""
        self._write(
            UploadAnswered(self._now(), "upload.taken", "info", trace, device, upload_no, entries, us)
        )

    def committed(self, last_event: int, happened: Sequence[Happened], commands: int, us: int) -> None:
        """Say which events a batch has brought into the books; nothing when it brought none."""
        if not happened:
            return
        first = last_event - len(happened) + 1
        events = []
        for number, one in enumerate(happened[:MOST_NAMED], first):
            record_id = one.event.about()
            trace = None if record_id is None else trace_of(record_id)
            events.append((number, str(one.event.__struct_config__.tag), trace, record_id))
        self._write(
            BatchCommitted(
                self._now(), "batch.committed", "info", first, last_event, commands, us, tuple(events)
            )
        )

    def _now(self) -> str:
        return calendar.from_ms(self._now_ms()).isoformat(timespec="milliseconds")

    def _write(self, line: msgspec.Struct) -> None:
        self._lines.msg(msgspec.json.encode(line).decode())


def trace_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the trace that a request belongs to; one that is malformed or stands twice is none."""
    found = [value for name, value in headers if name == _HEADER]
    return read_traceparent(found[0].decode("latin-1")) if len(found) == 1 else None
