"""Does a paid record fit its promise, and would the centre decide the same today? Pure.

A record that fits is booked at the promise, whatever else is found: the fund has given its word.
What the second decision finds blocks the claim line, never the sale.
"""

from settlement.writer.rows import Record
from subsidy import calendar, ids
from subsidy.policy.decide import Granted, NotDecidable, decide
from subsidy.policy.facts import Facts, of_sale
from subsidy.policy.model import Pack, must
from subsidy.seal import sha256_hex
from subsidy.wire import v1


def misfits(record: Record, entry: v1.Paid, promise_payload: bytes, promise: v1.Promise) -> str:
    """Return why a paid entry does not fit the hold that is here, or an empty text when it fits."""
    # A bare tombstone has no promise of its own; the entry's is signed.
    if record.promise and promise_payload != record.promise:
        return "its promise is not the one that was given"
    return _contradiction(entry, promise)


def _contradiction(entry: v1.Paid, promise: v1.Promise) -> str:
    paid = [attempt for attempt in entry.attempts if attempt.state == "PAID"]
    to_pay_fen = promise.amounts.to_pay_fen
    checks = (
        (entry.record_id == promise.record_id, "the record id is not the promise's"),
        (entry.hold_no == promise.hold_no, "the hold number is not the promise's"),
        (entry.item == promise.item, "the item is not the promise's"),
        (entry.pack_hash == promise.pack_hash, "the pack is not the promise's"),
        (len(paid) == 1, f"{len(paid)} attempts are paid"),
        (entry.paid_fen == to_pay_fen, "the amount paid is not the amount asked"),
        (
            all(one.approved_fen == one.amount_fen == to_pay_fen for one in paid),
            "the approved amount is not the amount asked",
        ),
    )
    return next((problem for holds, problem in checks if not holds), "")


def pay_ref_of(entry: v1.Paid) -> str:
    """Return the payment of a paid entry that counts, or an empty text when that cannot be told."""
    paid = [attempt.pay_ref for attempt in entry.attempts if attempt.state == "PAID"]
    read = ids.read_pay_ref(paid[0]) if len(paid) == 1 else None
    return paid[0] if read is not None and read[0] == entry.record_id else ""


def second_look(pack: Pack, entry: v1.Paid, facts: Facts, promise: v1.Promise) -> list[str]:
    """Return how a decision on the record's own facts, by today's pack, differs from the promise."""
    found = []
    if sha256_hex(bytes(entry.facts)) != promise.facts_hash:
        found.append("the facts are not the promise's")
    day = calendar.business_day(calendar.from_ms(promise.placed_at_ms))
    for one in entry.attempts:
        if one.state == "PAID" and one.tender not in must(pack.tenders, day).value:
            found.append(f"it was paid by {one.tender.value}, which was not allowed")
        if one.state == "PAID" and one.evidence.offer_fen + one.evidence.shop_offer_fen > entry.paid_fen:
            found.append("others bore more of it than was paid")
    if entry.amounts != promise.amounts:
        found.append("the amounts are not the promise's")
    try:
        decision = decide(pack, of_sale(facts))
    except (NotDecidable, ValueError) as wrong:
        found.append(f"no decision can be made: {wrong}")
        return found
    if not isinstance(decision, Granted):
        found.append(f"decided again it is refused: {', '.join(decision.reasons)}")
    elif decision.subsidy_fen != promise.amounts.subsidy_fen:
        found.append(f"decided again it is {decision.subsidy_fen} fen, not {promise.amounts.subsidy_fen}")
    elif decision.funders != promise.split:
        found.append("decided again it is split otherwise")
    return found
