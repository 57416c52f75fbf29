"""How does money get into the pool, once for each document that gives it?"""

import msgspec

from settlement.funds.pools import is_pool
from settlement.ledger import balances
from settlement.ledger.post import Booking, Happening
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import ClosedYear, Funding
from settlement.writer.step import Answer, Denied, Done, Emit, MoneyEvent, Setting
from subsidy.money import MOST_FEN
from subsidy.policy.split import Part

FIRST_YEAR, LAST_YEAR = 2024, 2099


class TopUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="top_up"):
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
    """Ask for the document, whether the year is closed, and the balances of the funders."""
    return [
        (Funding, (command.year, command.reference)),
        (ClosedYear, (command.year,)),
        *balances.keys((part.funder for part in command.parts), command.year, command.pool),
    ]


def decide(rows: Rows, command: TopUp, setting: Setting, _at_ms: int, emit: Emit) -> Answer:
    """Add the money, unless this document has given it before, or it is nobody's to give."""
    wrong = problem_of_parts(command.parts, setting) or problem_of_place(command.year, command.pool)
    if wrong is not None:
        return wrong
    if rows.get(Funding, command.year, command.reference) is not None:
        detail = f"{command.reference} is booked for {command.year}. Another document needs another reference"
        return Denied(409, "ALREADY_BOOKED", detail)
    if rows.get(ClosedYear, command.year) is not None:
        return year_closed(command.year)
    booking = Booking(Happening.TOPPED_UP, command.year, command.parts, command.pool)
    emit(ToppedUp(reference=command.reference, booking=booking))
    return Done()


def year_closed(year: int) -> Denied:
    """Return why nothing is given for a year that is closed."""
    return Denied(409, "YEAR_CLOSED", f"{year} is closed: nothing of it is promised again. Name another year")


def problem_of_parts(parts: tuple[Part, ...], setting: Setting) -> Denied | None:
    """Return why these are not parts that funders of the programme can give, or None."""
    funders = sorted({share.funder for row in setting.pack.shares.rows for share in row.value})
    for part in parts:
        if part.funder not in funders:
            detail = f"{part.funder} is no funder of this programme: {', '.join(funders)}"
            return Denied(422, "FUNDER_UNKNOWN", detail)
        if part.fen <= 0:
            return Denied(422, "AMOUNT_WRONG", f"{part.funder}: {part.fen} fen. Give more than nothing")
        if part.fen > MOST_FEN:
            # Books whose sums are more than a database counts can neither be balanced nor saved any more.
            detail = (
                f"{part.funder}: {part.fen} fen. One document gives {MOST_FEN} at most: look at the digits"
            )
            return Denied(422, "AMOUNT_WRONG", detail)
    if not parts or len({part.funder for part in parts}) < len(parts):
        return Denied(422, "PARTS_WRONG", "a funder stands twice, or none. Add each one's parts up")
    return None


def problem_of_place(year: int, pool: str) -> Denied | None:
    """Return why there can be no such year or pool, or None."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Denied(422, "YEAR_WRONG", f"{year}: write a year from {FIRST_YEAR} to {LAST_YEAR}")
    if not is_pool(pool):
        return Denied(422, "POOL_WRONG", "write a pool as in group=A/county=321202, or leave it out")
    return None
