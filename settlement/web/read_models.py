"""How do the books, records and devices look to operators' programs?

Texts that devices have written are shown through `scrub`; blind indexes and host names are left out.
"""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from settlement.claims.read_claims import claims_of
from settlement.db import tables
from settlement.funds import read_freezings
from settlement.ledger import post
from settlement.ledger.accounts import Account
from settlement.ledger.post import Slot
from settlement.people import within
from settlement.people.roles import EVERYTHING, Reach
from settlement.reconcile.lines import sale_of_record
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import ClaimLine, GoodsReturn, Record
from subsidy import calendar, ids
from subsidy.masking import scrub
from subsidy.policy.model import Pack
from subsidy.policy.split import Part, largest_grant

_LOOKED_AT = 500


class FunderYear(msgspec.Struct, frozen=True):
    """Every account of one funder, programme year and pool, in fen; appropriated is shown positive."""

    funder: str
    year: int
    pool: str
    accounts: dict[str, int]


class YearLeft(msgspec.Struct, frozen=True):
    """The largest grant of a pool that every funder can bear its part of, by today's shares."""

    year: int
    pool: str
    fund_left_fen: int


class FundsShown(msgspec.Struct, frozen=True):
    """The fund as of `centre_ms`."""

    programme: str
    centre_ms: int
    funds: tuple[FunderYear, ...]
    years: tuple[YearLeft, ...]


class BalanceShown(msgspec.Struct, frozen=True):
    """One balance as posted: what was given is negative."""

    funder: str
    account: str
    year: int
    pool: str
    fen: int


class Imbalance(msgspec.Struct, frozen=True):
    """By how much the books of a funder, year and pool fail."""

    funder: str
    year: int
    pool: str
    fen: int


class TrialBalance(msgspec.Struct, frozen=True):
    """All balances, their sum, and where they fail, which is nowhere when they are true."""

    rows: tuple[BalanceShown, ...]
    sum_fen: int
    imbalance: tuple[Imbalance, ...]


class EntryShown(msgspec.Struct, frozen=True):
    """An entry of the device's chain about a record. `problem` says why it was not taken."""

    seq: int
    kind: str
    answer: str
    problem: str
    taken_ms: int


class PostingShown(msgspec.Struct, frozen=True):
    """One line of the ledger."""

    event_no: int
    at_ms: int
    happening: str
    funder: str
    account: str
    year: int
    pool: str
    fen: int


class DifferenceShown(msgspec.Struct, frozen=True):
    """Something that waits for a person, or did: `closed_ms` is None while it waits.

    `day` is the business day that it belongs to, `fen` what is at stake; `position` is for paging.
    """

    subject: str
    kind: str
    owner: str
    detail: str
    day: str
    fen: int
    pay_ref: str
    next_step: str
    opened_ms: int
    closed_ms: int | None
    position: str


class RecordShown(msgspec.Struct, frozen=True):
    """The centre's record of a sale."""

    record_id: str
    state: str
    device: str
    epoch: int
    hold_no: int
    merchant: str
    shop: str
    terminal_no: str
    category: str
    year: int
    pool: str
    gtin: str
    serial_no: str | None
    subsidy_fen: int
    to_pay_fen: int
    paid_fen: int
    split: tuple[Part, ...]
    money: str | None
    placed_at_ms: int
    held_for_s: int
    ended_ms: int | None
    why: str
    owner: str
    blocks: tuple[str, ...]
    frozen: tuple[str, ...]
    goods_freed: bool
    recovered: bool
    pay_ref: str
    goods_return: GoodsReturn | None
    claims: tuple[ClaimLine, ...]
    entries: tuple[EntryShown, ...]
    differences: tuple[DifferenceShown, ...]
    postings: tuple[PostingShown, ...]


def funds(balances: Mapping[Slot, int], pack: Pack, at_ms: int) -> FundsShown:
    """Return the fund of every funder and year."""
    shares = pack.shares.on(calendar.business_day(calendar.from_ms(at_ms)))
    shown, years = [], []
    for funder, year, pool in sorted({(slot[0], slot[2], slot[3]) for slot in balances}):
        accounts = {account.value: balances.get((funder, account, year, pool), 0) for account in Account}
        accounts[Account.APPROPRIATED] = -accounts[Account.APPROPRIATED]
        shown.append(FunderYear(funder, year, pool, accounts))
    for year, pool in sorted({slot[2:] for slot in balances}):
        left = {slot[0]: fen for slot, fen in balances.items() if slot[1:] == (Account.AVAILABLE, year, pool)}
        years.append(YearLeft(year, pool, largest_grant(left, shares.value) if shares else 0))
    return FundsShown(pack.programme, at_ms, tuple(shown), tuple(years))


def trial_balance(balances: Mapping[Slot, int]) -> TrialBalance:
    """Return all balances, what they add up to, and where they fail."""
    return TrialBalance(
        rows=tuple(
            BalanceShown(slot[0], slot[1].value, slot[2], slot[3], balances[slot])
            for slot in sorted(balances)
        ),
        sum_fen=sum(balances.values()),
        imbalance=tuple(Imbalance(*place, fen) for place, fen in sorted(post.imbalance(balances).items())),
    )


