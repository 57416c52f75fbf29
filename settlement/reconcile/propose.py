"""What follows from a night: which holds end, which items open and which are settled? Pure."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from settlement.funds.blocks import has_line
from settlement.funds.matched import MATCHED
from settlement.reconcile.apply_night import EndHold, Find, Look, Proposal, Recover, Settle, stage_of
from settlement.reconcile.config import NightConfig
from settlement.reconcile.events import block_of
from settlement.reconcile.hold_ends import FoundPaid, NotPaid, charged_beside, may_be_paid, proved
from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import record_of, sale_of
from settlement.reconcile.match import MATCHED as ROW_MATCHED
from settlement.reconcile.match import Finding, Verdict, Waiting, judge
from settlement.reconcile.sales import Contested, Files, Sale
from settlement.writer.rows import Difference, Record

_MISSING = (Kind.MISSING_IN_FILE, Kind.RETURN_WITHOUT_REFUND)


def judged(sale: Sale, config: NightConfig, files: Files, now_ms: int) -> Verdict:
    """Return what is found about one sale; a hold that the files contradict is a finding too."""
    verdict = judge(sale.story, sale.record_id, sale.lines, config, files)
    for one in sale.contested:
        verdict = _with_contested(verdict, sale, one)
    if sale.story is None:
        return verdict
    if sale.story.record.state == "HELD":
        found = proved(sale.story, sale.lines, config, files, now_ms, sale.free)
    elif not verdict.findings:
        # It was ended by people, or by a statement of its shop, and its shop has not told how.
        found = may_be_paid(sale.story, sale.free, config) or charged_beside(sale.story, sale.beside, config)
    else:
        return verdict
    if not isinstance(found, Finding):
        return verdict
    return Verdict((found,), (), {**verdict.buckets, **dict.fromkeys(found.places, found.kind.value)})


def _with_contested(verdict: Verdict, sale: Sale, one: Contested) -> Verdict:
    """Return a verdict in which a payment is not missing, but cannot be told from another."""
    places = tuple(line.place for line in one.lines)
    names = [ref for ref in one.pay_refs if sale_of(ref) == sale.sale]
    findings = [each for each in verdict.findings if each.pay_ref not in names or each.kind not in _MISSING]
    for pay_ref in names:
        fen, day = sum(line.fen for line in one.lines), one.lines[-1].day
        detail = f"no order number, fits {', '.join(one.pay_refs)}"
        findings.append(Finding(Kind.TWO_FIT, pay_ref, sale.record_id, fen, day, places, detail))
    waiting = tuple(each for each in verdict.waiting if each.pay_ref not in names)
    return Verdict(tuple(findings), waiting, {**dict.fromkeys(places, Kind.TWO_FIT.value), **verdict.buckets})


def proposals(
    sales: Iterable[Sale],
    items: Iterable[Difference],
    config: NightConfig,
    files: Files,
    owner: str,
    now_ms: int,
) -> list[Proposal]:
    """Return what the night wants to happen, in an order that depends on nothing but what is there.

    Args:
        sales: every sale that was looked at.
        items: the night's own items about them that are open.
        config: the sources.
        files: what has come.
        owner: who gets what is found.
        now_ms: the centre's time: no hold ends before its own is over.
    """
    ends: list[Proposal] = []
    finds: list[Proposal] = []
    looks: list[Proposal] = []
    known = {(one.subject, one.kind): one for one in items}
    found: set[tuple[str, str]] = set()
    blocked: set[tuple[str | None, str]] = set()
    stories: dict[str | None, Record] = {}
    for sale in sales:
        record = None if sale.story is None else sale.story.record
        if record is not None:
            stories[record.record_id] = record
            assert sale.story is not None
            end = proved(sale.story, sale.lines, config, files, now_ms, sale.free)
            if isinstance(end, NotPaid):
                ends.append(EndHold(end.record_id, end.over_ms, end.why))
            elif isinstance(end, FoundPaid):
                ends.append(Recover(end.record_id, end.over_ms, end.pay_ref, end.fen, end.why))
        verdict = judged(sale, config, files, now_ms)
        says = word_on(sale, verdict, files)
        if record is not None and has_line(record) and says not in ("", record.night):
            looks.append(Look(record.record_id, stage_of(record), record.night, says))
        for one in items_of(verdict, record, owner):
            found.add((one.subject, one.kind))
            blocked.add((one.record_id, one.kind))
            before = known.get((one.subject, one.kind))
            if before is None or not _says(before, one) or _should_block(record, one.kind):
                finds.append(one)
    settles: list[Proposal] = []
    for item in sorted(known.values(), key=lambda one: (one.subject, one.kind)):
        if item.closed_ms is None and (item.subject, item.kind) not in found:
            record_id = _record_of(item)
            record = stories.get(record_id)
            settles.append(
                Settle(
                    subject=item.subject,
                    kind=item.kind,
                    record_id=None if record is None else record_id,
                    seen=stage_of(record),
                    unblocks=(record_id, item.kind) not in blocked,
                )
            )
    return [*_sorted(ends), *_sorted(finds), *settles, *_sorted(looks)]


def word_on(sale: Sale, verdict: Verdict, files: Files) -> str:
    """Return MATCHED, or what a sale's payment waits for; an empty text when there is a difference."""
    if sale.story is None or verdict.findings:
        return ""
    if verdict.waiting:
        return "; ".join(sorted({_waits(one) for one in verdict.waiting}))
    # Rows of a day that is not over may yet be undone by others of it.
    early = sorted(
        f"{one.source} {one.day}" for one in sale.lines if (one.source, one.day) not in files.whole
    )
    if early:
        return f"the file was taken before its day was over: {', '.join(dict.fromkeys(early))}"
    net_fen = sum(one.net_fen for one in sale.lines if verdict.buckets[one.place] == ROW_MATCHED)
    if net_fen != sale.story.in_files_fen:
        return f"the files have {net_fen} fen of it"
    return MATCHED


