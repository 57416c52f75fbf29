"""Do the rows of one sale say what its record says? Pure.

A payment fits when what the files took minus what they gave back equals what the record says: a reversed
order, a void, a second attempt, a return are all no differences. What does not fit is one finding of one
kind. Every row ends in exactly one bucket.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from settlement.reconcile.borne import unexplained
from settlement.reconcile.config import NightConfig, Source
from settlement.reconcile.expect import OPEN, Attempt, Story, day_of
from settlement.reconcile.kinds import Kind, Wait
from settlement.reconcile.lines import Line, Moved
from settlement.reconcile.sales import Files
from subsidy.policy.model import Tender

MATCHED = "matched"
WAITING = "waiting"
NOT_OURS = "not_of_the_programme"
REFUND_FAILED = "refund_failed"

_ONE_DAY = datetime.timedelta(days=1)
_SLACK_MS = 300_000


class Finding(msgspec.Struct, frozen=True):
    """A difference. `day` is that of the file that has the row, or should have it; `places` are the rows."""

    kind: Kind
    pay_ref: str
    record_id: str | None
    fen: int
    day: str
    places: tuple[str, ...]
    detail: str


class Waiting(msgspec.Struct, frozen=True):
    """A payment that is not judged yet, and what it waits for."""

    wait: Wait
    pay_ref: str
    record_id: str | None
    fen: int
    days: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What was found about one sale; `buckets` says where each row's money has its place."""

    findings: tuple[Finding, ...]
    waiting: tuple[Waiting, ...]
    buckets: Mapping[str, str]


class _Expected(msgspec.Struct, frozen=True):
    """What the files should show of one payment: taken and given back, and between which instants."""

    sale_fen: int
    back_fen: int
    state: str
    sale_days: tuple[str, ...]
    back_days: tuple[str, ...]
    sources: tuple[Source, ...]


def judge(
    story: Story | None, record_id: str | None, lines: Iterable[Line], config: NightConfig, files: Files
) -> Verdict:
    """Return what the rows of one sale, of all days, say against its story.

    Args:
        story: None when the centre has no such record.
        record_id: the record that the rows name, or None when they cannot name one.
        lines: all rows of the sale.
        config: whose merchant numbers are ours.
        files: what has come.
    """
    desk = _Desk(story, record_id, config, files)
    counted = desk.sorted_out(lines)
    if desk.waits_whole(counted):
        return Verdict(tuple(desk.findings), tuple(desk.waiting), desk.buckets)
    by_payment: dict[str, list[Line]] = defaultdict(list)
    for line in counted:
        by_payment[line.pay_ref].append(line)
    known = {one.pay_ref: one for one in story.attempts} if story is not None else {}
    for pay_ref in sorted(known.keys() | by_payment.keys()):
        desk.judge_payment(pay_ref, known.get(pay_ref), by_payment.get(pay_ref, []))
    return Verdict(tuple(desk.findings), tuple(desk.waiting), desk.buckets)


def standing(story: Story | None, lines: Iterable[Line], config: NightConfig) -> tuple[list[Line], bool]:
    """Return the rows of a sale that count, and whether every row is what it should be."""
    desk = _Desk(story, None, config, Files(frozenset(), frozenset()))
    counted = desk.sorted_out(lines)
    return counted, not desk.findings


