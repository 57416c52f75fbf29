"""Which alarms ring now? Read from the books, and what lies in the night's folder from there.

Cheap enough to be asked by a monitor every few seconds.
"""

import datetime
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, and_, func, select

from settlement.alarms.kinds import Alarm, AlarmCode
from settlement.copies.drilled import last_drill_ms
from settlement.db import tables
from settlement.ledger import post, read_books
from settlement.ledger.accounts import Account
from settlement.reconcile.config import NightConfig
from settlement.reconcile.due import NOT_LATE, OVERDUE_AFTER, asked_for, due
from settlement.reconcile.not_taken import not_taken
from subsidy import calendar
from subsidy.policy.model import Pack, is_open

WAITS_DAYS = 3
"""So long an item may wait for its owner, and a hold for a proof when its time is over."""
NIGHTS_BY = datetime.time(12)
"""By when a day's night is expected where nobody has said: noon of the next day."""
DRILL_EVERY_DAYS = 30
"""So long the last proof that the books can be restored may lie back."""
_MOST_NAMED = 20
_DAY_MS = 86_400_000
_QUARANTINED = ("entry_quarantined", "record_unreadable")

Ringing = tuple[str, int | None]
"""What an alarm is about, and since when, in Unix milliseconds; None when that cannot be told."""


def alarms(
    connection: Connection,
    pack: Pack,
    night_at: datetime.time | None,
    lag_target_s: int,
    now_ms: int,
    sources: NightConfig | None,
) -> list[Alarm]:
    """Return what rings, the worst first.

    Args:
        connection: a reading transaction.
        pack: the programme's.
        night_at: the hour of the nights, None when the service does not run them.
        lag_target_s: within how many seconds a shop should have reported.
        now_ms: the centre's time.
        sources: the night's, None when none are named.
    """
    lag_ms = lag_target_s * 1000
    found: dict[AlarmCode, list[Ringing]] = {
        AlarmCode.BOOKS_NOT_TRUE: [],
        AlarmCode.NOTHING_HEARD: list(_nothing_heard(connection, pack, lag_ms, now_ms)),
        AlarmCode.NIGHT_OVERDUE: list(_nights(connection, night_at or NIGHTS_BY, now_ms)),
        AlarmCode.FILE_NOT_TAKEN: list(_not_taken(connection, night_at or NIGHTS_BY, now_ms, sources)),
        AlarmCode.DEVICE_FROZEN: list(_waiting(connection, now_ms, "device_frozen")),
        AlarmCode.DEVICE_SILENT: list(_silent(connection, lag_ms, now_ms)),
        AlarmCode.HOLD_WAITS: list(_held(connection, now_ms)),
        AlarmCode.RETURN_OVERDUE: list(_returns(connection, lag_ms, now_ms)),
        AlarmCode.QUARANTINE_WAITS: list(_waiting(connection, now_ms - WAITS_DAYS * _DAY_MS, *_QUARANTINED)),
        AlarmCode.DIFFERENCE_WAITS: list(_others_waiting(connection, now_ms - WAITS_DAYS * _DAY_MS)),
        AlarmCode.REGISTER_NOT_TOLD: list(_not_told(connection, lag_ms, now_ms)),
        AlarmCode.DRILL_OVERDUE: list(_drill(connection, now_ms)),
    }
    balances = read_books.balances(connection)
    found[AlarmCode.BOOKS_NOT_TRUE] += [
        (post.place(*where), None) for where in sorted(post.imbalance(balances))
    ]
    for code, funder_year in _fund(connection, balances, pack, now_ms):
        found.setdefault(code, []).append((funder_year, None))
    return [_alarm(code, found[code]) for code in AlarmCode if found.get(code)]


def _alarm(code: AlarmCode, ringing: list[Ringing]) -> Alarm:
    since = [at for _, at in ringing if at is not None]
    return Alarm(
        code=code,
        severity=code.severity,
        since_ms=min(since, default=None),
        count=len(ringing),
        about=tuple(name for name, _ in ringing[:_MOST_NAMED]),
        zh=code.zh,
        en=code.en,
        next_zh=code.next_zh,
        next_en=code.next_en,
    )


def _fund(
    connection: Connection, balances: dict[post.Slot, int], pack: Pack, now_ms: int
) -> Iterator[tuple[AlarmCode, str]]:
    """Yield the funders whose money is mostly used, in the years of which grants are given now."""
    day = calendar.business_day(calendar.from_ms(now_ms))
    closed = set(connection.execute(select(tables.closed_year.c.year)).scalars())
    years = {rules.programme_year for rules in pack.rule_sets if is_open(rules.open, day)} - closed
    for funder, year, pool in sorted({(slot[0], *slot[2:]) for slot in balances if slot[2] in years}):
        given = -balances.get((funder, Account.APPROPRIATED, year, pool), 0)
        left = balances.get((funder, Account.AVAILABLE, year, pool), 0)
        if given <= 0:
            continue
        # Compared in whole fen: exactly 20 % left is 80 % used.
        for code, percent in (
            (AlarmCode.FUND_USED_UP, 0),
            (AlarmCode.FUND_90_USED, 10),
            (AlarmCode.FUND_80_USED, 20),
        ):
            if left * 100 <= given * percent:
                yield code, post.place(funder, year, pool)
                break


