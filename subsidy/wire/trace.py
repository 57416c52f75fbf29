"""By which number is one sale followed through the logs of shop and centre?

By its record id: the trace id of W3C Trace Context is 16 bytes, and so is a record id. Whoever knows one
knows the other, and nobody has to keep a table of them.
"""

import re

HEADER = "traceparent"

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}", re.ASCII)
_NONE = {"0" * 32, "0" * 16}


def trace_of(record_id: str) -> str:
    """Return the trace id of a sale: 32 hex digits."""
    return record_id.replace("-", "")


def traceparent(record_id: str) -> str:
    """Return the header that a request about a sale carries, the same each time."""
    trace = trace_of(record_id)
    # The half with the record id's randomness names the request; by its form it is never all zeros.
    return f"00-{trace}-{trace[16:]}-01"


def read_traceparent(text: str) -> str | None:
    """Return the trace id of a header, or None when it is not exactly one of version 00."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None or found[1] in _NONE or found[2] in _NONE:
        return None
    return found[1]
