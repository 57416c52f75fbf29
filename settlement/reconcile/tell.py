"""How do findings become the day's report? Pure.

A difference stands in the report of the day whose file has its row, or should have it; what belongs to
another day and is only touched by this one is listed apart.
"""

from collections.abc import Iterable, Iterator, Mapping

from settlement.reconcile.config import NightConfig
from settlement.reconcile.kinds import Kind, Wait
from settlement.reconcile.lines import Line
from settlement.reconcile.match import MATCHED, NOT_OURS, Finding, Verdict, Waiting
from settlement.reconcile.propose import judged
from settlement.reconcile.prove import debited, granted
from settlement.reconcile.report import (
    DifferenceShown,
    FileShown,
    Proof,
    RecordNoted,
    Report,
    WaitingShown,
)
from settlement.reconcile.sales import Gathered, Sale
from settlement.writer.rows import Record
from subsidy.masking import scrub

Looked = list[tuple[Sale, Verdict]]


def tell_of(
    found: Gathered, programme: str, config: NightConfig, owner: str, lag_target_s: int, now_ms: int
) -> Report:
    """Return the report of a day.

    Args:
        found: what the night looked at, after all that it proposed has happened.
        programme: whose night it is.
        config: the sources.
        owner: who gets what is found.
        lag_target_s: a return that was begun so long before the day's end, and is open, is listed.
        now_ms: the centre's time.
    """
    looked = [
        (sale, judged(sale, config, found.files, now_ms))
        for sale in found.sales
        if sale.sale in found.reported
    ]
    placed = [(sale, verdict) for sale, verdict in looked if sale.sale in found.placed]
    buckets: dict[str, str] = {}
    for _, verdict in looked:
        for place, bucket in verdict.buckets.items():
            # A row that names no order stands among those that are nobody's, until a sale says more of it.
            if buckets.get(place, NOT_OURS) == NOT_OURS:
                buckets[place] = bucket
    findings = sorted((one for _, verdict in looked for one in verdict.findings), key=_in_order)
    waiting = sorted((one for _, verdict in looked for one in verdict.waiting), key=_as_waiting)
    files = tuple(_file(found, name, config) for name in sorted(config.sources))
    is_matched = _matched(found.day_lines, buckets)
    return Report(
        programme=programme,
        day=found.day,
        complete=all(one.whole for one in files) and all(one.wait is not Wait.NO_SOURCE for one in waiting),
        matched=sum(is_matched.values()),
        matched_fen=sum(line.net_fen for line in found.day_lines if is_matched.get(line.pay_ref, False)),
        files=files,
        differences=tuple(_difference(one, owner) for one in findings if one.day == found.day),
        older=tuple(_difference(one, owner) for one in findings if one.day != found.day),
        waiting=tuple(_waiting(one) for one in waiting),
        returns_open=tuple(_returns_open(found, lag_target_s)),
        kept=tuple(_noted(one) for one in _records(looked) if one.state == "KEPT"),
        late_grants=tuple(
            _noted(one) for one in _records(looked) if one.state == "RELEASED" and one.money is not None
        ),
        ended_by_files=tuple(
            _noted(one)
            for one in _records(placed)
            if one.state == "RELEASED" and one.why.startswith("files ")
        ),
        recovered=tuple(
            _noted(sale.story.record)
            for sale, _ in placed
            if sale.story is not None and sale.story.record.recovered and not sale.story.attempts
        ),
        proof=Proof(
            debited(found.totals.stated_fen, found.totals.stored_fen, found.day_lines, buckets),
            granted(
                found.totals.promised_fen,
                found.totals.still_out_fen,
                [(sale.story.record, verdict) for sale, verdict in placed if sale.story is not None],
            ),
        ),
    )


def _records(looked: Looked) -> Iterator[Record]:
    return (sale.story.record for sale, _ in looked if sale.story is not None)


def _matched(lines: Iterable[Line], buckets: Mapping[str, str]) -> dict[str, bool]:
    """Return, for each payment in the day's files, whether all its rows there are matched."""
    matched: dict[str, bool] = {}
    for line in lines:
        if line.pay_ref:
            matched[line.pay_ref] = matched.get(line.pay_ref, True) and buckets[line.place] == MATCHED
    return matched


def _file(found: Gathered, name: str, config: NightConfig) -> FileShown:
    file_name = config.sources[name].file_name(found.day)
    here = found.day_files.get(name)
    if here is None:
        return FileShown(name, file_name, "to_come", "", 0, False, 0, 0, 0)
    return FileShown(
        source=name,
        file=file_name,
        state="none" if here.is_none else "here",
        sha256=here.sha256,
        version=here.version,
        whole=here.whole,
        rows=here.rows,
        sale_fen=here.sale_fen,
        back_fen=here.back_fen,
    )


def _difference(one: Finding, owner: str) -> DifferenceShown:
    return DifferenceShown(
        kind=one.kind.value,
        pay_ref=one.pay_ref,
        record_id=one.record_id,
        fen=one.fen,
        day=one.day,
        owner=owner,
        zh=one.kind.zh,
        en=one.kind.en,
        next_step=one.kind.next_en,
        next_zh=one.kind.next_zh,
        detail=", ".join((*one.places, one.detail)),
    )


def _waiting(one: Waiting) -> WaitingShown:
    return WaitingShown(
        one.wait.value, one.pay_ref, one.record_id, one.fen, one.days, one.wait.zh, one.wait.en
    )


def _returns_open(found: Gathered, lag_target_s: int) -> Iterator[RecordNoted]:
    until_ms = found.end_ms - lag_target_s * 1000
    for sale in found.sales:
        back = None if sale.story is None else sale.story.goods_return
        if sale.story is None or back is None or back.state != "RETURNING":
            continue
        if back.begun_ms < until_ms:
            yield RecordNoted(sale.story.record_id, back.fen, back.refund_no)


def _noted(record: Record) -> RecordNoted:
    return RecordNoted(record.record_id, record.subsidy_fen, scrub(record.why))


def _in_order(one: Finding) -> tuple[int, str, tuple[str, ...], int]:
    return _KINDS.index(one.kind), one.pay_ref, one.places, one.fen


def _as_waiting(one: Waiting) -> tuple[str, str, str]:
    return one.wait.value, one.record_id or "", one.pay_ref


_KINDS = list(Kind)
