"""What of a MIS client's record may stand in a trace? What has its shape, but card, text and people.

Pure. A masked record has the size of the real one, so it can be read like it.
"""

from terminal_agent.terminals.mis_record import (
    ANSWER_BYTES,
    ANSWER_LAYOUT,
    REQUEST_BYTES,
    REQUEST_LAYOUT,
    is_in_shape,
)

MIS = "mis_fixed"

_LAYOUTS = {REQUEST_BYTES: REQUEST_LAYOUT, ANSWER_BYTES: ANSWER_LAYOUT}
_BLANKS = b" \0"


def mask_mis(record: bytes) -> bytes | None:
    """Return a request or an answer masked; None when it has the size of neither."""
    if len(record) not in _LAYOUTS:
        return None
    pieces = []
    at = 0
    for name, width in _LAYOUTS[len(record)]:
        part = record[at : at + width]
        at += width
        shown = is_in_shape(name, part)
        pieces.append(part if shown else bytes(one if one in _BLANKS else ord("?") for one in part))
    return b"".join(pieces)
