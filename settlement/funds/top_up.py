"""How does money get into the pool?"""

import msgspec

from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.writer.rows import Rows, Wanted
from settlement.writer.step import Answer, Done, Emit, MoneyEvent, Setting
from subsidy.policy.split import Part


class TopUp(msgspec.Struct, frozen=True):
    """The funders give `parts` for a programme year; `reference` names their document."""

    year: int
    parts: tuple[Part, ...]
    reference: str


class ToppedUp(MoneyEvent, frozen=True, kw_only=True, tag="topped_up"):
    """The pool has grown."""

    reference: str

    def fold(self, rows: Rows) -> None:
        """Nothing changes but the balances."""


def keys(command: TopUp, _rows: Rows) -> list[Wanted]:
    """Ask for the balances of the funders."""
    return [*balances.keys((part.funder for part in command.parts), command.year)]


def decide(_rows: Rows, command: TopUp, _setting: Setting, _at_ms: int, emit: Emit) -> Answer:
    """Add the money."""
    booking = Booking(Happening.TOPPED_UP, command.year, command.parts)
    emit(ToppedUp(reference=command.reference, booking=booking))
    return Done()
