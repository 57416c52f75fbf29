"""Which figures does a monitor watch? Read from the books, and from the writer's numbers, at each call."""

import datetime
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from settlement.alarms.kinds import AlarmCode
from settlement.db import tables
from settlement.db.connection import reading
from settlement.devices.read_devices import still_aside
from settlement.ledger import post, read_books
from settlement.ledger.accounts import Account
from settlement.reconcile.due import OVERDUE_AFTER, due, last_complete
from settlement.web.alarms import ringing
from settlement.web.edge import Edge
from settlement.writer.numbers import COMMANDS, COMMIT_US
from subsidy import calendar

_S = 1_000_000
MEDIA_TYPE = "text/plain; version=0.0.4"


def exposition(edge: Edge) -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    with reading(edge.engine) as connection:
        figures = [
            *_figures(connection),
            *_nights(connection, edge.night_at, edge.now_ms()),
            _alarms(connection, edge),
        ]
    figures += _writers(edge)
    registry.register(_Books(figures))
    return generate_latest(registry)


class _Books(Collector):
    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from self._figures


def _figures(connection: Connection) -> Iterator[Metric]:
    balances = read_books.balances(connection)
    wrong = GaugeMetricFamily(
        "settlement_ledger_imbalance_fen",
        "By how much the books fail, in fen. Must be 0.",
        labels=("funder", "year", "pool"),
    )
    left = GaugeMetricFamily(
        "settlement_available_fen", "What may still be promised, in fen.", labels=("funder", "year", "pool")
    )
    failing = post.imbalance(balances)
    for funder, year, pool in sorted({(slot[0], slot[2], slot[3]) for slot in balances}):
        place = (funder, str(year), pool)
        wrong.add_metric(place, failing.get((funder, year, pool), 0))
        left.add_metric(place, balances.get((funder, Account.AVAILABLE, year, pool), 0))
    yield wrong
    yield left
    record, entry = tables.record.c, tables.entry_row.c
    for name, text, query in (
        ("settlement_open_holds", "Holds that are open.", select(func.count()).where(record.state == "HELD")),
        (
            "settlement_differences",
            "Items that wait for a person.",
            select(func.count()).where(tables.difference.c.closed_ms.is_(None)),
        ),
        (
            "settlement_quarantined_entries",
            "Entries that could not be taken.",
            select(func.count()).where(entry.answer.in_(("quarantined", "forked")), still_aside()),
        ),
        (
            "settlement_register_waiting",
            "What shared registers are still to be told was given back. Must not stay above 0.",
            select(func.count()).select_from(tables.freed),
        ),
    ):
        yield GaugeMetricFamily(name, text, value=connection.execute(query).scalar_one())


def _writers(edge: Edge) -> Iterator[Metric]:
    """Yield what the writer's own numbers say: they are only looked at, and nobody's turn is taken."""
    writer, away = edge.writer, edge.turned_away
    numbers = writer.numbers
    for name, text, value in (
        ("waiting", "Commands that wait for the writer.", writer.waiting()),
        ("oldest_waiting_seconds", "For how long the oldest of them waits.", writer.oldest_waiting_us() / _S),
        ("last_batch_commands", "Commands in the newest batch.", numbers.last_batch),
    ):
        yield GaugeMetricFamily(f"settlement_writer_{name}", text, value=value)
    for name, text, value in (
        ("writer_commands", "Commands that were carried out.", numbers.commands),
        ("writer_failed", "Commands that failed, or of which it is not known.", numbers.failed),
        ("busy", "Requests that were told that the books are busy (503).", away.busy + numbers.busy),
        ("device_too_fast", "Holds of devices that asked too often (429).", away.device),
    ):
        yield CounterMetricFamily(f"settlement_{name}", text, value=value)
    for name, text, bounds, counts, total, unit in (
        ("batch_commands", "Commands in a batch.", COMMANDS, numbers.by_commands, numbers.commands, 1),
        (
            "commit_seconds",
            "Time it took to write a batch and commit it.",
            COMMIT_US,
            numbers.by_commit,
            numbers.commit_us,
            _S,
        ),
    ):
        below = [*accumulate(list(counts))]
        edges = [*(str(bound / unit) for bound in bounds), "+Inf"]
        buckets = list(zip(edges, below, strict=True))
        yield HistogramMetricFamily(
            f"settlement_writer_{name}", text, buckets=buckets, sum_value=total / unit
        )


def _nights(connection: Connection, night_at: datetime.time | None, now_ms: int) -> Iterator[Metric]:
    last = last_complete(connection)
    if last is not None:
        text = "The newest day whose night was complete, as the Unix time of its end."
        end_s = calendar.end_ms(datetime.date.fromisoformat(last)) // 1000
        yield GaugeMetricFamily("settlement_night_last_complete_day_end", text, value=end_s)
    if night_at is not None:
        text = "Days whose night should have been complete four hours ago and is not. Must be 0."
        overdue = len(due(connection, night_at, now_ms, OVERDUE_AFTER))
        yield GaugeMetricFamily("settlement_nights_overdue", text, value=overdue)


def _alarms(connection: Connection, edge: Edge) -> Metric:
    """Every alarm there is, with how many things it rings about: a monitor sees also what is quiet."""
    counted = {one.code: one.count for one in ringing(connection, edge)}
    gauge = GaugeMetricFamily(
        "settlement_alarm", "About how many things an alarm rings. Must be 0.", labels=("code", "severity")
    )
    for code in AlarmCode:
        gauge.add_metric((code.value, code.severity.value), counted.get(code, 0))
    return gauge
