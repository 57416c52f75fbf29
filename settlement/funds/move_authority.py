"""How does money that may be spent move from one pool or programme year to another?

A document moves it once: between the pools of a year, or what is left of a year into the next one. What is
promised, owed or claimed never moves: it stays its year's own.
"""

import msgspec

from settlement.funds.top_up import problem_of_parts, problem_of_place, year_closed
from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import ClosedYear, Funding
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting
from subsidy.policy.split import Part


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A programme year and a pool of it; empty when the year is not divided."""

    year: int
    pool: str = ""

    def __str__(self) -> str:
        return f"{self.year} {self.pool}".rstrip()


class MoveAuthority(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="transfer"):
    """Move `parts` of what is available from one place to another; `reference` names the document."""

    taken_from: Place
    given_to: Place
    parts: tuple[Part, ...]
    reference: str


class AuthorityTaken(MoneyEvent, frozen=True, kw_only=True, tag="authority_taken"):
    """A place has less to promise, by a document."""

    reference: str

    def fold(self, rows: Rows) -> None:
        """Note the document, so that it counts once."""
        booking = self.booking
        rows.put(Funding(booking.year, self.reference, booking.parts, booking.pool))


class AuthorityGiven(MoneyEvent, frozen=True, kw_only=True, tag="authority_given"):
    """Another place has it."""

    reference: str

    def fold(self, rows: Rows) -> None:
        """The document is noted where the money was taken."""


def keys(command: MoveAuthority, _rows: Rows) -> list[Wanted]:
    """Ask for the document, both years and the balances of both places."""
    funders = [part.funder for part in command.parts]
    here, there = command.taken_from, command.given_to
    return [
        (Funding, (here.year, command.reference)),
        (ClosedYear, (there.year,)),
        *balances.keys(funders, here.year, here.pool),
        *balances.keys(funders, there.year, there.pool),
    ]


def decide(rows: Rows, command: MoveAuthority, setting: Setting, _at_ms: int, emit: Emit) -> Answer:
    """Move it, unless this document has moved it before, or it is not there."""
    here, there = command.taken_from, command.given_to
    wrong = (
        problem_of_parts(command.parts, setting)
        or problem_of_place(here.year, here.pool)
        or problem_of_place(there.year, there.pool)
    )
    if wrong is not None:
        return wrong
    if here == there:
        return Denied(422, "SAME_PLACE", f"it would move from {here} to itself. Name another year or pool")
    if rows.get(Funding, here.year, command.reference) is not None:
        detail = f"{command.reference} is booked for {here.year}. Another document needs another reference"
        return Denied(409, "ALREADY_BOOKED", detail)
    if rows.get(ClosedYear, there.year) is not None:
        return year_closed(there.year)
    if not balances.can_bear(rows, command.parts, here.year, here.pool):
        return Denied(409, "NOT_AVAILABLE", f"{here} has less available. See `settlement ledger balances`")
    taken = Booking(Happening.MOVED_OUT, here.year, command.parts, here.pool)
    given = Booking(Happening.MOVED_IN, there.year, command.parts, there.pool)
    emit(AuthorityTaken(reference=command.reference, booking=taken))
    emit(AuthorityGiven(reference=command.reference, booking=given))
    return Done()
