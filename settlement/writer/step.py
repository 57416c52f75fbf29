"""What does every step get, give and say?

A step is pure: given the rows that its `keys` asked for, its command and the time, it emits events
and returns an answer. An event is folded into the rows as it is emitted, so that the next
decision of the same batch sees it. `fold` is the only way rows change: the rebuild uses it too.
"""

from collections.abc import Callable, Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from settlement.ledger.post import Booking, Posting
from settlement.writer.batch import Rows
from subsidy import calendar
from subsidy.policy.model import Pack, must


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened."""

    def fold(self, rows: Rows) -> None:
        """Change `rows` by what happened, money apart."""
        raise AssertionError(f"{type(self).__name__} does not say what it changes")

    def about(self) -> str | None:
        """Return the record that it happened to, or None when it concerns no one record."""
        found = getattr(self, "record_id", None)
        assert found is None or isinstance(found, str)
        return found


class MoneyEvent(Event, frozen=True, kw_only=True):
    """Something that has happened to money too: `booking` is posted as the event is emitted."""

    booking: Booking


class Happened(msgspec.Struct, frozen=True):
    """An event with its postings, as it goes into the log."""

    at_ms: int
    event: Event
    postings: tuple[Posting, ...]


Emit = Callable[[Event], None]
"""Record an event and fold it, money included."""


class Setting(msgspec.Struct, frozen=True):
    """What a step may know besides its rows: the pack that counts and the centre's public keys."""

    pack: Pack
    kid: str
    keys: Mapping[str, Ed25519PublicKey]

    def owner(self, at_ms: int) -> str:
        """Return who looks after differences at an instant."""
        return must(self.pack.differences_owner, calendar.day_of_ms(at_ms)).value

    def lag_target_s(self, at_ms: int) -> int:
        """Return within how many seconds a shop should have reported, at an instant."""
        rows = self.pack.lag_target_s
        row = rows.on(calendar.day_of_ms(at_ms))
        # A shop may be enrolled before the programme opens.
        return (row or rows.rows[0]).value


class Signed(msgspec.Struct, frozen=True):
    """An answer to be sealed once it is committed, with the key named by `kid`."""

    typ: str
    payload: bytes
    kid: str


class Acks(msgspec.Struct, frozen=True):
    """The answer to an upload: one ack per entry, in its order."""

    acks: tuple[Signed, ...]


class Denied(msgspec.Struct, frozen=True):
    """The request cannot be taken from this caller now. Nothing was granted."""

    status: int
    code: str
    detail: str


class Done(msgspec.Struct, frozen=True):
    """It has happened."""


class LeftOut(msgspec.Struct, frozen=True):
    """A record that a claim or a payment has not taken, and why."""

    record_id: str
    fen: int
    why: str


class Claimed(msgspec.Struct, frozen=True):
    """What became of a merchant's lines: how many and how much were taken, and which were not.

    `claim` is None when there was nothing to claim. `more` says that others wait for a claim of their own.
    """

    claim: str | None
    merchant: str
    lines: int
    fen: int
    left_out: tuple[LeftOut, ...]
    more: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A command that two people decide and whose events name them.

    `by` is empty while it is proposed, and is filled in from the proposal when it is carried out.
    """

    by: str = ""


Answer = Signed | Acks | Denied | Done | Claimed
