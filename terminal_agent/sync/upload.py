"""How does the outbox reach the centre, and how do we know that it has?

One worker uploads what waits, oldest first, with a statement of the holds that are open; the
statement also goes alone when nothing waits, at least every lag target. Nothing is marked done
before a signed ack whose hash is the entry's.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from subsidy import calendar, seal
from subsidy.policy.refusals import Refusal
from subsidy.wire import v1
from terminal_agent.checkout.ports import CentreDenied, CentreUnreachable, Clock
from terminal_agent.journal.journal import SqliteJournal
from terminal_agent.journal.outbox import Batch
from terminal_agent.sync.centre import CentreLine, chained
from terminal_agent.sync.device_key import DeviceKey
from terminal_agent.sync.line import Line

MOST_AT_ONCE = 200
UPLOAD_WITHIN_S = 30.0
_HEARD_WITHIN_S = 10.0
_MOST_UNANSWERED = 3
_ASK_AGAIN_S = 5.0
_DAY_MS = 86_400_000


class Uploader:
    """Sends the outbox of one device. Called by one worker at a time."""

    def __init__(
        self,
        *,
        journal: SqliteJournal,
        line: Line,
        centre: CentreLine,
        key: DeviceKey,
        clock: Clock,
        lag_target_s: float,
        log: Callable[..., None],
    ) -> None:
        self._journal = journal
        self._line = line
        self._centre = centre
        self._key = key
        self._clock = clock
        self._lag_target_ms = lag_target_s * 1000
        self._log = log
        self._stated_steady_ms: int | None = None
        self._has_compared, self._unanswered = False, 0
        self.was_answered = False
        """Whether the centre has said how far it has heard us, or that it does not tell."""
        self.is_behind = False
        """Whether the centre has heard more from us than the journal knows of: it is an old copy."""

    def run(self) -> None:
        """Send everything that waits, or the statement alone when it is due; stop at the first failure.

        Before the first time it is asked whether the journal is an old copy. Reports do not wait for ever for
        the answer: whatever stands between us and the centre may not know the question.
        """
        if self._has_compared or self._compare() or self._unanswered >= _MOST_UNANSWERED:
            self._send_all()

    def next_within_s(self, usual_s: float) -> float:
        """Return when to run again: soon, then ever more rarely, while the first question has no answer."""
        return usual_s if self.was_answered else min(usual_s, self._unanswered * _ASK_AGAIN_S)

    def _compare(self) -> bool:
        """Ask how far our reports have come; return whether the centre can be reached."""
        try:
            heard = self._centre.heard(_HEARD_WITHIN_S)
        except CentreUnreachable as wrong:
            self._unanswered += 1
            self._log("heard.failed", why=str(wrong))
            return False
        except CentreDenied as wrong:
            self._log("heard.denied", why=str(wrong))
            self.was_answered = True
            return True
        # Our own numbers are read after the answer: they only grow.
        upload_no, last_seq = self._journal.last_upload_no(), self._journal.last_seq()
        self._has_compared = self.was_answered = True
        self.is_behind = heard.upload_no > upload_no or heard.last_seq > last_seq
        if self.is_behind:
            self._log(
                "journal.is_an_old_copy",
                heard_upload_no=heard.upload_no,
                heard_last_seq=heard.last_seq,
                upload_no=upload_no,
                last_seq=last_seq,
            )
        return True

    def _send_all(self) -> None:
        while True:
            waiting = self._journal.depth()
            if waiting == 0 and not self._statement_is_due():
                return
            try:
                self._send(self._journal.cut_batch(MOST_AT_ONCE))
            except CentreUnreachable as wrong:
                self._log("upload.failed", waiting=waiting, why=str(wrong))
                return
            except CentreDenied as wrong:
                self._log("upload.denied", waiting=waiting, why=str(wrong))
                return
            if self._journal.depth() in (0, waiting):
                return  # all acknowledged; or none was, and asking again at once would not help

    def _statement_is_due(self) -> bool:
        last = self._stated_steady_ms
        return last is None or self._clock.steady_ms() - last >= self._lag_target_ms / 2

    def _send(self, batch: Batch) -> None:
        enrolled = self._journal.enrolled()
        assert enrolled is not None
        device = enrolled[0]
        upload = v1.Upload(
            v=1,
            device=device.device,
            epoch=device.epoch,
            upload_no=batch.upload_no,
            entries=tuple(chained(one) for one in batch.entries),
            head_seq=batch.head_seq,
            head_hash=batch.head_hash,
            statement=batch.statement,
            refused=self._refused(),
        )
        sealed = seal.seal(v1.UPLOAD, msgspec.json.encode(upload), self._key.signing)
        content = self._line.ask("/v1/records", msgspec.json.encode(sealed), UPLOAD_WITHIN_S)
        acks = self._centre.acks(content, batch.entries)
        self._journal.acknowledge(acks)
        self._stated_steady_ms = self._clock.steady_ms()
        self._log("upload.done", upload_no=batch.upload_no, sent=len(batch.entries), acknowledged=len(acks))

    def _refused(self) -> tuple[v1.RefusedCount, ...]:
        """Count the refused sales of today and yesterday by headline."""
        today = calendar.business_day(calendar.from_ms(self._clock.wall_ms()))
        counted: Counter[tuple[str, Refusal]] = Counter()
        for opened_ms, headline in self._journal.refused_counts(self._clock.wall_ms() - 2 * _DAY_MS):
            day = calendar.business_day(calendar.from_ms(opened_ms))
            if (today - day).days <= 1:
                counted[day.isoformat(), headline] += 1
        return tuple(
            v1.RefusedCount(day=day, code=code, count=n) for (day, code), n in sorted(counted.items())
        )