class _Desk:
    """One sale on the desk: what was found so far."""

    def __init__(self, story: Story | None, record_id: str | None, config: NightConfig, files: Files) -> None:
        self._story = story
        self._record_id = record_id if story is None else story.record_id
        self._config = config
        self._files = files
        self._odd: set[str] = set()
        self.findings: list[Finding] = []
        self.waiting: list[Waiting] = []
        self.buckets: dict[str, str] = {}

    # Row by row.

    def sorted_out(self, lines: Iterable[Line]) -> list[Line]:
        """Put aside what is wrong with a row whatever its sale; return the rows that still count."""
        counted = []
        seen: set[tuple[str, ...]] = set()
        for line in sorted(lines, key=lambda one: (one.day, one.source, one.line_no)):
            identity = (line.source, line.kind, line.ref, line.pay_ref, line.refund_no)
            kind = self._odd_kind(line, identity in seen)
            if kind is None and not line.pay_ref:
                self.buckets[line.place] = NOT_OURS
                continue
            if kind is None and line.kind is Moved.REFUND_FAILED:
                self.buckets[line.place] = REFUND_FAILED
                continue
            seen.add(identity)
            if kind is not None:
                self._find(kind, line.pay_ref, line.fen, line.day, [line], _ODD[kind])
                self._odd.add(line.place)
            # A row that stands twice moved its money once.
            if kind is not Kind.DOUBLED and line.pay_ref:
                counted.append(line)
        return counted

    def _odd_kind(self, line: Line, seen: bool) -> Kind | None:
        source = self._config.sources.get(line.source)
        shop = "" if self._story is None else self._story.record.shop
        if source is None or not source.takes_for(line.merchant_no, shop):
            return Kind.FOREIGN_MERCHANT
        if line.own_day != line.day:
            return Kind.DATE
        if not line.pay_ref:
            return None
        if seen:
            return Kind.DOUBLED
        if self._story is not None and not self._can_be_of(line, self._story):
            return Kind.DATE
        return None

    def _can_be_of(self, line: Line, story: Story) -> bool:
        """Whether the sale can have moved money on the row's day: not before it began, nor days after."""
        record = story.record
        attempt = next((one for one in story.attempts if one.pay_ref == line.pay_ref), None)
        begun_ms = record.placed_at_ms or (attempt.begun_ms if attempt is not None else 0)
        if not begun_ms:
            return True
        if line.day < day_of(begun_ms - _SLACK_MS):
            return False
        if line.kind is not Moved.SALE:
            return True
        latest_ms = begun_ms + record.held_for_s * 1000 + _longest_ms(self._config.covering(record.shop))
        return line.day <= max(next_day(day_of(begun_ms)), day_of(latest_ms + _SLACK_MS))

    # Payment by payment.

    def judge_payment(self, pay_ref: str, attempt: Attempt | None, lines: list[Line]) -> None:
        """Judge one payment and give each of its rows its bucket."""
        expected = self._expected(pay_ref, attempt)
        straight = [one for one in lines if one.place not in self._odd]
        is_open = attempt is not None and attempt.state in OPEN
        if attempt is not None and is_open and (self._story is None or not self._story.host_is_gone):
            self._wait(Wait.ATTEMPT_OPEN, pay_ref, lines, attempt.fen)
            return
        if attempt is not None and attempt.tender is Tender.CASH and not lines:
            return  # no file has cash: its witness is the invoice
        if attempt is not None and is_open and not self._all_whole(expected.sale_days, expected.sources):
            wait = Wait.FILE_TO_COME if expected.sources else Wait.NO_SOURCE
            self._wait(wait, pay_ref, lines, attempt.fen, expected.sale_days)
            return
        # A row under another's number may be this sale's payment, or one row too many; and a row of no record
        # that is wrong in itself was told of already.
        told = self._story is None and not straight
        if not (_fits(expected, lines) or _fits(expected, straight) or told):
            self._explain(expected, pay_ref, lines)
        elif expected.sale_fen > expected.back_fen:
            self._say_who_bore(pay_ref, straight)
        for line in lines:
            self.buckets.setdefault(line.place, MATCHED)

    def _say_who_bore(self, pay_ref: str, lines: list[Line]) -> None:
        found = None if self._story is None else unexplained(self._story, pay_ref, lines)
        if found is not None:
            day = found.lines[-1].day
            self._find(Kind.CHANNEL_DISCOUNT, pay_ref, found.fen, day, found.lines, found.detail)

    def waits_whole(self, lines: list[Line]) -> bool:
        """Whether nothing can be said of the sale yet, whatever its rows are."""
        record = None if self._story is None else self._story.record
        if record is None or self._story is None:
            return False
        if record.state == "HELD":
            wait = Wait.SALE_OPEN
        elif record.state == "KEPT" and not self._story.attempts:
            wait = Wait.RECORD_KEPT
        else:
            return False
        self._wait(wait, lines[0].pay_ref if lines else "", lines, record.to_pay_fen)
        return True

    def _expected(self, pay_ref: str, attempt: Attempt | None) -> _Expected:
        story = self._story
        if story is None:
            return _Expected(0, 0, "", (), (), ())
        if attempt is None:
            # Booked from the files before its shop reported: then the record names the payment that counts.
            fen = story.record.paid_fen if story.record.recovered and pay_ref == story.record.pay_ref else 0
            return _Expected(fen, self._returned(pay_ref), "", (), (), ())
        if attempt.tender is Tender.CASH:
            return _Expected(0, 0, "", (), (), ())
        sources = self._config.covering(story.record.shop, attempt.tender)
        slack_ms = _longest_ms(sources)
        sale_days = _days(attempt.begun_ms, attempt.ended_ms + slack_ms)
        if attempt.state in OPEN:
            # Nobody says any more when it ended: by the end of its hold's time, and of the next day at least.
            over_ms = story.record.placed_at_ms + story.record.held_for_s * 1000 + slack_ms
            sale_days = days_between(sale_days[0], max(next_day(sale_days[-1]), day_of(over_ms)))
        back = story.goods_return
        back_days: tuple[str, ...] = sale_days
        if back is not None and back.pay_ref == pay_ref and back.ended_ms is not None:
            back_days = _days(back.begun_ms, back.ended_ms + slack_ms)
        paid = attempt.state == "PAID"
        return _Expected(
            attempt.fen if paid else 0,
            self._returned(pay_ref) if paid else 0,
            attempt.state,
            sale_days,
            back_days,
            sources,
        )

    def _returned(self, pay_ref: str) -> int:
        back = None if self._story is None else self._story.goods_return
        return back.fen if back is not None and back.state == "REFUNDED" and back.pay_ref == pay_ref else 0

    def _return_is_open(self, pay_ref: str) -> bool:
        back = None if self._story is None else self._story.goods_return
        return back is not None and back.state == "RETURNING" and back.pay_ref == pay_ref

    def _explain(self, expected: _Expected, pay_ref: str, lines: list[Line]) -> None:
        """Say in one finding for each side what does not fit."""
        sales = [one for one in lines if one.kind is Moved.SALE]
        backs = [one for one in lines if one.kind is not Moved.SALE]
        if expected.sale_fen == 0:
            self._explain_unpaid(expected, pay_ref, sales, backs)
            return
        taken, given = _sum(sales), _sum(backs)
        if taken != expected.sale_fen:
            if not sales:
                self._missing(
                    Kind.MISSING_IN_FILE, pay_ref, expected.sale_fen, expected.sale_days, expected.sources
                )
            else:
                self._too_much(pay_ref, sales, taken - expected.sale_fen)
        if given == expected.back_fen:
            return
        if self._return_is_open(pay_ref):
            self._wait(Wait.ATTEMPT_OPEN, pay_ref, backs, given)
        elif not backs:
            self._missing(
                Kind.RETURN_WITHOUT_REFUND, pay_ref, expected.back_fen, expected.back_days, expected.sources
            )
        elif expected.back_fen == 0:
            self._find(
                Kind.REFUND_WITHOUT_RETURN, pay_ref, given, backs[-1].day, backs, "no return is recorded"
            )
        else:
            self._too_much(pay_ref, backs, given - expected.back_fen)

    def _explain_unpaid(
        self, expected: _Expected, pay_ref: str, sales: list[Line], backs: list[Line]
    ) -> None:
        """The record says that no money stayed with the shop, and the rows do not come to nothing."""
        taken, given = _sum(sales), _sum(backs)
        was_given_back = expected.state == "GIVEN_BACK"
        if sales and backs:
            self._too_much(pay_ref, sales if taken > given else backs, abs(taken - given))
        elif sales and was_given_back:
            self._missing(Kind.RETURN_WITHOUT_REFUND, pay_ref, taken, expected.sale_days, expected.sources)
        elif sales:
            detail = "no such record" if self._story is None else "its record says not paid"
            if expected.state in OPEN:
                detail = "its host was replaced before it told what became of it"
            if expected.state and not self._all_here(expected.sale_days, expected.sources):
                # It was reversed, and the reversal may stand in a file that has not come.
                self._wait(Wait.FILE_TO_COME, pay_ref, sales, taken, expected.sale_days)
                return
            self._find(Kind.MISSING_IN_RECORD, pay_ref, taken, sales[-1].day, sales, detail)
        elif was_given_back or (expected.state and all(one.kind is Moved.VOID for one in backs)):
            self._missing(Kind.MISSING_IN_FILE, pay_ref, given, expected.sale_days, expected.sources, backs)
        else:
            self._find(
                Kind.REFUND_WITHOUT_RETURN, pay_ref, given, backs[-1].day, backs, "no return is recorded"
            )

    def _too_much(self, pay_ref: str, lines: list[Line], fen: int) -> None:
        """One row too many, or a wrong amount."""
        extra = next((one for one in reversed(lines[1:]) if one.fen == fen), None)
        if extra is not None:
            self._find(Kind.DOUBLED, pay_ref, fen, extra.day, [extra], "moved twice under one number")
        else:
            detail = f"the files say {_sum(lines)} fen, the record {_sum(lines) - fen}"
            self._find(Kind.AMOUNT, pay_ref, abs(fen), lines[-1].day, [lines[-1]], detail)

    def _missing(
        self,
        kind: Kind,
        pay_ref: str,
        fen: int,
        days: tuple[str, ...],
        sources: tuple[Source, ...],
        lines: Sequence[Line] = (),
    ) -> None:
        """Nothing there; a difference once every file that could have it is here."""
        if not sources:
            self._wait_for(Wait.NO_SOURCE, pay_ref, fen, days)
        elif not self._all_here(days, sources):
            self._wait_for(Wait.FILE_TO_COME, pay_ref, fen, days)
        else:
            names = ", ".join(one.name for one in sources)
            detail = f"not in the files of {', '.join(days)} ({names})"
            self._find(kind, pay_ref, fen, days[-1] if days else "", list(lines), detail)

    def _all_whole(self, days: tuple[str, ...], sources: tuple[Source, ...]) -> bool:
        places = {(source.name, day) for source in sources for day in days}
        return bool(places) and places <= self._files.whole

    def _all_here(self, days: tuple[str, ...], sources: tuple[Source, ...]) -> bool:
        return all((source.name, day) in self._files.here for source in sources for day in days)

    def _wait(
        self, wait: Wait, pay_ref: str, lines: list[Line], fen: int, days: tuple[str, ...] | None = None
    ) -> None:
        for line in lines:
            self.buckets.setdefault(line.place, WAITING)
        self._wait_for(
            wait, pay_ref, fen, tuple(sorted({one.day for one in lines})) if days is None else days
        )

    def _wait_for(self, wait: Wait, pay_ref: str, fen: int, days: tuple[str, ...]) -> None:
        self.waiting.append(Waiting(wait, pay_ref, self._record_id, fen, days))

    def _find(self, kind: Kind, pay_ref: str, fen: int, day: str, lines: Sequence[Line], detail: str) -> None:
        places = tuple(one.place for one in lines)
        for place in places:
            self.buckets.setdefault(place, kind.value)
        self.findings.append(Finding(kind, pay_ref, self._record_id, fen, day, places, detail))


_ODD = {
    Kind.FOREIGN_MERCHANT: "the row's merchant number",
    Kind.DATE: "the row's date",
    Kind.DOUBLED: "the same row again",
}


def _fits(expected: _Expected, lines: Sequence[Line]) -> bool:
    return sum(one.net_fen for one in lines) == expected.sale_fen - expected.back_fen


def _sum(lines: Iterable[Line]) -> int:
    return sum(one.fen for one in lines)


def _longest_ms(sources: Iterable[Source]) -> int:
    return max((one.longest_payment_s for one in sources), default=0) * 1000


def next_day(day: str) -> str:
    """Return the day after `day`, both as 2026-01-31."""
    return (datetime.date.fromisoformat(day) + _ONE_DAY).isoformat()


def days_between(first: str, last: str) -> tuple[str, ...]:
    """Return every day from `first` to `last`, both included."""
    days = [first]
    while days[-1] < last:
        days.append(next_day(days[-1]))
    return tuple(days)


def _days(from_ms: int, to_ms: int) -> tuple[str, ...]:
    return days_between(day_of(from_ms), day_of(to_ms))