def is_within(connection: Connection, record_id: str, reach: Reach) -> bool:
    """Whether there is such a record, and it is within `reach`."""
    c = tables.record.c
    query = select(c.record_id).where(c.record_id == record_id, within.records(reach))
    return connection.execute(query).first() is not None


def record(connection: Connection, record_id: str, reach: Reach = EVERYTHING) -> RecordShown | None:
    """Return a record with its entries, differences and postings, or None when it is not within `reach`."""
    rows = Rows()
    if not is_within(connection, record_id, reach):
        return None
    store.load(connection, [(Record, (record_id,)), (GoodsReturn, (record_id,))], rows)
    found = rows.want(Record, record_id)
    return RecordShown(
        record_id=record_id,
        state=found.state,
        device=found.device,
        epoch=found.epoch,
        hold_no=found.hold_no,
        merchant=found.merchant,
        shop=found.shop,
        terminal_no=found.terminal_no,
        category=found.category,
        year=found.year,
        pool=found.pool,
        gtin=found.gtin,
        serial_no=found.serial_no,
        subsidy_fen=found.subsidy_fen,
        to_pay_fen=found.to_pay_fen,
        paid_fen=found.paid_fen,
        split=found.parts,
        money=found.money,
        placed_at_ms=found.placed_at_ms,
        held_for_s=found.held_for_s,
        ended_ms=found.ended_ms,
        why=scrub(found.why),
        owner=found.owner,
        blocks=found.blocks,
        frozen=read_freezings.told_of(read_freezings.standing(connection), found),
        goods_freed=found.goods_freed,
        recovered=found.recovered,
        pay_ref=found.pay_ref,
        goods_return=_goods_return(rows.get(GoodsReturn, record_id)),
        claims=tuple(claims_of(connection, record_id)),
        entries=tuple(_entries(connection, record_id)),
        differences=tuple(_differences(connection, _is_about(record_id))),
        postings=tuple(_postings(connection, record_id)),
    )


def _is_about(record_id: str) -> ColumnElement[bool]:
    c = tables.difference.c
    # The night's items are named after payments.
    return or_(c.subject == record_id, c.pay_ref.startswith(sale_of_record(record_id)))


def _goods_return(found: GoodsReturn | None) -> GoodsReturn | None:
    if found is None:
        return None
    texts = {name: scrub(getattr(found, name)) for name in ("operator", "supervisor", "reason")}
    return msgspec.structs.replace(found, **texts)


def differences(
    connection: Connection, after: str, most: int, reach: Reach = EVERYTHING
) -> list[DifferenceShown]:
    """Return up to `most` differences that wait within `reach`, behind the position `after`."""
    if reach.everything:
        return _open_behind(connection, after, most)
    found: list[DifferenceShown] = []
    while len(found) < most and (page := _open_behind(connection, after, _LOOKED_AT)):
        after = page[-1].position
        about = [_is_of(one) for one in page]
        seen = within.subjects(connection, reach, set(about))
        found += [one for one, name in zip(page, about, strict=True) if name in seen]
    return found[:most]


def _open_behind(connection: Connection, after: str, most: int) -> list[DifferenceShown]:
    c = tables.difference.c
    subject, _, kind = after.rpartition(" ")
    behind = or_(c.subject > subject, and_(c.subject == subject, c.kind > kind))
    return _differences(connection, and_(c.closed_ms.is_(None), behind), most)


def _is_of(one: DifferenceShown) -> str:
    """Return the record or device that a difference is about: the night names payments."""
    of_payment = ids.read_pay_ref(one.pay_ref)
    return one.subject if of_payment is None else of_payment[0]


def _entries(connection: Connection, record_id: str) -> Iterable[EntryShown]:
    c = tables.entry_row.c
    query = (
        select(c.seq, c.kind, c.answer, c.problem, c.taken_ms)
        .where(c.record_id == record_id)
        .order_by(c.device, c.epoch, c.seq, c.hash)
    )
    for row in connection.execute(query):
        yield EntryShown(row.seq, scrub(row.kind), row.answer, scrub(row.problem), row.taken_ms)


def _differences(connection: Connection, condition: object, most: int = 100) -> list[DifferenceShown]:
    table = tables.difference
    c = table.c
    query = select(table).where(condition).order_by(c.subject, c.kind).limit(most)  # type: ignore[arg-type]
    return [
        DifferenceShown(
            subject=row.subject,
            kind=row.kind,
            owner=row.owner,
            detail=scrub(row.detail),
            day=row.day,
            fen=row.fen,
            pay_ref=row.pay_ref,
            next_step=row.next_step,
            opened_ms=row.opened_ms,
            closed_ms=row.closed_ms,
            position=f"{row.subject} {row.kind}",
        )
        for row in connection.execute(query)
    ]


def _postings(connection: Connection, record_id: str) -> Iterable[PostingShown]:
    posting, event = tables.posting.c, tables.event.c
    query = (
        select(tables.posting, event.at_ms)
        .join(tables.event, event.event_no == posting.event_no)
        .where(event.record_id == record_id)
        .order_by(posting.event_no, posting.line)
    )
    for row in connection.execute(query):
        yield PostingShown(
            row.event_no, row.at_ms, row.happening, row.funder, row.account, row.year, row.pool, row.fen
        )
