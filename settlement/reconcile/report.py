"""What does the night say of a day, in the same bytes whenever the same is known? Pure.

No run time, no run id, no path, nothing of what an earlier run has done.
"""

import msgspec

from settlement.reconcile.prove import Debited, Granted
from subsidy.money import yuan


class FileShown(msgspec.Struct, frozen=True):
    """A source's file of the day. `state` is here, none (the channel says that nothing moved) or to_come.

    `whole` says that it came when the day was over.
    """

    source: str
    file: str
    state: str
    sha256: str
    version: int
    whole: bool
    rows: int
    sale_fen: int
    back_fen: int


class DifferenceShown(msgspec.Struct, frozen=True):
    """A difference, whose it is and what to do next."""

    kind: str
    pay_ref: str
    record_id: str | None
    fen: int
    day: str
    owner: str
    zh: str
    en: str
    next_step: str
    next_zh: str
    detail: str


class WaitingShown(msgspec.Struct, frozen=True):
    """A payment that is not judged yet."""

    wait: str
    pay_ref: str
    record_id: str | None
    fen: int
    days: tuple[str, ...]
    zh: str
    en: str


class RecordNoted(msgspec.Struct, frozen=True):
    """A record that is listed: kept, a late grant, ended or recovered by files, a return under way."""

    record_id: str
    fen: int
    why: str


class Proof(msgspec.Struct, frozen=True):
    """The two lines of the proof."""

    debited: Debited
    granted: Granted


class Report(msgspec.Struct, frozen=True):
    """The night of one day. `older` are differences of other days that this day's rows or records touch.

    It is `complete` when each file came when the day was over, and each payment has a source.
    """

    programme: str
    day: str
    complete: bool
    matched: int
    matched_fen: int
    files: tuple[FileShown, ...]
    differences: tuple[DifferenceShown, ...]
    older: tuple[DifferenceShown, ...]
    waiting: tuple[WaitingShown, ...]
    returns_open: tuple[RecordNoted, ...]
    kept: tuple[RecordNoted, ...]
    late_grants: tuple[RecordNoted, ...]
    ended_by_files: tuple[RecordNoted, ...]
    recovered: tuple[RecordNoted, ...]
    proof: Proof


def to_bytes(report: Report) -> bytes:
    """Return the report as JSON: the same report, the same bytes."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def exit_code(report: Report) -> int:
    """Return 0 when all is well, 4 when there is something to look at, 1 when the proof fails."""
    if not (report.proof.debited.holds and report.proof.granted.holds):
        return 1
    return 4 if report.differences or not report.complete else 0


def text(report: Report) -> list[str]:
    """Return the report as operators read it; what is to be done stands at its end."""
    return [
        f"{report.programme}, {report.day}: {report.matched} matched ({yuan(report.matched_fen)}), "
        f"{len(report.differences)} differences, {len(report.waiting)} waiting",
        *(_file(one) for one in report.files),
        *_noted("ended by files", report.ended_by_files),
        *_noted("found paid in the files, the shop's record is still to come", report.recovered),
        *_noted("return under way", report.returns_open),
        *_noted("kept", report.kept),
        *_noted("late grant", report.late_grants),
        *(f"waiting  {one.record_id or one.pay_ref}  {yuan(one.fen)}  {one.en}" for one in report.waiting),
        *_proof(report.proof),
        *(line for one in report.differences for line in _difference(one)),
        *(line for one in report.older for line in _difference(one, f" of {one.day}")),
        *_next(report),
    ]


def _file(one: FileShown) -> str:
    if one.state == "to_come":
        return f"file     {one.source}: {one.file} has not come"
    early = "" if one.whole else ", taken before its day was over"
    if one.state == "none":
        return f"file     {one.source}: the channel says that nothing moved{early}"
    moved = f"{yuan(one.sale_fen)} taken, {yuan(one.back_fen)} given back"
    return f"file     {one.source}: {one.rows} rows, {moved}{early}"


def _noted(what: str, records: tuple[RecordNoted, ...]) -> list[str]:
    return [f"{what}: {one.record_id}  {yuan(one.fen)}  {one.why}" for one in records]


def _proof(proof: Proof) -> list[str]:
    lines = []
    for name, total, buckets, holds in (
        ("debited", proof.debited.stated_fen, proof.debited.buckets, proof.debited.holds),
        ("granted", proof.granted.promised_fen, proof.granted.buckets, proof.granted.holds),
    ):
        parts = " + ".join(f"{bucket} {yuan(fen)}" for bucket, fen in buckets.items() if fen) or "0.00"
        lines.append(f"{name}  {yuan(total)} = {parts}" + ("" if holds else "  DOES NOT ADD UP"))
    if not proof.debited.holds:
        one = proof.debited
        lines.append(
            f"the files state {one.stated_fen} fen, their rows are {one.stored_fen}, "
            f"the buckets {sum(one.buckets.values())}"
        )
    if not proof.granted.holds:
        two = proof.granted
        lines.append(
            f"the ledger promised {two.promised_fen} fen and bears {two.still_out_fen}, "
            f"the records say {sum(two.buckets.values())}"
        )
    return lines


def _difference(one: DifferenceShown, of: str = "") -> list[str]:
    return [
        f"DIFFERENCE{of}  {one.kind}  {one.pay_ref}  {yuan(one.fen)}  for {one.owner}",
        f"    {one.en} {one.zh} ({one.detail})",
        f"    next: {one.next_step}",
    ]


def _next(report: Report) -> list[str]:
    again = f"settlement night run --date {report.day}"
    lines = [_for_whole(one, again) for one in report.files if not one.whole]
    if any(one.wait == "no_source" for one in report.waiting):
        lines.append(f"next     name the missing source in night.yaml, then {again}")
    return lines


def _for_whole(one: FileShown, again: str) -> str:
    if one.state == "to_come":
        return f"next     put {one.file} into the folder, then {again}"
    if one.state == "none":
        return f"next     when the day is over and nothing has moved at {one.source}, {again}"
    into = f"put the whole {one.file} into the folder"
    return f"next     when the day is over, {into}, then {again} --replace {one.source}"
