"""What ties each event of the log to the one before?

Its hash is over the hash before and all that is stored of it: an event that is edited, taken out, put in or
moved breaks the chain at its place.
"""

import hashlib

GENESIS = "0" * 64


def event_hash(before: str, event_no: int, at_ms: int, kind: str, body: str, record_id: str | None) -> str:
    """Return the hash of an event in hex; `before` is that of the event before, or GENESIS."""
    # The body is JSON and has no line break of its own.
    text = f"{before}\n{event_no}\n{at_ms}\n{kind}\n{body}\n{record_id or ''}"
    return hashlib.sha256(text.encode()).hexdigest()
