"""When is a programme year over?

A closed year promises nothing more. What it has promised stays its own: open holds, records and claims
are paid out of it, and what merchants repay goes to the treasury.
"""

import msgspec

from settlement.writer.batch import BalancesOfYear, Rows, Wanted
from settlement.writer.rows import ClosedYear
from settlement.writer.step import Answer, Denied, Done, Emit, Event, Setting


class CloseYear(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="close_year"):
    """Close a programme year, for good."""

    year: int


class YearClosed(Event, frozen=True, kw_only=True, tag="year_closed"):
    """A programme year is closed."""

    year: int
    at_ms: int

    def fold(self, rows: Rows) -> None:
        """Note it."""
        rows.put(ClosedYear(self.year, self.at_ms))


def keys(command: CloseYear, _rows: Rows) -> list[Wanted]:
    """Ask for the year and its money."""
    return [(ClosedYear, (command.year,)), BalancesOfYear(command.year)]


def decide(rows: Rows, command: CloseYear, _setting: Setting, at_ms: int, emit: Emit) -> Answer:
    """Close it, once, if it ever had money."""
    if rows.get(ClosedYear, command.year) is not None:
        return Denied(409, "YEAR_CLOSED", f"{command.year} is closed already")
    if not rows.every(BalancesOfYear(command.year)):
        return Denied(404, "YEAR_UNKNOWN", f"no money was ever given for {command.year}. Correct the year")
    emit(YearClosed(year=command.year, at_ms=at_ms))
    return Done()
