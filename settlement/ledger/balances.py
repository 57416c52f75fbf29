"""How do postings reach the balances, and do the balances equal their fold?"""

from collections.abc import Iterable

from settlement.ledger.accounts import Account
from settlement.ledger.post import Booking, Posting, apply, postings
from settlement.writer.batch import BalancesOf, Rows, Wanted
from settlement.writer.rows import Balance, Record
from subsidy.policy.split import Part


def keys(funders: Iterable[str], year: int, pool: str) -> list[Wanted]:
    """Return the balances that an event of these funders, this year and pool may touch."""
    return [BalancesOf(funder, year, pool) for funder in funders]


def keys_of(records: Iterable[Record]) -> list[Wanted]:
    """Return the balances that events of these records may touch, each once."""
    return list({BalancesOf(part.funder, one.year, one.pool) for one in records for part in one.parts})


def book(rows: Rows, booking: Booking) -> tuple[Posting, ...]:
    """Add `booking` to the balances in `rows` and return its postings. Raises post.Overdrawn."""
    posted = postings(booking)
    before = {
        (one.funder, one.account, one.year, one.pool): rows.balance(
            one.funder, one.account, one.year, one.pool
        )
        for one in posted
    }
    for (funder, account, year, pool), fen in apply(before, posted).items():
        rows.put(Balance(funder, account, year, pool, fen))
    return posted


def available(rows: Rows, funders: Iterable[str], year: int, pool: str) -> dict[str, int]:
    """Return what each funder has available in a pool of a programme year."""
    return {funder: rows.balance(funder, Account.AVAILABLE, year, pool) for funder in funders}


def can_bear(rows: Rows, parts: Iterable[Part], year: int, pool: str) -> bool:
    """Whether every funder has its own part available."""
    return all(rows.balance(one.funder, Account.AVAILABLE, year, pool) >= one.fen for one in parts)
