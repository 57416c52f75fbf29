"""Who did what, when, through what, and how did it end? Append-only, each entry chained to the one before.

Every request of an operator and every command leaves one entry. The database refuses to change or delete
one; whoever gets past it breaks the chain, which `settlement audit verify` finds. Nothing personal is
kept: every text passes `subsidy.masking.scrub`.
"""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from settlement.db import tables
from settlement.db.connection import writing
from subsidy import seal
from subsidy.masking import scrub

FIRST = "0" * 64
_LONGEST = 300
_TRIES = 5


class AuditEntry(msgspec.Struct, frozen=True):
    """One thing done or refused. `via` is session, token, os or login; `hash` is over all the rest."""

    entry_no: int
    at_ms: int
    who: str
    via: str
    what: str
    subject: str
    outcome: str
    prev: str
    hash: str = ""

    def own_hash(self) -> str:
        """Return the hash that it must have."""
        plain = {name: value for name, value in msgspec.structs.asdict(self).items() if name != "hash"}
        return seal.sha256_hex(msgspec.json.encode(plain, order="sorted"))


def write(
    connection: Connection, at_ms: int, who: str, via: str, what: str, subject: str, outcome: str
) -> None:
    """Append an entry in a transaction that may write."""
    last_no, last_hash = newest(connection)
    entry = AuditEntry(
        entry_no=last_no + 1,
        at_ms=at_ms,
        who=who,
        via=via,
        what=what,
        subject=_plain(subject),
        outcome=outcome,
        prev=last_hash,
    )
    entry = msgspec.structs.replace(entry, hash=entry.own_hash())
    connection.execute(insert(tables.audit_entry).values(msgspec.structs.asdict(entry)))


def note(engine: Engine, at_ms: int, who: str, via: str, what: str, subject: str, outcome: str) -> None:
    """Append an entry in a transaction of its own."""
    for left in reversed(range(_TRIES)):
        try:
            with writing(engine) as connection:
                write(connection, at_ms, who, via, what, subject, outcome)
            return
        except IntegrityError:
            # Where two may write at once, one has taken the number that the other wanted.
            if not left:
                raise


def newest(connection: Connection) -> tuple[int, str]:
    """Return number and hash of the newest entry; 0 and FIRST when there is none."""
    c = tables.audit_entry.c
    last = connection.execute(select(c.entry_no, c.hash).order_by(c.entry_no.desc()).limit(1)).first()
    return (0, FIRST) if last is None else (last.entry_no, last.hash)


def stands(connection: Connection, entry_no: int, entry_hash: str) -> bool:
    """Whether an entry that was the newest once is here as it was.

    The chain does not show that its newest entries were taken out, or that all of it was counted anew.
    """
    c = tables.audit_entry.c
    here = connection.execute(select(c.hash).where(c.entry_no == entry_no)).scalar_one_or_none()
    return (FIRST if entry_no == 0 else here) == entry_hash


def entries(connection: Connection, after: int, most: int) -> list[AuditEntry]:
    """Return up to `most` entries behind the number `after`, oldest first."""
    table = tables.audit_entry
    query = select(table).where(table.c.entry_no > after).order_by(table.c.entry_no).limit(most)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def faults(connection: Connection) -> Iterator[str]:
    """Yield every place where the chain is broken: none when nothing was changed or taken out."""
    prev, number = FIRST, 0
    while page := entries(connection, number, 1000):
        for one in page:
            if one.entry_no != number + 1:
                yield f"between entry {number} and {one.entry_no} something was taken out"
            elif one.prev != prev:
                yield f"entry {one.entry_no} does not follow the one before it"
            if one.hash != one.own_hash():
                yield f"entry {one.entry_no} is not what was written"
            prev, number = one.hash, one.entry_no


def _plain(text: str) -> str:
    """Return `text` without anything personal, unseen, or longer than is read."""
    return scrub("".join(c if c.isprintable() else "?" for c in text[:_LONGEST]))
