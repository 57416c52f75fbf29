"""What do the books say, and are they true?"""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from settlement.db import tables
from settlement.db.sums import total
from settlement.ledger import post
from settlement.ledger.accounts import Account
from settlement.ledger.post import Slot


def balances(connection: Connection) -> dict[Slot, int]:
    """Return every balance."""
    c = tables.balance.c
    return {
        (row.funder, Account(row.account), row.year, row.pool): row.fen
        for row in connection.execute(select(c.funder, c.account, c.year, c.pool, c.fen))
    }


def folded(connection: Connection) -> dict[Slot, int]:
    """Return the sum of all postings of each funder, account and year."""
    c = tables.posting.c
    place = (c.funder, c.account, c.year, c.pool)
    query = select(*place, total(c.fen).label("fen")).group_by(*place)
    return {
        (row.funder, Account(row.account), row.year, row.pool): row.fen for row in connection.execute(query)
    }


def faults(connection: Connection) -> Iterator[str]:
    """Yield every way in which the books are not true: none when they are."""
    c = tables.posting.c
    uneven = (
        select(c.event_no, c.funder, c.year, c.pool, total(c.fen).label("fen"))
        .group_by(c.event_no, c.funder, c.year, c.pool)
        .having(total(c.fen) != 0)
    )
    for row in connection.execute(uneven):
        yield f"event {row.event_no}: {row.funder} {row.year} does not sum to zero but to {row.fen} fen"
    stored, fold = balances(connection), folded(connection)
    for slot in sorted(stored.keys() | fold.keys()):
        if stored.get(slot, 0) != fold.get(slot, 0):
            yield (
                f"balance {post.of(slot)} is {stored.get(slot, 0)} fen, "
                f"its postings add up to {fold.get(slot, 0)}"
            )
    for (funder, year, pool), fen in sorted(post.imbalance(stored).items()):
        yield f"{post.place(funder, year, pool)} is out of balance by {fen} fen"