def _waits(one: Waiting) -> str:
    days = f" ({', '.join(one.days)})" if one.days else ""
    return f"{one.wait.en.rstrip('.')}{days}"


def items_of(verdict: Verdict, record: Record | None, owner: str) -> list[Find]:
    """Return one item for each payment and kind that was found; the same kind twice is one item."""
    merged: dict[tuple[str, Kind], Find] = {}
    for one in verdict.findings:
        subject = one.pay_ref or one.places[0]
        before = merged.get((subject, one.kind))
        detail = ", ".join((*one.places, one.detail))
        merged[subject, one.kind] = Find(
            subject=subject,
            kind=one.kind.value,
            day=one.day,
            fen=one.fen + (before.fen if before else 0),
            pay_ref=one.pay_ref,
            record_id=None if record is None else record.record_id,
            seen=stage_of(record),
            owner=owner,
            detail=f"{before.detail}; {detail}" if before else detail,
            next_step=one.kind.next_en,
        )
    return list(merged.values())


def after(sale: Sale, end: NotPaid | FoundPaid | Finding | None) -> Sale:
    """Return a sale as it will stand when the proposed end of its hold has happened."""
    if sale.story is None or end is None or isinstance(end, Finding):
        return sale
    record = sale.story.record
    if isinstance(end, NotPaid):
        record = replace(record, state="RELEASED", money=None, why=end.why)
    else:
        record = replace(
            record,
            state="PAYABLE",
            money="payable",
            paid_fen=end.fen,
            pay_ref=end.pay_ref,
            recovered=True,
            why=end.why,
        )
    return replace(sale, story=replace(sale.story, record=record))


def _says(item: Difference, find: Find) -> bool:
    return item.closed_ms is None and (item.fen, item.day, item.detail) == (find.fen, find.day, find.detail)


def _should_block(record: Record | None, kind: str) -> bool:
    return record is not None and has_line(record) and block_of(kind) not in record.blocks


def _record_of(item: Difference) -> str | None:
    return record_of(item.pay_ref[:26])


def _sorted(found: list[Proposal]) -> list[Proposal]:
    return sorted(found, key=lambda one: msgspec.json.encode(one))
