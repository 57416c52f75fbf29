"""Which sale is it that a void, refund or reversal at a watched terminal undoes? Pure.

Batch and trace name a sale only until the terminal counts anew: it is replaced under its number, or its
counters are full. So the newest sale with that number is meant, and whatever else the message says must be
true of it. The reference number alone says more than all the rest.
"""

from collections.abc import Sequence

import msgspec

from subsidy.records.payment import Evidence

_LONGEST_IN_BATCH_MS = 2 * 86_400_000
"""So long after its sale a void or reversal is believed: both are of the open batch, closed daily."""


class Undone(msgspec.Struct, frozen=True):
    """What a message that undoes a sale says of that sale; empty where it says nothing.

    `is_whole` is a void or a reversal: of the whole sale, in its batch. `day` is the sale's, as 0301.
    """

    fen: int | None = None
    is_whole: bool = True
    rrn: str = ""
    auth: str = ""
    masked_pan: str = ""
    day: str = ""


class Known(msgspec.Struct, frozen=True):
    """What is known of a sale. `taken_fen` is None while nobody has said that money was taken."""

    asked_fen: int
    taken_fen: int | None
    said: Evidence
    age_ms: int


def pick(undone: Undone, candidates: Sequence[Known]) -> int | None:
    """Return the place of the sale that is meant among those with its batch and trace, newest first.

    None when there are none. Whether it can be the one is for `contradiction` to say.
    """
    named = (no for no, one in enumerate(candidates) if undone.rrn and one.said.rrn == undone.rrn)
    return next(named, 0) if candidates else None


def contradiction(undone: Undone, known: Known) -> str:
    """Return what speaks against it that this sale is meant, an empty text for nothing."""
    said = known.said
    amounts = {known.asked_fen, known.taken_fen}
    if undone.fen is not None and undone.is_whole and undone.fen not in amounts:
        return "it names another amount"
    if undone.fen is not None and undone.fen > max(known.asked_fen, known.taken_fen or 0):
        return "it names more than was paid"
    if _both(undone.rrn, said.rrn):
        return "" if undone.rrn == said.rrn else "it names another reference number"
    if _both(undone.auth, said.auth) and undone.auth != said.auth:
        return "it names another authorisation"
    if _both(undone.masked_pan, said.masked_pan) and undone.masked_pan != said.masked_pan:
        return "it names another card"
    if _both(undone.day, said.host_date) and undone.day != said.host_date:
        return "it names another day"
    if undone.is_whole and known.age_ms > _LONGEST_IN_BATCH_MS:
        return "the sale is older than a batch"
    return ""


def _both(one: str, other: str) -> bool:
    return "" not in (one, other)
