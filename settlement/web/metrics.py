"""Which figures does a monitor watch? Read from the books at each call."""

import datetime
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select

from settlement.alarms.kinds import AlarmCode
from settlement.db import tables
from settlement.db.connection import reading
from settlement.ledger import post, read_books
from settlement.ledger.accounts import Account
from settlement.reconcile.due import OVERDUE_AFTER, due, last_complete
from settlement.web.alarms import ringing
from settlement.web.edge import Edge
from subsidy import calendar

MEDIA_TYPE = "text/plain; version=0.0.4"


def exposition(edge: Edge) -> bytes:
    """Return all figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    with reading(edge.engine) as connection:
        figures = [
            *_figures(connection),
            *_nights(connection, edge.night_at, edge.now_ms()),
            _alarms(connection, edge),
            *_writer(edge),
        ]
    registry.register(_Books(figures))
    return generate_latest(registry)


class _Books(Collector):
    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from self._figures


def _writer(edge: Edge) -> Iterator[Metric]:
    """Yield what the writer says of itself: it is not asked to write for that."""
    numbers = edge.writer.numbers
    yield GaugeMetricFamily(
        "settlement_writer_waiting", "Commands that wait for the writer.", value=edge.writer.waiting()
    )
    yield GaugeMetricFamily(
        "settlement_writer_last_batch", "Commands in the newest batch.", value=numbers.last_batch
    )
    for name, text, value in (
        ("batches", "Batches committed.", numbers.batches),
        ("commands", "Commands answered.", numbers.commands),
        ("failed", "Commands that failed. Must be 0.", numbers.failed),
        ("busy", "Commands turned away because the queue was full.", numbers.busy),
        ("batch_seconds", "Time spent on batches, loading to commit.", numbers.batch_us / 1e6),
        ("commit_seconds", "Time spent in COMMIT.", numbers.commit_us / 1e6),
    ):
        yield CounterMetricFamily(f"settlement_writer_{name}", text, value=value)


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
            select(func.count()).where(entry.answer.in_(("quarantined", "forked"))),
        ),
    ):
        yield GaugeMetricFamily(name, text, value=connection.execute(query).scalar_one())


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
