"""What does the merchant give back for returned goods, and by which marks does a channel find the payment?"""

import msgspec
from sqlalchemy import Connection

from settlement.db import tables
from settlement.writer import store
from settlement.writer.rows import EntryRow, Record
from subsidy import ids
from subsidy.masking import scrub
from subsidy.policy.model import Tender
from subsidy.wire import v1

_MARKS = ("terminal_no", "merchant_no", "batch", "trace", "rrn", "auth", "host_date", "channel_no")


class GoesBack(msgspec.Struct, frozen=True):
    """What goes back: the amount that the shopper paid, in fen, and never the subsidy.

    `payment` has what the other side said of it, masked, by name; nothing of it is known of a sale that the
    files alone have shown.
    """

    record_id: str
    refund_no: str
    refund_fen: int
    pay_ref: str
    tender: Tender | None
    payment: dict[str, str]


def goes_back(connection: Connection, record_id: str) -> GoesBack | None:
    """Return what goes back for a sale, or None when no such sale was paid."""
    c = tables.entry_row.c
    (record,) = store.read_where(connection, Record, tables.record.c.record_id == record_id) or (None,)
    if not isinstance(record, Record) or not record.pay_ref:
        return None
    paid = None
    for row in store.read_where(
        connection, EntryRow, c.record_id == record_id, c.kind == "paid", c.answer == "accepted"
    ):
        assert isinstance(row, EntryRow)
        entry = msgspec.json.decode(row.body, type=v1.Paid)
        paid = next((one for one in entry.attempts if one.pay_ref == record.pay_ref), paid)
    marks = {} if paid is None else {name: getattr(paid.evidence, name) for name in _MARKS}
    return GoesBack(
        record_id=record_id,
        refund_no=ids.refund_no(record.pay_ref),
        refund_fen=record.paid_fen,
        pay_ref=record.pay_ref,
        tender=None if paid is None else paid.tender,
        payment={name: scrub(text) for name, text in marks.items() if text},
    )
