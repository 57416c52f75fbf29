"""Has a night matched the payment of a record, and if not, what does the record wait for? Pure.

A record without that is neither claimed nor paid: its shop says that it was paid, and nobody else has.
"""

from settlement.writer.rows import Record

MATCHED = "matched"


def waits_for(record: Record) -> str:
    """Return why a record is not matched, or an empty text."""
    if record.night == MATCHED:
        return ""
    if not record.night:
        return "not matched: no night has looked at it since it was last heard of; the next one does"
    return f"not matched: {record.night}"
