"""What do a shop's words on a return say, and can they be taken? Pure.

Words may come early, late or in any order. The device's last word counts, by its place in the
device's chain, but money that went back has gone back: that word is final.
"""

from msgspec.structs import replace

from settlement.funds.blocks import has_line
from settlement.writer.rows import GoodsReturn, Record
from subsidy import ids
from subsidy.wire import v1

Word = v1.Returning | v1.Returned

RETURNING, REFUNDED, REFUSED = "RETURNING", "REFUNDED", "REFUSED"


def problem_of(record: Record | None, known: GoodsReturn | None, word: Word, seq: int) -> str:
    """Return why a word cannot be taken, or an empty text."""
    if record is None:
        return "a return of no known record"
    # One that is still held may be paid already: its words can overtake its `paid` entry, and wait for it.
    if record.state != "HELD" and not was_paid(record) and known is None:
        return f"the record is {record.state}: nothing of it was paid that could go back"
    if not fits(record, word.refund_no):
        return "the refund number is not that of the payment"
    if word.refund_fen != (record.to_pay_fen if record.state == "HELD" else record.paid_fen):
        return "the amount of the refund is not the amount paid"
    if known is not None and known.state == REFUNDED and _comes_after_the_end(known, word, seq):
        return "the money went back before"
    return ""


def heard(known: GoodsReturn | None, word: Word, seq: int, at_ms: int) -> GoodsReturn:
    """Return what is known of the return now."""
    if known is None:
        known = GoodsReturn(word.record_id, RETURNING, word.refund_no, word.refund_fen, at_ms)
    if isinstance(word, v1.Returning):
        if seq > known.begun_seq:
            known = replace(
                known,
                heard_ms=at_ms,
                operator=word.operator,
                supervisor=word.supervisor,
                reason=word.reason,
                begun_ms=word.begun_ms,
                begun_seq=seq,
            )
    elif word.refunded:
        return replace(known, state=REFUNDED, ended_ms=word.ended_ms, ended_seq=seq)
    elif known.state != REFUNDED and seq > known.ended_seq:
        known = replace(known, ended_ms=word.ended_ms, ended_seq=seq)
    if known.state == REFUNDED:
        return known
    return replace(known, state=RETURNING if known.begun_seq > known.ended_seq else REFUSED)


def fits(record: Record, refund_no: str) -> bool:
    """Whether a refund number is that of the record's payment, or may be while that is not known yet."""
    if record.pay_ref:
        return refund_no == ids.refund_no(record.pay_ref)
    read = ids.read_pay_ref(refund_no)
    return read is not None and read[0] == record.record_id


def was_paid(record: Record) -> bool:
    """Return whether a shopper has paid for the record's goods."""
    return has_line(record) or record.state in ("PAID_OUT", "AVAILABLE_AGAIN", "RETURNED")


def _comes_after_the_end(known: GoodsReturn, word: Word, seq: int) -> bool:
    if isinstance(word, v1.Returned) and word.refunded:
        return True
    return seq > known.ended_seq
