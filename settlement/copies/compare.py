"""In which rows do two books differ?"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table

from settlement.copies.books import in_order

MOST_TOLD = 3


def differences(ours: Connection, theirs: Connection, table: Table, most: int = MOST_TOLD) -> list[str]:
    """Return the first rows in which a table differs: by key, with the columns, without what is in them."""
    return list(islice(_differing(ours, theirs, table), most))


def _differing(ours: Connection, theirs: Connection, table: Table) -> Iterator[str]:
    names = [column.name for column in table.columns]
    places = [names.index(column.name) for column in table.primary_key.columns]

    def rows_of(connection: Connection) -> Iterator[tuple[Any, Any]]:
        for few in in_order(connection, table):
            for row in few:
                yield tuple(row[place] for place in places), row

    # Texts of Python are ordered like their UTF-8 bytes.
    left, right = rows_of(ours), rows_of(theirs)
    here, there = next(left, None), next(right, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            assert here is not None
            yield f"{table.name} {_key(here[0])} is in these books only"
            here = next(left, None)
        elif here is None or there[0] < here[0]:
            yield f"{table.name} {_key(there[0])} is not in these books"
            there = next(right, None)
        else:
            if here[1] != there[1]:
                wrong = [name for name, a, b in zip(names, here[1], there[1], strict=True) if a != b]
                yield f"{table.name} {_key(here[0])} differs in {', '.join(wrong)}"
            here, there = next(left, None), next(right, None)


def _key(key: tuple[Any, ...]) -> str:
    return "/".join(map(str, key))
