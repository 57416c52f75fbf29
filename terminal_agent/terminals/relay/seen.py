"""What is understood of one frame that passed? Only what may be kept of it: the frame itself is forgotten."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from subsidy.records.payment import Evidence


class Kind(StrEnum):
    """What a message is about."""

    SALE = "SALE"
    VOID = "VOID"
    REFUND = "REFUND"
    REVERSAL = "REVERSAL"  # of a sale
    VOID_REVERSAL = "VOID_REVERSAL"  # a void that is undone: the sale stands again
    OTHER = "OTHER"  # signing in, settling, asking for a balance: understood, and no sale of ours


class Said(StrEnum):
    """What a host's response code says about the money."""

    YES = "YES"
    NO = "NO"
    NO_ORIGINAL = "NO_ORIGINAL"  # to a void or reversal: there is nothing of the kind
    UNSURE = "UNSURE"


class Seen(msgspec.Struct, frozen=True):
    """One message. `fen` is its amount, None when it names none.

    `batch` and `trace` are the message's own in a sale and in the reversal of one, which repeats its
    original's; in a void or refund they are those of the sale that it undoes, and `own_trace` is its own.
    An answer is matched to its request by `own_trace`. In a request that undoes a sale the evidence is what
    it says of that sale: reference number, authorisation, card and day.
    """

    kind: Kind
    is_answer: bool
    terminal_no: str
    own_trace: str
    batch: str = ""
    trace: str = ""
    fen: int | None = None
    said: Said | None = None
    evidence: Evidence = Evidence()


Understand = Callable[[bytes], Seen | None]
"""Say what a frame (TPDU onward) is, or None when it cannot be read. Raises nothing for what it reads."""
