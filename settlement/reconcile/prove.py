"""Is every fen in exactly one bucket? Pure.

Two lines. What shoppers were debited: the totals that the day's files state themselves are the sum of the
buckets of their rows. What the fund granted: what the ledger says was promised to the day's sales, and what
of it the pool still bears, are the sums over the day's records.
"""

from collections.abc import Iterable, Mapping

import msgspec

from settlement.reconcile.kinds import Kind
from settlement.reconcile.lines import Line
from settlement.reconcile.match import MATCHED, NOT_OURS, REFUND_FAILED, WAITING, Verdict
from settlement.writer.rows import Record

DIFFERENCE = "difference"
BLOCKED = "blocked"
KEPT = "kept"
OWED = "owed_by_merchant"
_STILL_OUT = (MATCHED, DIFFERENCE, BLOCKED, WAITING, KEPT, OWED)
_OVER = ("late_grant", "returned", "rejected", "ended")


class Debited(msgspec.Struct, frozen=True):
    """What the day's files took from shoppers, less what they gave back. All in fen.

    `stated_fen` is by the files' own totals, `stored_fen` by the rows as they are stored.
    """

    stated_fen: int
    stored_fen: int
    buckets: dict[str, int]
    holds: bool


class Granted(msgspec.Struct, frozen=True):
    """What the fund promised to the sales of the day, and where it stands. All in fen.

    `promised_fen` and `still_out_fen` are by the ledger's postings, the buckets by the records.
    """

    promised_fen: int
    still_out_fen: int
    buckets: dict[str, int]
    holds: bool


def debited(stated_fen: int, stored_fen: int, lines: Iterable[Line], buckets: Mapping[str, str]) -> Debited:
    """Return the first line of the proof.

    Args:
        stated_fen: by the totals of the day's files, added up by the database.
        stored_fen: by their stored rows, added up by the database.
        lines: the rows of the day's files.
        buckets: the bucket of each row, by its place.
    """
    names = (MATCHED, WAITING, NOT_OURS, REFUND_FAILED, *(kind.value for kind in Kind))
    sums = dict.fromkeys(names, 0)
    for line in lines:
        sums[buckets[line.place]] += line.net_fen
    holds = stated_fen == stored_fen == sum(sums.values())
    return Debited(stated_fen, stored_fen, sums, holds)


def granted(promised_fen: int, still_out_fen: int, records: Iterable[tuple[Record, Verdict]]) -> Granted:
    """Return the second line of the proof.

    Args:
        promised_fen: what the day's holds took from the pool, by postings, and what is claimed beside it for
            holds that these books never had.
        still_out_fen: what of it the pool bears now, by postings.
        records: the records of the holds that were placed on the day, with what was found about each.
    """
    sums = dict.fromkeys((*_STILL_OUT, *_OVER), 0)
    for record, verdict in records:
        sums[bucket_of(record, verdict)] += record.subsidy_fen
    still_out = sum(sums[name] for name in _STILL_OUT)
    holds = promised_fen == sum(sums.values()) and still_out_fen == still_out
    return Granted(promised_fen, still_out_fen, sums, holds)


def bucket_of(record: Record, verdict: Verdict) -> str:
    """Return where the grant of a record stands."""
    if record.state == "HELD":
        return DIFFERENCE if verdict.findings else WAITING
    if record.state == "KEPT":
        return KEPT
    if record.state == "RELEASED":
        return "ended" if record.money is None else "late_grant"
    if record.state == "AVAILABLE_AGAIN":
        return "rejected"
    if record.state == "RETURNED":
        return "returned" if record.money is None else OWED
    if verdict.findings:
        return DIFFERENCE
    if verdict.waiting:
        return WAITING
    return BLOCKED if record.blocks else MATCHED