def _nothing_heard(connection: Connection, pack: Pack, lag_ms: int, now_ms: int) -> Iterator[Ringing]:
    now = calendar.from_ms(now_ms)
    hours = pack.hours.on(now.date())
    if not is_open(pack.open, now.date()):
        return
    if hours is not None and not hours.value.opens <= now.time() < hours.value.closes:
        return
    begins_ms = calendar.end_ms(now.date()) - _DAY_MS
    if hours is not None:
        opens = hours.value.opens
        begins_ms += (opens.hour * 3600 + opens.minute * 60 + opens.second) * 1000
    c = tables.device.c
    newest = select(func.max(c.stated_ms), func.max(c.enrolled_ms)).where(c.frozen.is_(None))
    stated_ms, enrolled_ms = connection.execute(newest).one()
    if enrolled_ms is None:
        return  # no device could report
    since_ms = max(stated_ms, enrolled_ms, begins_ms) + lag_ms
    if now_ms > since_ms:
        yield "every device", since_ms


def _nights(connection: Connection, night_at: datetime.time, now_ms: int) -> Iterator[Ringing]:
    for day in due(connection, night_at, now_ms, OVERDUE_AFTER):
        until = datetime.timedelta(hours=night_at.hour, minutes=night_at.minute) + OVERDUE_AFTER
        ended_ms = calendar.end_ms(datetime.date.fromisoformat(day))
        yield day, ended_ms + until // datetime.timedelta(milliseconds=1)


def _not_taken(
    connection: Connection, night_at: datetime.time, now_ms: int, sources: NightConfig | None
) -> Iterator[Ringing]:
    if sources is not None:
        days = asked_for(connection, night_at, now_ms, NOT_LATE)
        for file in not_taken(connection, sources, days):
            yield file, None


def _silent(connection: Connection, lag_ms: int, now_ms: int) -> Iterator[Ringing]:
    record, device = tables.record.c, tables.device.c
    held = (
        select(record.device, func.min(record.placed_at_ms).label("first_ms"))
        .where(record.state == "HELD")
        .group_by(record.device)
        .subquery()
    )
    query = (
        select(device.device, device.stated_ms, device.enrolled_ms, held.c.first_ms)
        .join(held, held.c.device == device.device)
        .where(device.frozen.is_(None))
        .order_by(device.device)
    )
    for row in connection.execute(query):
        since_ms = max(row.stated_ms, row.enrolled_ms, row.first_ms) + lag_ms
        if now_ms > since_ms:
            yield row.device, since_ms


def _held(connection: Connection, now_ms: int) -> Iterator[Ringing]:
    c = tables.record.c
    since_ms = c.placed_at_ms + c.held_for_s * 1000 + WAITS_DAYS * _DAY_MS
    waits = select(c.record_id, since_ms.label("since_ms")).where(c.state == "HELD", since_ms <= now_ms)
    for row in connection.execute(waits.order_by(since_ms, c.record_id)):
        yield row.record_id, row.since_ms


def _returns(connection: Connection, lag_ms: int, now_ms: int) -> Iterator[Ringing]:
    c = tables.goods_return.c
    late = and_(c.state == "RETURNING", c.heard_ms < now_ms - lag_ms)
    for row in connection.execute(select(c.record_id, c.heard_ms).where(late).order_by(c.heard_ms)):
        yield row.record_id, row.heard_ms + lag_ms


def _not_told(connection: Connection, lag_ms: int, now_ms: int) -> Iterator[Ringing]:
    freed, event = tables.freed.c, tables.event.c
    given_back_ms = func.max(event.at_ms)
    query = (
        select(freed.kind, freed.record_id, given_back_ms.label("at_ms"))
        .join(tables.event, event.record_id == freed.record_id)
        .group_by(freed.kind, freed.record_id)
        .having(given_back_ms < now_ms - lag_ms)
        .order_by(given_back_ms, freed.record_id, freed.kind)
    )
    for row in connection.execute(query):
        yield f"{row.kind} of {row.record_id}", row.at_ms + lag_ms


def _drill(connection: Connection, now_ms: int) -> Iterator[Ringing]:
    event = tables.event.c
    drilled_ms = last_drill_ms(connection)
    # Books in which nothing has happened yet have nothing to lose.
    began = select(event.at_ms).order_by(event.event_no).limit(1)
    since_ms = connection.execute(began).scalar() if drilled_ms is None else drilled_ms
    if since_ms is not None and now_ms >= since_ms + DRILL_EVERY_DAYS * _DAY_MS:
        yield "the books", since_ms + DRILL_EVERY_DAYS * _DAY_MS


def _waiting(connection: Connection, before_ms: int, *kinds: str) -> Iterator[Ringing]:
    yield from _items(connection, before_ms, kinds, among=True)


def _others_waiting(connection: Connection, before_ms: int) -> Iterator[Ringing]:
    yield from _items(connection, before_ms, ("device_frozen", *_QUARANTINED), among=False)


def _items(connection: Connection, before_ms: int, kinds: Iterable[str], among: bool) -> Iterator[Ringing]:
    c = tables.difference.c
    of_kind = c.kind.in_(kinds) if among else c.kind.not_in(kinds)
    query = (
        select(c.subject, c.opened_ms)
        .where(c.closed_ms.is_(None), c.opened_ms <= before_ms, of_kind)
        .order_by(c.opened_ms, c.subject)
    )
    for row in connection.execute(query):
        yield row.subject, row.opened_ms
