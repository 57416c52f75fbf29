"""How does a claim stand, whose claims wait to be built, and which returns are under way?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, or_, select

from settlement.db import sums, tables
from settlement.funds import read_freezings
from settlement.funds.freezings import Name
from settlement.funds.matched import MATCHED, waits_for
from settlement.people import within
from settlement.people.roles import EVERYTHING, Reach
from settlement.writer import store
from settlement.writer.rows import Claim, ClaimLine, ClaimPayment, Freezing
from subsidy.masking import scrub


class Total(msgspec.Struct, frozen=True):
    """How many lines, and how much they come to."""

    lines: int
    fen: int


class ClaimTotals(msgspec.Struct, frozen=True):
    """A claim as it was submitted, and what has become of its lines so far: they add up to it.

    `held_back` are open lines that would not be paid now; `withheld` ones whose goods came back.
    """

    submitted: Total
    open: Total
    held_back: Total
    paid: Total
    withheld: Total
    rejected: Total
    corrected: Total


class LineShown(msgspec.Struct, frozen=True):
    """A line of a claim. `held_back` are the reasons why it would not be paid now."""

    record_id: str
    fen: int
    state: str
    held_back: tuple[str, ...]
    reference: str
    why: str
    ended_ms: int | None


class ClaimSummary(msgspec.Struct, frozen=True):
    """A claim with its totals."""

    claim: str
    merchant: str
    day: str
    built_ms: int
    totals: ClaimTotals


class ClaimShown(ClaimSummary, frozen=True):
    """A claim with its payments and all its lines."""

    payments: tuple[ClaimPayment, ...]
    lines: tuple[LineShown, ...]


class ReturnShown(msgspec.Struct, frozen=True):
    """A return. `age_s` counts from when the centre heard of it; `late` is longer than the lag target."""

    record_id: str
    state: str
    refund_no: str
    refund_fen: int
    operator: str
    supervisor: str
    reason: str
    begun_ms: int | None
    ended_ms: int | None
    heard_ms: int
    age_s: int
    late: bool
    merchant: str
    shop: str
    record_state: str


def merchants_to_claim(connection: Connection, before_ms: int) -> list[str]:
    """Return the merchants that have something payable, blocked or not, placed before an instant."""
    c = tables.record.c
    query = (
        select(c.merchant)
        .where(c.state.in_(("PAYABLE", "BLOCKED")), c.placed_at_ms < before_ms)
        .distinct()
        .order_by(c.merchant)
    )
    return list(connection.execute(query).scalars())


def claims(connection: Connection, after: str, most: int, reach: Reach = EVERYTHING) -> list[ClaimSummary]:
    """Return up to `most` claims behind the name `after`, of each the lines within `reach`."""
    c = tables.claim.c
    query = select(c.claim).where(c.claim > after, within.claims(reach)).order_by(c.claim).limit(most)
    names = connection.execute(query).scalars()
    found = store.read_where(connection, Claim, c.claim.in_(list(names)))
    return [
        ClaimSummary(one.claim, one.merchant, one.day, one.built_ms, _totals(connection, one, reach))
        for one in found
        if isinstance(one, Claim)
    ]


def claim(connection: Connection, name: str, reach: Reach = EVERYTHING) -> ClaimShown | None:
    """Return a claim with its lines within `reach`, or None when it has none there.

    Its payments are of the whole claim: whoever sees only a county's part of it does not see them.
    """
    found = store.read_where(connection, Claim, tables.claim.c.claim == name, within.claims(reach))
    if not found or not isinstance(found[0], Claim):
        return None
    one = found[0]
    is_whole = reach.everything or one.merchant in reach.merchants
    payments = store.read_where(connection, ClaimPayment, tables.claim_payment.c.claim == name)
    return ClaimShown(
        claim=one.claim,
        merchant=one.merchant,
        day=one.day,
        built_ms=one.built_ms,
        totals=_totals(connection, one, reach),
        payments=tuple(one for one in payments if isinstance(one, ClaimPayment) and is_whole),
        lines=tuple(_lines(connection, name, reach)),
    )


def claims_of(connection: Connection, record_id: str) -> list[ClaimLine]:
    """Return the lines of a record, in whichever claims."""
    found = store.read_where(connection, ClaimLine, tables.claim_line.c.record_id == record_id)
    return [line for line in found if isinstance(line, ClaimLine)]


def open_returns(
    connection: Connection,
    after: str,
    most: int,
    at_ms: int,
    lag_target_s: int,
    reach: Reach = EVERYTHING,
) -> list[ReturnShown]:
    """Return up to `most` returns within `reach` that are under way, behind the record id `after`."""
    back, record = tables.goods_return, tables.record
    query = (
        select(
            back,
            record.c.merchant.label("merchant"),
            record.c.shop.label("shop"),
            record.c.state.label("record_state"),
        )
        .join(record, record.c.record_id == back.c.record_id)
        .where(back.c.state == "RETURNING", back.c.record_id > after, within.records(reach))
        .order_by(back.c.record_id)
        .limit(most)
    )
    return [
        ReturnShown(
            record_id=row.record_id,
            state=row.state,
            refund_no=row.refund_no,
            refund_fen=row.refund_fen,
            operator=scrub(row.operator),
            supervisor=scrub(row.supervisor),
            reason=scrub(row.reason),
            begun_ms=row.begun_ms,
            ended_ms=row.ended_ms,
            heard_ms=row.heard_ms,
            age_s=max(0, at_ms - row.heard_ms) // 1000,
            late=at_ms - row.heard_ms > lag_target_s * 1000,
            merchant=row.merchant,
            shop=row.shop,
            record_state=row.record_state,
        )
        for row in connection.execute(query)
    ]


def _lines(connection: Connection, name: str, reach: Reach) -> Sequence[LineShown]:
    line, record = tables.claim_line, tables.record
    query = (
        select(
            line,
            *(
                record.c[name]
                for name in ("blocks", "night", "merchant", "shop", "brand", "serial_no", "person")
            ),
        )
        .join(record, record.c.record_id == line.c.record_id)
        .where(line.c.claim == name, within.records(reach))
        .order_by(line.c.record_id)
    )
    frozen = read_freezings.standing(connection)
    return [
        LineShown(
            record_id=row.record_id,
            fen=row.fen,
            state=row.state,
            held_back=_held_back(row, frozen) if row.state == "SUBMITTED" else (),
            reference=row.reference,
            why=row.why,
            ended_ms=row.ended_ms,
        )
        for row in connection.execute(query)
    ]


def _held_back(row: Any, frozen: Mapping[Name, Freezing]) -> tuple[str, ...]:
    blocks = msgspec.json.decode(row.blocks, type=tuple[str, ...])
    # A night that has found a difference has looked, and says so there.
    waits = "" if blocks else waits_for(row)
    return (*blocks, *read_freezings.told_of(frozen, row), *((waits,) if waits else ()))


def _totals(connection: Connection, one: Claim, reach: Reach) -> ClaimTotals:
    line, record = tables.claim_line.c, tables.record.c
    held_back = or_(record.blocks != "[]", record.night != MATCHED, read_freezings.holds_back())
    held_back = held_back.label("held_back")
    query = (
        select(line.state, held_back, func.count().label("lines"), sums.total(line.fen).label("fen"))
        .join_from(tables.claim_line, tables.record, record.record_id == line.record_id)
        .where(line.claim == one.claim, within.records(reach))
        .group_by(line.state, held_back)
    )
    found = list(connection.execute(query))

    def total(state: str, held: bool | None = None) -> Total:
        mine = [row for row in found if row.state == state and held in (None, bool(row.held_back))]
        return Total(sum(row.lines for row in mine), sum(row.fen for row in mine))

    return ClaimTotals(
        submitted=Total(sum(row.lines for row in found), sum(row.fen for row in found)),
        open=total("SUBMITTED", held=False),
        held_back=total("SUBMITTED", held=True),
        paid=total("PAID"),
        withheld=total("WITHHELD"),
        rejected=total("REJECTED"),
        corrected=total("CORRECTED"),
    )
