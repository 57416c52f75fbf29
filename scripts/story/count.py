"""What was charged, lost or doubled? Counted from outside, from other people's books.

The acquirer's side is the emulators' own books: JSON lines that only the emulators write. The
fund's side is what the centre shows an operator. Nothing of the shop's money path is imported, so
that a mistake made there cannot hide itself here.
"""

import base64
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the books of both sides say together. Amounts in fen."""

    sales_paid: int
    granted_fen: int
    charged_fen: int
    charged_twice: int
    records_lost: int
    records_doubled: int
    granted_unpaid: int
    wrong_amounts: int


def count(acquirer: Iterable[Line], postings: Iterable[Line], paid_fen: Mapping[str, int]) -> Counts:
    """Hold the acquirer's books against the fund's.

    Args:
        acquirer: lines with `kind` (sale, void, refund, declined), `fen`, `pay_ref`, `trace`, `tid`, and
            `orig_trace` for what takes a sale back.
        postings: the centre's lines with `record_id`, `event_no`, `happening`, `account` and `fen`.
        paid_fen: what the centre says each booked record was paid, by record id.

    A sale is charged twice when more than one charge of it was never taken back; lost when it is
    charged and no grant was booked; doubled for each further booking of one record.
    """
    charges = _standing_charges(acquirer)
    booked: dict[str, Counter[int]] = defaultdict(Counter)
    for line in postings:
        if line["happening"] == "record_booked" and line["account"] == "payable":
            booked[line["record_id"]][line["event_no"]] += line["fen"]
    return Counts(
        sales_paid=len(charges),
        granted_fen=sum(sum(events.values()) for events in booked.values()),
        charged_fen=sum(sum(fens) for fens in charges.values()),
        charged_twice=sum(len(fens) - 1 for fens in charges.values()),
        records_lost=sum(record_id not in booked for record_id in charges),
        records_doubled=sum(len(events) - 1 for events in booked.values()),
        granted_unpaid=sum(record_id not in charges for record_id in booked),
        wrong_amounts=sum(
            fens[0] != paid_fen.get(record_id) for record_id, fens in charges.items() if record_id in booked
        ),
    )


def record_of(pay_ref: str) -> str:
    """Return the record id that a pay_ref was made from: 26 base32 characters and the attempt's number."""
    return str(uuid.UUID(bytes=base64.b32decode(pay_ref[:26] + "======")))


def _standing_charges(acquirer: Iterable[Line]) -> dict[str, list[int]]:
    """Return, by record, the amounts of the sales that were not taken back."""
    lines = list(acquirer)
    taken_back = {(one["tid"], one["orig_trace"]) for one in lines if one["kind"] in ("void", "refund")}
    charges: dict[str, list[int]] = defaultdict(list)
    for one in lines:
        if one["kind"] == "sale" and (one["tid"], one["trace"]) not in taken_back:
            charges[record_of(one["pay_ref"])].append(one["fen"])
    return dict(charges)
