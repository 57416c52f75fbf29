"""How does money get into the pool, once for each document that gives it?"""

import msgspec

from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Funding
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting
from subsidy.policy.split import Part


class TopUp(msgspec.Struct, frozen=True):
    """The funders give `parts` for a programme year and pool; `reference` names their document."""

    year: int
    parts: tuple[Part, ...]
    reference: str
    pool: str = ""


class ToppedUp(MoneyEvent, frozen=True, kw_only=True, tag="topped_up"):
    """The pool has grown."""

    reference: str

    def fold(self, rows: Rows) -> None:
        """Note the document, so that it counts once."""
        booking = self.booking
        rows.put(Funding(booking.year, self.reference, booking.parts, booking.pool))


def keys(command: TopUp, _rows: Rows) -> list[Wanted]:
    """Ask for the document and the balances of the funders."""
    return [
        (Funding, (command.year, command.reference)),
        *balances.keys((part.funder for part in command.parts), command.year, command.pool),
    ]


def decide(rows: Rows, command: TopUp, _setting: Setting, _at_ms: int, emit: Emit) -> Answer:
    """Add the money, unless this document has given it before."""
    if rows.get(Funding, command.year, command.reference) is not None:
        detail = f"{command.reference} is booked for {command.year}. Another document needs another reference"
        return Denied(409, "ALREADY_BOOKED", detail)
    booking = Booking(Happening.TOPPED_UP, command.year, command.parts, command.pool)
    emit(ToppedUp(reference=command.reference, booking=booking))
    return Done()
