"""What was charged, given back, lost or doubled? Counted from outside, from other people's books.

The shoppers' side is the emulators' own books: JSON lines that only the emulators write. The fund's side is
what the centre shows an operator. Nothing of the shop's money path is imported, so that a mistake made there
cannot hide itself here.
"""

import base64
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Line = Mapping[str, Any]

_TAKEN_BACK = ("returned_unclaimed", "returned_in_claim", "returned_after_payout")


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved under an order number of ours: `fen` above 0 was taken, below 0 was given back."""

    pay_ref: str
    fen: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What the books of both sides say together. Amounts in fen.

    `sales_paid` counts the sales that were paid, those returned later included; `granted_fen` likewise.
    """

    sales_paid: int
    returns: int
    granted_fen: int
    returned_fen: int
    charged_fen: int
    charged_twice: int
    given_back_twice: int
    records_lost: int
    records_doubled: int
    granted_unpaid: int
    wrong_amounts: int


def of_acquirer(lines: Iterable[Line]) -> list[Movement]:
    """Return what moved by the books of a card terminal's acquirer."""
    signs = {"sale": 1, "void": -1, "refund": -1}
    moved = [one for one in lines if one["kind"] in signs]
    return [Movement(one["pay_ref"], signs[one["kind"]] * one["fen"]) for one in moved]


def of_wechat(lines: Iterable[Line]) -> list[Movement]:
    """Return what moved by WeChat Pay's books. A reversal of what was never paid moved nothing."""
    signs = {"charge": 1, "reversal": -1, "refund": -1}
    return [
        Movement(one["out_trade_no"], signs[one["kind"]] * one["fen"])
        for one in lines
        if one["kind"] in signs and one["fen"]
    ]


def of_alipay(lines: Iterable[Line]) -> list[Movement]:
    """Return what moved by Alipay's books. A cancel of what was never paid moved nothing."""
    signs = {"pay": 1, "cancel": -1, "refund": -1}
    moved = [one for one in lines if one["kind"] in signs and one["fen"]]
    return [Movement(one["out_trade_no"], signs[one["kind"]] * one["fen"]) for one in moved]


def of_unionpay(lines: Iterable[Line]) -> list[Movement]:
    """Return what moved by UnionPay's books. What goes back names the order of its payment as `orig`."""
    signs = {"charge": 1, "reversal": -1, "refund": -1}
    moved = [one for one in lines if one["kind"] in signs and one["fen"]]
    return [Movement(one["orig"] or one["order_id"], signs[one["kind"]] * one["fen"]) for one in moved]


def count(movements: Iterable[Movement], postings: Iterable[Line], paid_fen: Mapping[str, int]) -> Counts:
    """Hold the shoppers' money against the fund's books.

    Args:
        movements: everything that moved at acquirers and channels.
        postings: the centre's lines with `record_id`, `event_no`, `happening`, `account` and `fen`.
        paid_fen: what the centre says each booked record was paid, by record id.

    A sale is charged twice when more than one charge of it was never given back; lost when a charge of it
    stands and no grant was booked, or when its grant was taken back; doubled for each further booking.
    """
    charges, overpaid = standing_charges(movements)
    booked: dict[str, Counter[int]] = defaultdict(Counter)
    taken_back: Counter[str] = Counter()
    for line in postings:
        if line["happening"] == "record_booked" and line["account"] == "payable":
            booked[line["record_id"]][line["event_no"]] += line["fen"]
        if line["happening"] in _TAKEN_BACK and line["account"] in ("available", "merchant_receivable"):
            taken_back[line["record_id"]] += line["fen"]
    kept = [record_id for record_id in booked if record_id not in taken_back]
    return Counts(
        sales_paid=len(charges.keys() | taken_back.keys()),
        returns=len(taken_back),
        granted_fen=sum(sum(events.values()) for events in booked.values()),
        returned_fen=sum(taken_back.values()),
        charged_fen=sum(sum(fens) for fens in charges.values()),
        charged_twice=sum(len(fens) - 1 for fens in charges.values()),
        given_back_twice=overpaid,
        records_lost=sum(record_id not in kept for record_id in charges),
        records_doubled=sum(len(events) - 1 for events in booked.values()),
        granted_unpaid=sum(record_id not in charges for record_id in kept),
        wrong_amounts=sum(fens[0] != paid_fen.get(one) for one, fens in charges.items() if one in kept),
    )


def record_of(pay_ref: str) -> str:
    """Return the record id that a pay_ref was made from: 26 base32 characters and the attempt's number."""
    return str(uuid.UUID(bytes=base64.b32decode(pay_ref[:26] + "======")))


def standing_charges(movements: Iterable[Movement]) -> tuple[dict[str, list[int]], int]:
    """Return, by record, the charges that were not given back, and how often too much was given back."""
    standing: dict[str, list[int]] = defaultdict(list)
    overpaid = 0
    for one in sorted(movements, key=lambda one: one.fen < 0):  # whatever the order of several books
        if one.fen > 0:
            standing[one.pay_ref].append(one.fen)
        elif -one.fen in standing[one.pay_ref]:
            standing[one.pay_ref].remove(-one.fen)
        else:
            overpaid += 1
    charges: dict[str, list[int]] = defaultdict(list)
    for pay_ref, fens in standing.items():
        if fens:
            charges[record_of(pay_ref)] += fens
    return dict(charges), overpaid
