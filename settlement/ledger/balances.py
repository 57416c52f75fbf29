"""How do postings reach the balances, and do the balances equal their fold?"""

from collections.abc import Iterable

from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Posting, Slot, apply, postings
from settlement.writer.batch import Rows, Wanted
from settlement.writer.rows import Balance, Key, Record
from subsidy.policy.split import Part


def keys(funders: Iterable[str], year: int) -> list[Key]:
    """Return the balances that an event of these funders and this year may touch."""
    return [(Balance, (funder, account.value, year)) for funder in funders for account in Account]


def keys_of(records: Iterable[Record]) -> list[Wanted]:
    """Return the balances that events of these records may touch, each once."""
    found = {(part.funder, record.year) for record in records for part in record.parts}
    return [(Balance, (funder, account.value, year)) for funder, year in found for account in Account]


def book(rows: Rows, booking: Booking) -> tuple[Posting, ...]:
    """Add `booking` to the balances in `rows` and return its postings. Raises post.Overdrawn."""
    posted = postings(booking)
    for slot, fen in apply(_balances(rows, posted), posted).items():
        rows.put(Balance(slot[0], slot[1].value, slot[2], fen))
    return posted


def available(rows: Rows, funders: Iterable[str], year: int) -> dict[str, int]:
    """Return what each funder has available in a programme year."""
    return {funder: _fen(rows, (funder, Account.AVAILABLE, year)) for funder in funders}


def can_bear(rows: Rows, parts: Iterable[Part], year: int) -> bool:
    """Whether every funder has its own part available."""
    return all(_fen(rows, (one.funder, Account.AVAILABLE, year)) >= one.fen for one in parts)


def _balances(rows: Rows, posted: Iterable[Posting]) -> dict[Slot, int]:
    slots = {(one.funder, one.account, one.year) for one in posted}
    return {slot: _fen(rows, slot) for slot in slots}


def _fen(rows: Rows, slot: Slot) -> int:
    row = rows.get(Balance, slot[0], slot[1].value, slot[2])
    return 0 if row is None else row.fen
